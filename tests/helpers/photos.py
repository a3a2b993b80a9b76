"""Synthetic faces, photos of them, and image files."""

import io

import cv2
import numpy as np
from PIL import Image

from facial_expression.data.synthetic import draw_face


def draw(emotion: str = "happy", number: int = 0) -> np.ndarray:
    """A synthetic face: uint8, shape (48, 48)."""
    return draw_face(emotion, np.random.default_rng([100, number]))


def photograph(*faces: np.ndarray, side: int = 192, size: tuple[int, int] = (480, 640), gray: int = 150) -> np.ndarray:
    """A photo (uint8, shape ``size``) with the faces in a row at its center, each enlarged to ``side`` pixels."""
    photo = np.full(size, gray, np.uint8)
    top, left = (size[0] - side) // 2, (size[1] - side * len(faces)) // 2
    enlarged = [cv2.resize(face, (side, side), interpolation=cv2.INTER_CUBIC) for face in faces]
    photo[top : top + side, left : left + side * len(faces)] = np.hstack(enlarged)
    return photo


def encode(image: np.ndarray | Image.Image, file_format: str = "PNG", **options) -> bytes:
    """The bytes of an image file."""
    file = io.BytesIO()
    pillow_image = image if isinstance(image, Image.Image) else Image.fromarray(image)
    pillow_image.save(file, file_format, **options)
    return file.getvalue()
