"""Mend what a DVC that was killed in the middle of writing leaves behind; `make repro`, `train` and `demo` begin so.

    python -m tools.mend_records

DVC writes two files in place. `.dvc/tmp/rwlock` is left empty, and every later command stumbles over it: it is deleted.
`dvc.lock` is left cut off: the committed one replaces it. What finished since that commit is in DVC's run cache, from
which `dvc repro` takes it without running it again.
"""

import subprocess
from pathlib import Path

from dvc.schema import COMPILED_LOCKFILE_SCHEMA
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError
from voluptuous import Invalid

from facial_expression.files import atomic_write


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
    if lock.exists() and is_cut_off(lock.read_text()):
        committed = subprocess.run(["git", "show", "HEAD:./dvc.lock"], cwd=root, capture_output=True)
        if committed.returncode == 0:
            with atomic_write(lock) as temporary:
                temporary.write_bytes(committed.stdout)
        else:
            lock.unlink()
        done = "restored the committed one" if committed.returncode == 0 else "deleted it"
        messages.append(f"{lock} was cut off by a DVC that was killed: {done}; what finished since is in the run cache")
    return messages


def is_cut_off(text: str) -> bool:
    """Whether the content of a ``dvc.lock`` is not all that DVC meant to write.

    A cut at the end of a line may go unnoticed. DVC then takes the stages behind it for new, which its run cache has.
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
