"""Files that lie elsewhere: behind HTTP, in S3, and wherever else fsspec reaches.

Needs the extra ``remote``, and for most storages a package of their own, such as s3fs.
"""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from facial_expression.errors import UserError

if TYPE_CHECKING:  # it is an extra
    from fsspec import AbstractFileSystem

_WEB = ("http", "https")


def is_remote(path: str) -> bool:
    """Whether a path is an address such as ``s3://bucket/photos``."""
    return "://" in path


def list_remote(address: str) -> Iterator[str]:
    """The addresses of the files in a folder and below it, or of those that match a pattern, in order; or the address.

    Args:
        address: behind HTTP, a folder ends with ``/``.

    Raises:
        UserError: the storage cannot be reached, or nothing is there.
    """
    system, path = connect(address)
    is_web = address.startswith(_WEB)
    try:
        if is_web and not path.endswith("/"):
            names = [path]
        elif not is_web and any(character in path for character in "*["):
            names = system.glob(path)
        else:
            names = system.find(path) if is_web or system.isdir(path) else [path]
    except Exception as error:  # every storage has errors of its own
        raise UserError(f"{address}: {_explain(error)}") from error
    if not names:
        raise UserError(f"{address}: no file is there")
    for name in sorted(names):
        yield system.unstrip_protocol(name)


def read_remote(address: str) -> bytes:
    """The content of a file.

    Raises:
        OSError: it cannot be read.
        UserError: a package is missing, or no storage has such addresses.
    """
    system, path = connect(address)
    try:
        return system.cat_file(path)
    except FileNotFoundError as error:
        raise OSError("there is no such file") from error
    except Exception as error:
        raise OSError(_explain(error)) from error


def connect(address: str) -> "tuple[AbstractFileSystem, str]":
    """The storage of an address, and its path there.

    Raises:
        UserError: a package is missing, or no storage has such addresses.
    """
    try:
        from fsspec.core import url_to_fs
    except ModuleNotFoundError:
        raise UserError(f"{address}: addresses need fsspec: pip install 'facial-expression[remote]'") from None
    try:
        return url_to_fs(address)
    except (ImportError, ValueError) as error:  # which say what is missing
        raise UserError(f"{address}: {error}") from None


def _explain(error: Any) -> str:
    return f"{type(error).__name__}: {error}"
