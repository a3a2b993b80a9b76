"""Occlusion maps: where a network looks.

The method is that of Zeiler & Fergus 2014, "Visualizing and Understanding Convolutional Networks", section 4.2.
"""

from collections.abc import Callable

import numpy as np

from facial_expression.data.face_table import LabeledImages

PATCH = 0.25
"""Side of the gray square, as a share of the face's."""

POSITIONS = 10
"""Places of the square in each direction."""


def occlusion_maps(
    predict: Callable[[np.ndarray], np.ndarray], faces: LabeledImages, classes: int, per_class: int
) -> np.ndarray:
    """How much the probability of the true class drops where a gray square covers the face, averaged over faces.

    Args:
        predict: maps faces (uint8, shape (N, size, size)) to probabilities, shape (N, classes).
        faces: of which the first ``per_class`` of each class are covered.
        classes: number of classes.
        per_class: number of faces.

    Returns:
        float64, shape (classes, POSITIONS, POSITIONS), -1 to 1, from the top left; NaN for a class without faces.
    """
    size = faces.images.shape[1]
    side = round(PATCH * size)
    places = np.rint(np.linspace(0, size - side, POSITIONS)).astype(int)
    maps = np.full((classes, POSITIONS, POSITIONS), np.nan)
    for label in range(classes):
        images = faces.images[faces.labels == label][:per_class]
        if not len(images):
            continue
        covered = np.repeat(images[None], POSITIONS**2, axis=0)
        for number, (top, left) in enumerate((top, left) for top in places for left in places):
            covered[number, :, top : top + side, left : left + side] = 128
        after = predict(covered.reshape(-1, size, size))[:, label].reshape(POSITIONS, POSITIONS, len(images))
        maps[label] = (predict(images)[:, label] - after).mean(axis=-1, dtype=np.float64)
    return maps
