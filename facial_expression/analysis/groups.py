"""Groups of faces that a detector and a ruler can tell apart: found or missed, pose, size, brightness.

FER2013 says nothing about age, gender or skin, so no group here is a group of people.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import pandas as pd
from scipy.stats import chi2_contingency

_LEFT_JAW, _RIGHT_JAW, _NOSE = 0, 16, 30
_LEFT_EYE, _RIGHT_EYE = slice(36, 42), slice(42, 48)


@dataclass(frozen=True, eq=False)
class Grouping:
    """One way to group faces.

    Attributes:
        title: what is measured.
        names: of the groups, in order.
        member: int, shape (N,), index of each face's group; -1 for a face that is in none.
    """

    title: str
    names: tuple[str, ...]
    member: np.ndarray


def group_faces(faces: pd.DataFrame, landmarks: np.ndarray, pictures: np.ndarray) -> Mapping[str, Grouping]:
    """Group faces by what detector and landmarks say about them. Faces that the detector misses have no pose or size.

    Args:
        faces: columns ``detected``, ``detector_pass``, ``left``, ``top``, ``width`` and ``height`` (of the face's box,
            in pixels).
        landmarks: float, shape (N, 68, 2), x and y in pixels.
        pictures: uint8, shape (N, size, size), as they are in FER2013.

    Returns:
        ``found``, ``turn``, ``tilt``, ``size`` and ``brightness``.
    """
    detected = faces["detected"].to_numpy(bool)
    eyes = landmarks[:, _RIGHT_EYE].mean(axis=1) - landmarks[:, _LEFT_EYE].mean(axis=1)
    tilt = np.abs(np.degrees(np.arctan2(eyes[:, 1], eyes[:, 0])))
    distance = np.hypot(*eyes.T) / pictures.shape[1]
    return {
        "found": _found(faces),
        "turn": _cut("turn of the head (0 frontal, 1 profile)", turn(landmarks), (0.15, 0.3, 0.5), detected, "{:.2f}"),
        "tilt": _cut("tilt of the head in degrees", tilt, (3, 7, 15), detected, "{:.0f}"),
        "size": _quarters("distance of the eyes (share of the picture)", distance, detected, "{:.2f}"),
        "brightness": _quarters(
            "brightness of the face (mean gray level)", _brightness(faces, pictures), detected, "{:.0f}"
        ),
    }


def difference_of(correct: np.ndarray, member: np.ndarray) -> float:
    """P value of the χ² test that a model is right equally often in all groups; 1 where nothing can differ.

    Args:
        correct: bool, shape (N,).
        member: of a :class:`Grouping`.
    """
    counts = pd.crosstab(member[member >= 0], correct[member >= 0]).to_numpy()
    return float(chi2_contingency(counts, correction=False).pvalue) if min(counts.shape) > 1 else 1.0


def turn(landmarks: np.ndarray) -> np.ndarray:
    """How far heads are turned sideways, 0 (frontal) to 1 (profile): where the nose lies between the ends of the jaw.

    Args:
        landmarks: float, shape (N, 68, 2).
    """
    to_left = np.hypot(*(landmarks[:, _NOSE] - landmarks[:, _LEFT_JAW]).T)
    to_right = np.hypot(*(landmarks[:, _RIGHT_JAW] - landmarks[:, _NOSE]).T)
    return np.abs(to_right - to_left) / np.maximum(to_right + to_left, 1e-6)


def _found(faces: pd.DataFrame) -> Grouping:
    passes = faces["detector_pass"].to_numpy()
    member = np.where(~faces["detected"].to_numpy(bool), 2, np.where(passes == 1, 0, 1))
    return Grouping("detector", ("found in the first pass", "found in a later pass", "missed"), member)


def _brightness(faces: pd.DataFrame, pictures: np.ndarray) -> np.ndarray:
    size = pictures.shape[1]
    boxes = faces[["left", "top", "width", "height"]].fillna(0).to_numpy()
    means = np.zeros(len(pictures))
    for number, (picture, (left, top, width, height)) in enumerate(zip(pictures, boxes, strict=True)):
        x, y = (int(np.clip(edge, 0, size - 1)) for edge in (left, top))
        means[number] = picture[y : max(y + 1, int(top + height)), x : max(x + 1, int(left + width))].mean()
    return means


def _quarters(title: str, values: np.ndarray, chosen: np.ndarray, form: str) -> Grouping:
    edges = tuple(np.quantile(values[chosen], [0.25, 0.5, 0.75])) if chosen.any() else ()
    return _cut(title, values, edges, chosen, form)


def _cut(title: str, values: np.ndarray, edges: tuple[float, ...], chosen: np.ndarray, form: str) -> Grouping:
    """Group the chosen faces between edges."""
    shown = [form.format(edge) for edge in edges]
    between = [f"{low} to {high}" for low, high in pairwise(shown)]
    names = [f"below {shown[0]}", *between, f"from {shown[-1]}"] if shown else ["all"]
    return Grouping(title, tuple(names), np.where(chosen, np.digitize(values, edges), -1))
