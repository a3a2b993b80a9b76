"""Frames of videos and cameras."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

import cv2
import numpy as np

from facial_expression.errors import UserError


class Frame(NamedTuple):
    """A frame of a video: its 0-based number, its time in seconds and its colors (uint8, (height, width, 3), RGB)."""

    number: int
    time: float
    colors: np.ndarray


def read_frames(path: str, every: int = 1) -> Iterator[Frame]:
    """The first of every so many frames of a video.

    Raises:
        UserError: the file is not a video that OpenCV can read.
    """
    with _open(path) as video:
        number = 0
        while video.grab():
            if number % every == 0:
                time = video.get(cv2.CAP_PROP_POS_MSEC) / 1000
                readable, colors = video.retrieve()
                if readable:
                    yield Frame(number, time, cv2.cvtColor(colors, cv2.COLOR_BGR2RGB))
            number += 1
        if number == 0:
            raise UserError("the video has no frame that can be read")


def count_frames(path: str, every: int = 1) -> int:
    """About how many frames :func:`read_frames` gives, according to the file's header; 0 if it cannot be read."""
    try:
        with _open(path) as video:
            return -(-max(0, int(video.get(cv2.CAP_PROP_FRAME_COUNT))) // every)
    except UserError:
        return 0


def frame_rate(path: str) -> float:
    """Frames per second according to the file's header, or 25 if it does not say."""
    with _open(path) as video:
        return video.get(cv2.CAP_PROP_FPS) or 25.0


@contextmanager
def _open(path: str) -> Iterator[cv2.VideoCapture]:
    video = cv2.VideoCapture(path)
    try:
        if not video.isOpened():
            raise UserError("OpenCV cannot read this video")
        yield video
    finally:
        video.release()
