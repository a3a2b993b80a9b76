"""The pictures to recognize, photos and frames of videos alike, in chunks that one process works on."""

import os
from collections.abc import Iterable, Iterator
from typing import NamedTuple

import cv2
import numpy as np

from facial_expression.cli.sources import is_video
from facial_expression.cli.videos import read_frames
from facial_expression.errors import UserError

CHUNK = 8
"""Pictures whose faces go through the network together. The result does not depend on it."""
CLUSTER_CHUNK = 32
"""Photos that a worker of a scheduler takes at a time: giving out a chunk costs the command and the scheduler time."""


class Picture(NamedTuple):
    """A photo, or a frame of a video.

    Attributes:
        file: its path.
        frame: 0-based number of the frame; None for a photo.
        time: of the frame in seconds.
        gray: levels of the frame: uint8, shape (height, width); photos are read by the process that works on them.
        colors: of the frame, if they are wanted: uint8, shape (height, width, 3), RGB.
    """

    file: str
    frame: int | None = None
    time: float | None = None
    gray: np.ndarray | None = None
    colors: np.ndarray | None = None


def shown_name(file: str) -> str:
    """The name of a file as text: what is not UTF-8 in it is escaped."""
    return os.fsencode(file).decode("utf-8", "backslashreplace")


class Chunk(NamedTuple):
    """Some pictures in a row.

    Attributes:
        pictures: at most ``CHUNK`` frames, or as many photos as wanted.
        finished: the files that end with this chunk.
        unreadable: what is wrong with the video that ends here, if that is why it ends.
    """

    pictures: list[Picture]
    finished: list[str]
    unreadable: str = ""


def read_chunks(files: Iterable[str], every: int = 1, colors: bool = False, size: int = CHUNK) -> Iterator[Chunk]:
    """All pictures of some files. A chunk has photos, or frames of a single video.

    Args:
        files: images and videos.
        every: take the first of so many frames of a video.
        colors: keep the colors of frames.
        size: of a chunk of photos.
    """
    photos: list[str] = []
    for file in files:
        if is_video(file):
            if photos:
                yield _photos(photos)
            photos = []
            yield from _frames(file, every, colors)
        else:
            photos.append(file)
            if len(photos) == size:
                yield _photos(photos)
                photos = []
    if photos:
        yield _photos(photos)


def _photos(files: list[str]) -> Chunk:
    return Chunk([Picture(file) for file in files], files)


def _frames(file: str, every: int, colors: bool) -> Iterator[Chunk]:
    pictures: list[Picture] = []
    try:
        for number, time, shown in read_frames(file, every):
            if len(pictures) == CHUNK:
                yield Chunk(pictures, [])
                pictures = []
            gray = cv2.cvtColor(shown, cv2.COLOR_RGB2GRAY)
            pictures.append(Picture(file, number, time, gray, shown if colors else None))
    except UserError as error:
        yield Chunk(pictures, [file], str(error))
    else:
        yield Chunk(pictures, [file])
