"""The mean shape of faces: average positions of 68 landmarks, learned once and stored in mean_shape.csv."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from facial_expression.errors import UserError

_FILE = Path(__file__).with_name("mean_shape.csv")
_HEADER = "x,y,picture_x,picture_y"


@dataclass(frozen=True)
class MeanShape:
    """Average positions of landmarks.

    Attributes:
        face: float64, shape (68, 2): the mean shape, scaled to fill the unit square.
        picture: float64, shape (68, 2): mean position in a picture of FER2013, in fractions of its side; used for
            faces that the detector misses.
    """

    face: np.ndarray
    picture: np.ndarray


def load_mean_shape(path: str | Path = _FILE) -> MeanShape:
    """Read a mean shape from a CSV of 68 rows with the columns ``x, y, picture_x, picture_y``.

    Raises:
        UserError: the file has other columns or another number of rows.
    """
    header, *rows = Path(path).read_text(encoding="utf-8").splitlines()
    if header != _HEADER or len(rows) != 68:
        raise UserError(f"{path} must have 68 rows with the columns {_HEADER.replace(',', ', ')}")
    table = np.array([row.split(",") for row in rows], np.float64)
    return MeanShape(table[:, :2], table[:, 2:])


def learn_mean_shape(landmarks: np.ndarray, picture_size: int, rounds: int = 10) -> MeanShape:
    """The mean shape of many faces by generalized Procrustes analysis (Gower, Psychometrika 40, 1975).

    Args:
        landmarks: shape (N, 68, 2), in pixels of the pictures.
        picture_size: side of the pictures in pixels.
        rounds: iterations of fitting all shapes to the mean; it converges in fewer than ten.
    """
    # As complex numbers, the similarity that best fits a centered shape to the mean is one multiplication.
    shapes = landmarks[..., 0] + 1j * landmarks[..., 1].astype(np.float64)
    shapes = shapes - shapes.mean(axis=1, keepdims=True)
    shapes /= np.linalg.norm(shapes, axis=1, keepdims=True)
    mean = shapes[0]
    for _ in range(rounds):
        fits = (shapes.conj() @ mean)[:, None] * shapes
        mean = fits.mean(axis=0)
        mean /= np.linalg.norm(mean)
    mean *= np.exp(-1j * np.angle(mean[42:48].mean() - mean[36:42].mean()))  # level the line through the eyes
    face = np.stack([mean.real, mean.imag], axis=1)
    face = (face - face.min(axis=0)) / np.ptp(face, axis=0)
    return MeanShape(face, landmarks.mean(axis=0) / picture_size)


def save_mean_shape(path: str | Path, mean_shape: MeanShape) -> None:
    """Write a mean shape as :func:`load_mean_shape` reads it."""
    rows = np.hstack([mean_shape.face, mean_shape.picture])
    lines = [_HEADER, *(",".join(f"{value:.6f}" for value in row) for row in rows)]
    Path(path).write_text("\n".join(lines) + "\n", encoding="utf-8", newline="\n")
