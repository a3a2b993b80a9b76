"""The views of a face whose predictions are averaged at test time, in evaluation and in serving alike."""

import numpy as np


def make_views(images: np.ndarray, views: int) -> list[np.ndarray]:
    """The faces themselves and, as the second view, their mirror images.

    Args:
        images: uint8, shape (N, size, size).
        views: 1 or 2.

    Returns:
        One array per view, shaped like ``images``.

    Raises:
        ValueError: ``views`` is neither 1 nor 2.
    """
    if views not in (1, 2):
        raise ValueError(f"views must be 1 or 2, not {views}")
    return [images, images[:, :, ::-1]][:views]
