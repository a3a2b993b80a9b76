"""Corruptions of faces at five strengths, for measuring robustness.

The kinds follow Hendrycks & Dietterich 2019, "Benchmarking Neural Network Robustness to Common Corruptions and
Perturbations", chosen for what happens to faces in photos; the strengths are made for small gray pictures.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import cv2
import numpy as np
import pandas as pd
from tqdm import tqdm

from facial_expression.analysis.intervals import wilson
from facial_expression.data.face_table import LabeledImages

_Change = Callable[[np.ndarray, float, np.random.Generator], np.ndarray]


@dataclass(frozen=True)
class Corruption:
    """One kind of damage.

    Attributes:
        unit: what a strength means.
        strengths: five, from weak to strong.
        change: takes one face (uint8, shape (size, size)), a strength and a generator, and returns the damaged face.
    """

    unit: str
    strengths: tuple[float, float, float, float, float]
    change: _Change

    def apply(self, images: np.ndarray, strength: float, seed: int) -> np.ndarray:
        """Damage faces.

        Args:
            images: uint8, shape (N, size, size).
            strength: one of ``strengths``.
            seed: of what is random: noise, places and directions.

        Returns:
            uint8, shaped like ``images``.
        """
        generator = np.random.default_rng(seed)
        return np.stack([self.change(image, strength, generator) for image in images])


def _blur(image: np.ndarray, sigma: float, _: np.random.Generator) -> np.ndarray:
    return cv2.GaussianBlur(image, (0, 0), sigma, borderType=cv2.BORDER_REPLICATE)


def _noise(image: np.ndarray, deviation: float, generator: np.random.Generator) -> np.ndarray:
    return _gray(image + generator.normal(0, deviation, image.shape))


def _darken(image: np.ndarray, light: float, generator: np.random.Generator) -> np.ndarray:
    """Less light, and the shot noise that grows with it: a full white pixel counts 255 photons times ``light``."""
    return _gray(generator.poisson(image * light))


def _rotate(image: np.ndarray, degrees: float, generator: np.random.Generator) -> np.ndarray:
    center = (image.shape[1] - 1) / 2, (image.shape[0] - 1) / 2
    warp = cv2.getRotationMatrix2D(center, degrees * generator.choice([-1, 1]), 1)
    return cv2.warpAffine(image, warp, image.shape[::-1], flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)


def _cover(image: np.ndarray, share: float, generator: np.random.Generator) -> np.ndarray:
    side = round(share * len(image))
    top, left = generator.integers(0, len(image) - side + 1, size=2)
    covered = image.copy()
    covered[top : top + side, left : left + side] = 128
    return covered


def _compress(image: np.ndarray, quality: float, _: np.random.Generator) -> np.ndarray:
    encoded = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, int(quality)])[1]
    return np.asarray(cv2.imdecode(encoded, cv2.IMREAD_GRAYSCALE))


def _shrink(image: np.ndarray, share: float, _: np.random.Generator) -> np.ndarray:
    side = max(1, round(share * len(image)))
    small = cv2.resize(image, (side, side), interpolation=cv2.INTER_AREA)
    return cv2.resize(small, image.shape[::-1], interpolation=cv2.INTER_LINEAR)


def _gray(values: np.ndarray) -> np.ndarray:
    return np.clip(np.rint(values), 0, 255).astype(np.uint8)


CORRUPTIONS: Mapping[str, Corruption] = {
    "blur": Corruption("standard deviation in pixels", (0.5, 1, 1.5, 2, 3), _blur),
    "noise": Corruption("standard deviation in gray levels", (5, 10, 20, 30, 45), _noise),
    "low light": Corruption("share of the light that is left", (0.6, 0.4, 0.2, 0.1, 0.05), _darken),
    "rotation": Corruption("degrees to either side", (5, 10, 20, 30, 45), _rotate),
    "occlusion": Corruption("side of a gray square, share of the face", (0.15, 0.25, 0.35, 0.45, 0.55), _cover),
    "JPEG": Corruption("quality", (50, 30, 20, 10, 5), _compress),
    "down-scaling": Corruption("side, share of the face", (0.75, 0.5, 0.375, 0.25, 0.17), _shrink),
}


def measure_robustness(
    predict: Callable[[np.ndarray], np.ndarray], faces: LabeledImages, seed: int, progress: bool = True
) -> pd.DataFrame:
    """Accuracy on faces as they are, and under every corruption at every strength.

    Args:
        predict: maps faces (uint8, shape (N, size, size)) to probabilities, shape (N, classes).
        faces: to damage.
        seed: of noise, places and directions, the same for every strength.
        progress: show a progress bar.

    Returns:
        The columns ``corruption`` (``none`` in the first row), ``unit``, ``strength``, ``accuracy``, ``low``, ``high``
        (its 95% interval) and ``n``.
    """
    steps = [("none", "", 0.0)]
    steps += [(kind, one.unit, strength) for kind, one in CORRUPTIONS.items() for strength in one.strengths]
    rows = []
    for kind, unit, strength in tqdm(steps, desc="robustness", unit="damage", disable=not progress):
        images = CORRUPTIONS[kind].apply(faces.images, strength, seed) if unit else faces.images
        correct = int((predict(images).argmax(axis=1) == faces.labels).sum())
        rows.append({"corruption": kind, "unit": unit, "strength": strength, **(wilson(correct, len(images)) or {})})
    return pd.DataFrame(rows).rename(columns={"value": "accuracy"})
