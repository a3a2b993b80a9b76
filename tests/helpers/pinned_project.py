"""A small project with the DVC configuration of this one, and clones of it with caches of their own."""

import os
from pathlib import Path

from helpers.project import ROOT, dvc, git

PIPELINE = """\
stages:
  write:
    cmd: python write.py
    deps: [write.py]
    outs:
      - data/faces
      - report.json: {cache: false}
"""
SCRIPT = """\
import random
import os
from pathlib import Path

faces = Path("data/faces")
faces.mkdir(parents=True)
for number in range(4):
    (faces / f"part-{number}.bin").write_bytes(random.Random(number).randbytes(500_000))
Path("report.json").write_text("{}\\n")
"""


def make_project(directory: Path) -> Path:
    """Write a project with two pinned outputs, one of them in git, and commit it."""
    (directory / ".dvc").mkdir(parents=True)
    for name in (".dvc/config", ".dvc/.gitignore", ".gitattributes"):
        (directory / name).write_bytes((ROOT / name).read_bytes())
    (directory / ".gitignore").write_text("/data\n")
    (directory / "dvc.yaml").write_text(PIPELINE)
    (directory / "write.py").write_text(SCRIPT)
    git(directory, "init", "--quiet")
    dvc(directory, "repro", "--quiet")
    git(directory, "add", "--all")
    git(directory, "commit", "--quiet", "--message", "Write")
    return directory


def make_clone(project: Path, directory: Path) -> Path:
    """A clone with an empty cache, without the outputs that DVC holds."""
    git(project, "clone", "--quiet", str(project), str(directory))
    return directory


def objects(folder: Path) -> list[Path]:
    """The files of a DVC cache or of the folder behind a remote, the largest last."""
    files = (path for path in (folder / "files").rglob("*") if path.is_file())
    return sorted(files, key=lambda path: (path.stat().st_size, path.as_posix()))


def flip_byte(path: Path) -> None:
    """Change one byte, and neither size nor date."""
    status = path.stat()
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.chmod(0o644)
    path.write_bytes(content)
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
