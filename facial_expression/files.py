"""Files and directories that are written completely or not at all."""

import errno
import hashlib
import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from facial_expression.errors import UserError


@contextmanager
def atomic_write(destination: str | Path) -> Iterator[Path]:
    """Yield a temporary path beside ``destination`` that replaces it when the block succeeds.

    The block creates a file or a directory at the yielded path. If the block raises, the temporary path is removed and
    ``destination`` stays as it was.

    Raises:
        OSError: the disk is full, read-only or damaged, or the block created nothing. It names ``destination``, or the
            other file that the block could not read.
    """
    destination = Path(destination)
    temporary = destination.with_name(f".{destination.name}.partial")
    with name_in_errors(destination, temporary):
        destination.parent.mkdir(parents=True, exist_ok=True)
        remove(temporary)
        try:
            yield temporary
            if temporary.is_dir():
                _replace_by_directory(destination, temporary)
            else:
                os.replace(temporary, destination)
        finally:
            remove(temporary)


def _replace_by_directory(destination: Path, directory: Path) -> None:
    """Put a directory in the place of what is there, which takes two renamings, and undo the first if interrupted."""
    old = destination.with_name(f".{destination.name}.old")
    remove(old)
    try:
        if os.path.lexists(destination):
            os.replace(destination, old)
        os.replace(directory, destination)
    finally:
        if os.path.lexists(old) and not os.path.lexists(destination):
            os.replace(old, destination)
        remove(old)


@contextmanager
def name_in_errors(path: Path, temporary: Path | None = None) -> Iterator[None]:
    """Name ``path`` in every `OSError` of the block that names no file, or only ``temporary`` or a file in it."""
    try:
        yield
    except OSError as error:
        if error.errno is None and type(error) is not OSError:
            raise  # a library's own, such as that of a damaged archive
        named = error.filename2 or error.filename  # of two files, the second is the one that is written
        if named is None or (temporary and Path(named).is_relative_to(temporary)):
            named = path
        # NumPy reports a failed write without its number; it is nearly always a full disk.
        number = error.errno or errno.ENOSPC
        raise OSError(number, os.strerror(number), str(named)) from error


def remove(path: Path) -> None:
    """Remove a file or a directory tree if it exists."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def write_json(path: str | Path, content: Any) -> None:
    """Write JSON for people and for diffs: indented, in the given order, the same bytes for the same content.

    Raises:
        ValueError: the content holds NaN or infinity, which JSON lacks.
    """
    text = json.dumps(content, indent=2, allow_nan=False) + "\n"
    with atomic_write(path) as temporary:
        temporary.write_text(text, encoding="utf-8", newline="\n")


def read_json(path: str | Path, made_by: str) -> Any:
    """Read a JSON file.

    Args:
        path: the file.
        made_by: the command that writes it, for the error message.

    Raises:
        UserError: the file is missing or damaged.
    """
    try:
        return json.loads(Path(path).read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise UserError(f"{path} is missing: run `{made_by}`") from None
    except ValueError as error:
        raise UserError(f"{path} is not valid JSON ({error}): run `{made_by}`") from error


def sha256(path: str | Path) -> str:
    """SHA-256 of a file's content in hexadecimal."""
    return hashlib.sha256(Path(path).read_bytes()).hexdigest()
