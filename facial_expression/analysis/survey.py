"""What the data consists of: classes before and after alignment, identical and nearly identical pictures."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from facial_expression.data.face_table import LEFT_OUT

CORRELATION_STEPS = (-1.0, 0.5, 0.7, 0.8, 0.85, 0.9, 0.95, 1.0)
"""Between which the table of candidate pairs counts."""


def class_counts(before: pd.DataFrame, aligned: pd.DataFrame, classes: Sequence[str]) -> dict[str, dict[str, int]]:
    """Faces of each class: all ``before`` alignment, and those ``after`` it that the study's detector pass found.

    Args:
        before: column ``emotion``.
        aligned: columns ``emotion`` and ``detector_pass``; faces that no pass found may be missing.
        classes: in the order of the result.
    """
    after = aligned[aligned["detector_pass"] == 1]
    return {
        moment: {name: int((kept["emotion"] == name).sum()) for name in classes if (before["emotion"] == name).any()}
        for moment, kept in (("before", before), ("after", after))
    }


def count_candidates(pairs: pd.DataFrame) -> dict[str, Any]:
    """Pairs of different pictures by distance of their hashes and correlation of their gray levels.

    Returns:
        ``correlation`` (the steps) and ``pairs`` (distance -> number of pairs between each two steps).
    """
    different = pairs[pairs["correlation"] < 1]
    return {
        "correlation": list(CORRELATION_STEPS),
        "pairs": {
            str(distance): np.histogram(rows["correlation"], CORRELATION_STEPS)[0].tolist()
            for distance, rows in different.groupby("distance")
        },
    }


def leaks(part: pd.Series, groups: pd.Series) -> pd.Series:
    """Whether a face of another part has a picture of its group in training: bool, indexed like ``part``.

    Args:
        part: part of each face under a protocol.
        groups: group of each face, equal for identical or nearly identical pictures.
    """
    in_training = groups.isin(groups[part == "training"])
    return in_training & ~part.isin(["training", LEFT_OUT])


def same_picture(faces: pd.DataFrame) -> pd.Series:
    """A key per face, equal for identical pictures: the row of the first of them.

    Args:
        faces: columns ``row`` and ``duplicate_of``.
    """
    return faces["duplicate_of"].fillna(faces["row"]).astype("int64")


def leak_kinds(part: pd.Series, pictures: pd.Series, near: pd.Series) -> pd.Series:
    """``exact`` where training holds the same picture as a face of another part, ``near`` nearly the same, or ``none``.

    Args:
        part: part of each face under a protocol.
        pictures: a key per face, equal for identical pictures.
        near: a key per face, equal for nearly identical pictures.
    """
    kinds = pd.Series("none", index=part.index)
    return kinds.mask(leaks(part, near), "near").mask(leaks(part, pictures), "exact")
