"""Hash what dvc.lock pins, in the workspace and in DVC's cache, and compare. DVC itself trusts a file's size and date.

    make check

A damaged object of the cache, or a file that is not the pinned one, ends it with exit code 1. What is not there is no
error: a clone holds reports and the served classifier alone. Takes a few seconds for each gigabyte.
"""

import hashlib
import json
import sys
from dataclasses import dataclass, field
from pathlib import Path

from dvc.output import Output
from dvc.repo import Repo
from rich.console import Console
from rich.progress import track
from rich.table import Table

OK, ABSENT, IN_GIT = "ok", "—", "git"


@dataclass
class Check:
    """What is there of one output.

    Attributes:
        output: its path in the project.
        size: the pinned size in bytes.
        workspace: `OK`, `ABSENT`, or what is wrong.
        cache: the same, or `IN_GIT` for what git holds.
        damaged: objects of the cache with another content than their name says.
    """

    output: str
    size: int
    workspace: str = ABSENT
    cache: str = ABSENT
    damaged: list[Path] = field(default_factory=list)

    @property
    def is_right(self) -> bool:
        return {self.workspace, self.cache} <= {OK, ABSENT, IN_GIT}


def main() -> None:
    console = Console(highlight=False)
    with Repo() as repo:
        outputs = [output for output in repo.index.outs if output.hash_info]
        cache = Path(repo.cache.local.path)
        checks = [check(output, cache) for output in track(outputs, "hashing", console=Console(stderr=True))]
    table = Table("pinned output", "bytes", "workspace", "cache")
    table.columns[0].overflow, table.columns[1].justify = "fold", "right"
    for one in checks:
        table.add_row(one.output, f"{one.size:,}", one.workspace, one.cache, style=None if one.is_right else "bold red")
    console.print(table)
    advice = []
    damaged = sorted({path for one in checks for path in one.damaged})
    if damaged:
        advice += ["damaged, delete them; then `dvc fetch` or `dvc repro` brings them back:", *map(str, damaged)]
    changed = [one.output for one in checks if one.workspace not in (OK, ABSENT)]
    if changed:
        advice += ["not what dvc.lock pins; `dvc checkout --force` or `git checkout` restores them:", *changed]
    if advice:
        sys.exit("\n".join(["check: some files are not the pinned ones", *advice]))


def check(output: Output, cache: Path) -> Check:
    """Compare an output with its pin, byte by byte."""
    digest = output.hash_info.value
    result = Check(output.def_path, output.meta.size or 0)
    path = Path(output.fs_path)
    if path.exists():
        result.workspace = OK if digest_of(path) == digest else "differs"
    if not output.use_cache:
        result.cache = IN_GIT
    elif object_path(cache, digest).exists():
        needed, result.damaged = check_objects(cache, digest)
        absent = sum(not one.exists() for one in needed)
        result.cache = "damaged" if result.damaged else f"lacks {absent}" if absent else OK
    return result


def check_objects(cache: Path, digest: str) -> tuple[list[Path], list[Path]]:
    """The cache's objects of an output, and those of them that are damaged."""
    listing = object_path(cache, digest)
    needed = [listing]
    if file_digest(listing) != digest.removesuffix(".dir"):
        return needed, needed
    if digest.endswith(".dir"):
        needed += [object_path(cache, entry["md5"]) for entry in json.loads(listing.read_bytes())]
    return needed, [one for one in needed[1:] if one.exists() and file_digest(one) != one.parent.name + one.name]


def object_path(cache: Path, digest: str) -> Path:
    return cache / digest[:2] / digest[2:]


def digest_of(path: Path) -> str:
    """The MD5 by which DVC knows a file or a directory."""
    if path.is_file():
        return file_digest(path)
    files = sorted((file.relative_to(path).parts, file) for file in path.rglob("*") if file.is_file())
    entries = [{"md5": file_digest(file), "relpath": "/".join(parts)} for parts, file in files]
    return hashlib.md5(json.dumps(entries, sort_keys=True).encode(), usedforsecurity=False).hexdigest() + ".dir"


def file_digest(path: Path) -> str:
    digest = hashlib.md5(usedforsecurity=False)
    with path.open("rb") as file:
        while block := file.read(2**20):
            digest.update(block)
    return digest.hexdigest()


if __name__ == "__main__":
    main()
