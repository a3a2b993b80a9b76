"""A subset of faces, for what takes too long on all of them."""

import numpy as np

from facial_expression.data.face_table import LabeledImages


def sample_faces(faces: LabeledImages, count: int, seed: int) -> LabeledImages:
    """Random faces in random order: ``count``, or all if there are fewer."""
    chosen = np.random.default_rng(seed).permutation(len(faces.rows))[:count]
    return LabeledImages(faces.images[chosen], faces.labels[chosen], faces.rows[chosen])
