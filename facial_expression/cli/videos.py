"""Frames of videos and cameras."""

import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np

from facial_expression.cli.remote import is_remote
from facial_expression.cli.sources import camera_number
from facial_expression.errors import UserError

_USUAL_RATE = 25.0


class Frame(NamedTuple):
    """A frame of a video: its 0-based number, its time in seconds and its colors (uint8, (height, width, 3), RGB)."""

    number: int
    time: float
    colors: np.ndarray


def read_frames(path: str, every: int = 1) -> Iterator[Frame]:
    """The first of every so many frames of a video, or of a camera until Ctrl-C.

    Raises:
        UserError: OpenCV cannot read it.
    """
    with _open(path) as video, _stoppable(path) as stopped:
        number, start = 0, time.monotonic()
        while not stopped.is_set() and video.grab():
            if number % every == 0:
                live = camera_number(path) is not None
                seconds = time.monotonic() - start if live else video.get(cv2.CAP_PROP_POS_MSEC) / 1000
                readable, colors = video.retrieve()
                if readable:
                    yield Frame(number, seconds, cv2.cvtColor(colors, cv2.COLOR_BGR2RGB))
            number += 1
        if number == 0:
            raise UserError("it has no frame that can be read")


def count_frames(path: str, every: int = 1) -> int:
    """About how many frames :func:`read_frames` gives, according to the file's header; 0 if nobody knows."""
    if camera_number(path) is not None:
        return 0
    try:
        with _open(path) as video:
            return -(-max(0, int(video.get(cv2.CAP_PROP_FRAME_COUNT))) // every)
    except UserError:
        return 0


def frame_rate(path: str) -> float:
    """Frames per second according to the file's header; 25 for a camera, or if the header does not say."""
    if camera_number(path) is not None:
        return _USUAL_RATE
    with _open(path) as video:
        return video.get(cv2.CAP_PROP_FPS) or _USUAL_RATE


def opencv_name(path: str | Path) -> str:
    """The name of a video as OpenCV takes it.

    Raises:
        UserError: it is not UTF-8; OpenCV would crash.
    """
    try:
        return str(path).encode().decode()
    except UnicodeEncodeError:
        raise UserError("OpenCV needs a name in UTF-8: rename the video") from None


@contextmanager
def _open(path: str) -> Iterator[cv2.VideoCapture]:
    if is_remote(path):
        raise UserError("videos are read from this machine alone: copy it here first")
    camera = camera_number(path)
    video = cv2.VideoCapture(opencv_name(path) if camera is None else camera)
    try:
        if not video.isOpened():
            raise UserError("OpenCV cannot read it as a video" if camera is None else "there is no such camera")
        yield video
    finally:
        video.release()


@contextmanager
def _stoppable(path: str) -> Iterator[threading.Event]:
    """While a camera is read, Ctrl-C sets the event, since that is the usual end."""
    stopped = threading.Event()
    if camera_number(path) is None:
        yield stopped
        return
    previous = signal.signal(signal.SIGINT, lambda *_: stopped.set())
    try:
        yield stopped
    finally:
        signal.signal(signal.SIGINT, previous)
