"""Mend what a DVC that was killed in the middle of writing leaves behind; `make repro`, `train` and `demo` begin so.

    python -m tools.mend_records

DVC writes two files in place. `.dvc/tmp/rwlock` is left empty, and every later command stumbles over it: it is deleted.
`dvc.lock` is left cut off: the copy that every stage makes when DVC starts it replaces it, or the committed one. With
the copy, only the stage that was being recorded runs again, and a training takes up its finished checkpoint.
"""

import subprocess
from pathlib import Path

from dvc.schema import COMPILED_LOCKFILE_SCHEMA
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError
from voluptuous import Invalid

from facial_expression.files import atomic_write
from stages._stage import LOCK_COPY


def main() -> None:
    for root in (Path(), Path("demo")):
        for message in mend(root):
            print(message)


def mend(root: Path) -> list[str]:
    """Mend the records of the repository in a folder, and say what was mended."""
    messages = []
    rwlock, lock = root / ".dvc/tmp/rwlock", root / "dvc.lock"
    if rwlock.exists() and rwlock.stat().st_size == 0:
        rwlock.unlink()
        messages.append(f"{rwlock} was left empty by a DVC that was killed: deleted it")
    if lock.exists() and not _has_conflicts(text := _read(lock)) and is_cut_off(text):
        content, whence = _whole_lock(root)
        if content is None:
            lock.unlink()
        else:
            with atomic_write(lock) as temporary:
                temporary.write_text(content)
        messages.append(f"{lock} was cut off by a DVC that was killed: {whence}")
    return messages


def _whole_lock(root: Path) -> tuple[str | None, str]:
    """The latest content of ``dvc.lock`` that is whole, and what is done with it."""
    copy = root / LOCK_COPY
    if copy.exists() and not is_cut_off(content := _read(copy)):
        return content, "restored the one before the last stage"
    committed = subprocess.run(["git", "show", "HEAD:./dvc.lock"], cwd=root, capture_output=True, text=True)
    if committed.returncode == 0:
        return committed.stdout, "restored the committed one"
    return None, "deleted it"


def _read(path: Path) -> str:
    return path.read_text(encoding="utf-8", errors="replace")  # the cut may be inside a letter


def _has_conflicts(text: str) -> bool:
    """Whether a merge left its marks, which DVC reports by itself."""
    return any(line.startswith("<<<<<<< ") for line in text.splitlines())


def is_cut_off(text: str) -> bool:
    """Whether the content of a ``dvc.lock`` is not all that DVC meant to write.

    A cut at the end of a line may go unnoticed. DVC then takes the stages behind it for new.
    """
    if not text.endswith("\n"):
        return True
    try:
        COMPILED_LOCKFILE_SCHEMA(YAML(typ="safe").load(text))
    except (YAMLError, Invalid):
        return True
    return False


if __name__ == "__main__":
    main()
