"""Where annotated copies and timelines go, and a check that they replace none of the files that are read."""

import os
from collections.abc import Iterable, Iterator
from pathlib import Path

from facial_expression.cli.remote import is_remote
from facial_expression.cli.sources import is_video
from facial_expression.errors import UserError


def copy_of(file: str, folder: str | Path) -> Path:
    """Where the annotated copy of a picture or video goes."""
    return _place(folder, file, ".webm" if is_video(file) else ".jpg")


def timeline_of(file: str, folder: str | Path) -> Path:
    """Where the timeline of a video goes."""
    return _place(folder, file, ".png")


def check_copies(files: Iterable[str], copies: str | Path | None, timelines: str | Path | None) -> None:
    """Make sure that no two files have the same copy, and that no copy replaces a file that is read.

    Args:
        files: pictures and videos, which are gone through twice.
        copies: folder for annotated copies, if they are wanted.
        timelines: folder for timelines, if they are wanted.

    Raises:
        UserError: names the file.
    """
    if not (copies or timelines):
        return
    places = set[int]()  # hashes, since names of millions of files would fill the memory
    for file in files:
        for path in _written_for(file, copies, timelines):
            if (place := _place_number(path)) in places:
                raise UserError(f"{file}: {path} is already written for another file, or this one is given twice")
            places.add(place)
    for file in files:
        if not is_remote(file) and _place_number(file) in places:
            raise UserError(f"{file} would be replaced by a copy: choose another folder for copies")


def _written_for(file: str, copies: str | Path | None, timelines: str | Path | None) -> Iterator[Path]:
    if copies:
        yield copy_of(file, copies)
    if timelines and is_video(file):
        yield timeline_of(file, timelines)


def _place_number(path: str | Path) -> int:
    return hash(os.path.realpath(path))


def _place(folder: str | Path, file: str, suffix: str) -> Path:
    """The same path in ``folder``, without leading ``/`` and ``..``."""
    source = Path(file)
    parts = [part for part in source.parts if part not in (source.anchor, "..")]
    path = Path(folder, *parts)
    return path if path.suffix.lower() == suffix else path.with_name(path.name + suffix)
