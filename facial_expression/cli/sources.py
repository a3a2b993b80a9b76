"""Which files to read: named ones, those in folders, those that match a pattern, those of a list, cameras, and
addresses of files elsewhere.
"""

import glob
import os
import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from facial_expression.cli.remote import connect, is_remote, list_remote
from facial_expression.errors import UserError

IMAGES = {
    *(".avif", ".bmp", ".gif", ".heic", ".heif", ".jfif", ".jpe", ".jpeg", ".jpg"),
    *(".pgm", ".png", ".ppm", ".tif", ".tiff", ".webp"),
}
VIDEOS = {".3gp", ".avi", ".flv", ".m4v", ".mkv", ".mov", ".mp4", ".mpeg", ".mpg", ".ogv", ".webm", ".wmv"}
LIST = "-"
"""The argument that stands for a list of files on standard input."""


def is_video(path: str) -> bool:
    """Whether a file is taken for a video, which its suffix says; a camera is one."""
    return Path(path).suffix.lower() in VIDEOS or camera_number(path) is not None


def camera_number(path: str) -> int | None:
    """1 for ``camera:1``, 0 for ``camera``, and None for every other name and every file that exists."""
    match = re.fullmatch(r"camera(?::(\d+))?", path)
    return int(match[1] or 0) if match and not os.path.exists(path) else None


class Sources:
    """The files to read, found anew in each iteration, so that millions of names need no memory.

    Args:
        arguments: files, folders, patterns such as ``photos/**/*.jpg``, addresses such as ``s3://bucket/photos``,
            ``camera:NUMBER``, and ``-``. Folders are searched with all folders below them for files with a suffix of
            ``IMAGES`` or ``VIDEOS``; hidden ones are left out.
        lines: the list for ``-``: one file per line.
        written: folders that the command writes to; folders and patterns leave out what is in them.

    Raises:
        UserError: an argument names nothing, a pattern matches nothing, or a folder is one of ``written``.
    """

    def __init__(self, arguments: Sequence[str], lines: Iterable[str] = (), written: Iterable[str | Path] = ()):
        self._arguments = list(dict.fromkeys(arguments))
        self._lines = [line for line in (line.rstrip("\r\n") for line in lines) if line]
        self._written = {os.path.realpath(folder) for folder in written}
        for argument in self._arguments:
            if is_remote(argument):
                connect(argument)
            elif os.path.isdir(argument) and os.path.realpath(argument) in self._written:
                raise UserError(f"{argument} cannot be searched and written to: choose another folder for copies")
            elif argument != LIST and camera_number(argument) is None and not os.path.exists(argument):
                _check_pattern(argument)

    def __iter__(self) -> Iterator[str]:
        for argument in self._arguments:
            if argument == LIST:
                yield from self._lines
            elif is_remote(argument):
                yield from (file for file in list_remote(argument) if file == argument or _is_picture(file))
            elif os.path.isdir(argument):
                yield from self._walk(argument)
            elif os.path.exists(argument) or camera_number(argument) is not None:
                yield argument
            else:
                yield from (file for file in _match(argument) if not self._is_written(file))

    def _walk(self, folder: str) -> Iterator[str]:
        """The images and videos in a folder and below it, in the order of their names."""
        with os.scandir(folder) as entries:
            found = sorted((entry for entry in entries if not entry.name.startswith(".")), key=lambda entry: entry.name)
        for entry in found:
            if entry.is_dir(follow_symlinks=False):
                if not self._is_written(entry.path):
                    yield from self._walk(entry.path)
            elif _is_picture(entry.name) and entry.is_file():
                yield entry.path

    def _is_written(self, path: str) -> bool:
        """Whether a path is in one of the folders that are written to, or one of them."""
        if not self._written:
            return False
        place = os.path.realpath(path)
        return any(place == folder or place.startswith(os.path.join(folder, "")) for folder in self._written)


def _is_picture(name: str) -> bool:
    return Path(name).suffix.lower() in IMAGES | VIDEOS


def _match(pattern: str) -> Iterator[str]:
    for path in sorted(glob.iglob(pattern, recursive=True)):
        if os.path.isfile(path):
            yield path


def _check_pattern(argument: str) -> None:
    if not glob.has_magic(argument):
        raise UserError(f"{argument}: there is no such file or folder")
    if next(_match(argument), None) is None:
        raise UserError(f"{argument}: no file matches this pattern")
