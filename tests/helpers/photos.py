"""Drawn faces, photos of them, and files of pictures."""

import io

import cv2
import numpy as np
from PIL import Image

from facial_expression.synthetic import draw_face


def draw(emotion: str = "happy", number: int = 0) -> np.ndarray:
    """A drawn face, uint8, shape (48, 48)."""
    return draw_face(emotion, np.random.default_rng([100, number]))


def photograph(*faces: np.ndarray, side: int = 192, size: tuple[int, int] = (480, 640), gray: int = 150) -> np.ndarray:
    """A photo (uint8, shape ``size``) of faces enlarged to ``side`` pixels, next to each other in its middle."""
    photo = np.full(size, gray, np.uint8)
    top, left = (size[0] - side) // 2, (size[1] - side * len(faces)) // 2
    enlarged = [cv2.resize(face, (side, side), interpolation=cv2.INTER_CUBIC) for face in faces]
    photo[top : top + side, left : left + side * len(faces)] = np.hstack(enlarged)
    return photo


def encode(picture: np.ndarray | Image.Image, file_format: str = "PNG", **options) -> bytes:
    """The bytes of a picture file."""
    image = picture if isinstance(picture, Image.Image) else Image.fromarray(picture)
    file = io.BytesIO()
    image.save(file, file_format, **options)
    return file.getvalue()
