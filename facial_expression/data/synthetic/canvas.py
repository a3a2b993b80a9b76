"""The canvas: its coordinates, and the few ways to put gray on it.

A layer is a float32 array of shape (SIDE, SIDE), black 0 to white 1, drawn at three times the picture's resolution. It
reaches beyond the picture, which the head needs room around when it turns or is seen from farther away.
Lengths and places are in *face units*: half the width of an average face. The origin is the bridge of the nose, on the
line through the eyes; x grows to the right of the picture, y downwards.
"""

import cv2
import numpy as np
from numpy.typing import ArrayLike

PICTURE_SIDE = 48
SUPERSAMPLING = 3
MARGIN = 12 * SUPERSAMPLING
"""Width of the canvas around the picture in pixels of the canvas."""
SIDE = PICTURE_SIDE * SUPERSAMPLING + 2 * MARGIN
FACE_UNIT = 17.6 * SUPERSAMPLING
"""Length of one face unit in pixels of the canvas."""
ORIGIN = np.array([24.0, 19.0]) * SUPERSAMPLING + MARGIN
"""The origin in pixels of the canvas."""

X = (np.arange(SIDE) - ORIGIN[0]) / FACE_UNIT
"""x of every column, shape (SIDE,)."""
Y = (np.arange(SIDE) - ORIGIN[1]) / FACE_UNIT
"""y of every row, shape (SIDE,)."""

_FRACTION_BITS = 4  # OpenCV draws at sixteenths of a pixel


def points(x: ArrayLike, y: ArrayLike) -> np.ndarray:
    """Points of shape (N, 2) from their coordinates; a number stands for N equal ones."""
    return np.stack(np.broadcast_arrays(x, y), axis=1)


def ellipse(center: tuple[float, float], radii: tuple[float, float], squareness: float = 2.0) -> np.ndarray:
    """Outline of a superellipse (Lamé curve), shape (24, 2): squareness 2 is an ellipse, more is closer to a box."""
    angle = np.linspace(0, 2 * np.pi, 24)
    cosine, sine = (np.sign(part) * np.abs(part) ** (2 / squareness) for part in (np.cos(angle), np.sin(angle)))
    return points(center[0] + radii[0] * cosine, center[1] + radii[1] * sine)


def fill(layer: np.ndarray, outline: ArrayLike, gray: float) -> None:
    """Fill a polygon given by its corners, shape (N, 2)."""
    cv2.fillPoly(layer, [_fixed_point(outline)], float(gray), cv2.LINE_8, _FRACTION_BITS)


def fill_between(layer: np.ndarray, x: ArrayLike, upper: ArrayLike, lower: ArrayLike, gray: float) -> None:
    """Fill what lies between two curves over the same x, each of shape (N,)."""
    fill(layer, np.concatenate([points(x, upper), points(x, lower)[::-1]]), gray)


def stroke(layer: np.ndarray, line: ArrayLike, gray: float, width: float) -> None:
    """Draw a line through points of shape (N, 2), at least one pixel wide."""
    pixels = max(1, round(width * FACE_UNIT))
    cv2.polylines(layer, [_fixed_point(line)], False, float(gray), pixels, cv2.LINE_8, _FRACTION_BITS)


def blur(layer: np.ndarray, width: float) -> np.ndarray:
    """The layer under a Gaussian blur of this standard deviation."""
    return cv2.GaussianBlur(layer, (0, 0), width * FACE_UNIT)


def clouds(generator: np.random.Generator, cells: tuple[int, int], amplitude: float) -> np.ndarray:
    """A layer of smooth noise around 0, from (columns, rows) of random values."""
    columns, rows = cells
    coarse = generator.normal(0, amplitude, (rows, columns)).astype(np.float32)
    return cv2.resize(coarse, (SIDE, SIDE), interpolation=cv2.INTER_CUBIC)


def over(below: np.ndarray, above: np.ndarray, opacity: np.ndarray) -> np.ndarray:
    """One layer laid over another; opacity is a layer of 0 (see through) to 1."""
    return below + opacity * (above - below)


def _fixed_point(places: ArrayLike) -> np.ndarray:
    pixels = np.asarray(places) * FACE_UNIT + ORIGIN
    return np.round(pixels * 2**_FRACTION_BITS).astype(np.int32)
