"""A data set of one's own: color photos of three classes, as people keep them in folders."""

from pathlib import Path

import cv2
import numpy as np
from PIL import Image

from facial_expression.data.synthetic import draw_face

CLASSES = ("calm", "delighted", "surprise")
_DRAWN = {"calm": "neutral", "delighted": "happy", "surprise": "surprise"}
_FOLDERS = {"calm": "Calm", "delighted": "delighted", "surprise": "Surprised"}


def draw_photo(name: str, number: int) -> np.ndarray:
    """A photo of a face (uint8, shape (height, width, 3), RGB) of its own size, tint and place."""
    random = np.random.default_rng([17, CLASSES.index(name), number])
    face = draw_face(_DRAWN[name], random)
    side = int(random.integers(110, 200))
    height, width = side + int(random.integers(30, 120)), side + int(random.integers(30, 160))
    gray = cv2.GaussianBlur(random.integers(60, 200, (height, width), dtype=np.uint8), (0, 0), 9)
    top, left = int(random.integers(height - side)), int(random.integers(width - side))
    gray[top : top + side, left : left + side] = cv2.resize(face, (side, side), interpolation=cv2.INTER_CUBIC)
    tint = random.uniform(0.8, 1, 3)
    return (gray[..., None] * tint).astype(np.uint8)


def write_photos(folder: Path, each: int, splits: tuple[str, ...] = ("train", "test")) -> None:
    """Write photos as ``SPLIT/CLASS/NUMBER``, every fifth in the last split, in several formats."""
    for name in CLASSES:
        for number in range(each):
            split = splits[-1] if number % 5 == 4 else splits[0]
            suffix = ("jpg", "png", "bmp")[number % 3]
            path = folder / split / _FOLDERS[name] / f"{number:03}.{suffix}"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(draw_photo(name, number)).save(path)
