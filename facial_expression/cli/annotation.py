"""Pictures and videos with a box around each face and its expression beside it."""

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import cv2
import numpy as np
from PIL import Image, ImageDraw, ImageFont

from facial_expression.cli.videos import opencv_name
from facial_expression.errors import UserError
from facial_expression.files import atomic_write, remove
from facial_expression.recognizer import Recognition

COLORS = {
    "angry": "#ff8a79",
    "disgust": "#a9d45c",
    "fear": "#c6a8ff",
    "happy": "#ffc83d",
    "sad": "#85bdff",
    "surprise": "#ff9ed2",
    "neutral": "#d6cdc3",
}
"""The color of each emotion, as in the web app: bright, with dark letters on it."""
SPARE_COLORS = ("#6ed6d2", "#e5b088", "#a9c4de", "#d6d36a")
"""For classes of one's own."""

_LETTERS = "#1d1a17"


def color_of(emotion: str, classes: Sequence[str]) -> str:
    """The color of one of the classes."""
    others = [name for name in classes if name not in COLORS]
    return COLORS.get(emotion) or SPARE_COLORS[others.index(emotion) % len(SPARE_COLORS)]


def draw_faces(colors: np.ndarray, faces: Sequence[Recognition], people: Sequence[int] | None = None) -> np.ndarray:
    """A picture with its faces.

    Args:
        colors: uint8, shape (height, width, 3), RGB.
        faces: with boxes in pixels of the picture.
        people: a number to show for each face.

    Returns:
        An array like ``colors``.
    """
    image = Image.fromarray(colors)
    pen = ImageDraw.Draw(image)
    for number, face in enumerate(faces):
        left, top, width, height = face.box
        color = color_of(face.emotion, list(face.probabilities))
        line = max(2, round(width / 50))
        pen.rectangle((left, top, left + width, top + height), outline=color, width=line)
        text = f"{face.emotion} {face.probabilities[face.emotion]:.0%}" + "?" * face.uncertain
        _label(pen, (left, top), text if people is None else f"{people[number]}: {text}", color, max(12, width / 8))
    return np.asarray(image)


def _label(pen: ImageDraw.ImageDraw, corner: tuple[float, float], text: str, color: str, size: float) -> None:
    """A text on a plate above a box, or inside it where there is no room above."""
    font = ImageFont.load_default(size)
    room = size / 3
    height = size * 1.2 + room
    left, top = corner[0], corner[1] - height if corner[1] >= height else corner[1]
    pen.rectangle((left, top, left + pen.textlength(text, font) + 2 * room, top + height), fill=color)
    pen.text((left + room, top + height / 2), text, _LETTERS, font, anchor="lm")


def save_picture(path: Path, colors: np.ndarray) -> None:
    """Write colors (uint8, RGB) as a JPEG."""
    with atomic_write(path) as temporary:
        Image.fromarray(colors).save(temporary, "JPEG", quality=90)


class AnnotatedVideo:
    """Writes frames as a WebM video without sound, which every browser plays.

    Args:
        path: of the video; it appears when the video is complete.
        rate: frames per second.
    """

    def __init__(self, path: Path, rate: float):
        self._path, self._rate = path, rate
        self._temporary = path.with_name(f".partial-{path.name}")  # OpenCV needs the suffix
        self._writer: cv2.VideoWriter | None = None

    def add(self, colors: np.ndarray) -> None:
        """Add a frame: uint8, shape (height, width, 3), RGB, all of one size."""
        if self._writer is None:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            size, name = colors.shape[1::-1], opencv_name(self._temporary)
            with _quiet():
                self._writer = cv2.VideoWriter(name, cv2.VideoWriter.fourcc(*"VP80"), self._rate, size)
            if not self._writer.isOpened():
                raise UserError(f"{self._path}: OpenCV cannot write videos in this folder")
        self._writer.write(cv2.cvtColor(colors, cv2.COLOR_RGB2BGR))

    def finish(self) -> None:
        """Complete the video; without a frame, there is none."""
        if self._writer is not None:
            self._writer.release()
            self._temporary.replace(self._path)

    def discard(self) -> None:
        """Remove what is written of an incomplete video."""
        if self._writer is not None:
            self._writer.release()
            remove(self._temporary)


@contextmanager
def _quiet() -> Iterator[None]:
    """Hide what FFmpeg prints: that its own name for VP8 is another one."""
    kept = os.dup(2)
    try:
        with open(os.devnull, "wb") as nothing:
            os.dup2(nothing.fileno(), 2)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
