"""Write a file or a directory completely or not at all."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def replacing(destination: str | Path) -> Iterator[Path]:
    """Yield a temporary path beside ``destination`` that takes its place when the block ends well.

    The block creates a file or a directory at the yielded path. If the block raises, what it wrote is removed and
    ``destination`` stays as it was.

    Raises:
        FileNotFoundError: the block ended without creating anything.
    """
    destination = Path(destination)
    destination.parent.mkdir(parents=True, exist_ok=True)
    temporary = destination.with_name(f".{destination.name}.partial")
    remove(temporary)
    try:
        yield temporary
        if temporary.is_dir():
            remove(destination)
        os.replace(temporary, destination)
    finally:
        remove(temporary)


def remove(path: Path) -> None:
    """Remove a file or a directory tree; do nothing where there is none."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
