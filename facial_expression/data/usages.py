"""Which part of a data set a face belongs to: what parts are called, and faces drawn for a part that is missing."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from facial_expression.data.face_table import USAGES

_TRAINING, _VALIDATION, _TEST = USAGES
_NAMES = {
    **dict.fromkeys(("training", "train", "train_set"), _TRAINING),
    **dict.fromkeys(("publictest", "validation", "valid", "val", "valid_set", "val_set", "dev"), _VALIDATION),
    **dict.fromkeys(("privatetest", "testing", "test", "test_set"), _TEST),
}


def usage_of(name: str) -> str | None:
    """``Training``, ``PublicTest`` (validation) or ``PrivateTest`` (test) by any of their usual names, else None."""
    return _NAMES.get(name.casefold())


def draw_missing_usages(
    faces: pd.DataFrame, validation_share: float, test_share: float, seed: int
) -> tuple[pd.Series, list[str]]:
    """The usage of each face, where validation and test faces are drawn from training if the data has none.

    The draw is stratified: the share counts for each class, at least one face of a class that has three. One stays for
    training. Each class is drawn on its own, so that more faces of one class change nothing about the others.

    Args:
        faces: columns ``emotion`` and ``usage``.
        validation_share: of the training faces of each class, 0 to 1.
        test_share: likewise; both together below 1.
        seed: of the draw.

    Returns:
        The usages, and which of them were drawn.
    """
    usage = faces["usage"].copy()
    shares = {_VALIDATION: validation_share, _TEST: test_share}
    drawn = [name for name in shares if not (usage == name).any()]
    for emotion, members in usage[usage == _TRAINING].groupby(faces["emotion"]):
        order = members.index[np.random.default_rng([seed, *str(emotion).encode()]).permutation(len(members))]
        for later, name in zip(reversed(range(len(drawn))), drawn, strict=True):
            most = len(order) - 1 - later  # leave a face for training and for each part that is drawn later
            count = min(most, max(1, round(shares[name] * len(members)))) if len(members) >= len(USAGES) else 0
            usage[order[:count]] = name
            order = order[count:]
    return usage, drawn


def count_by_usage(faces: pd.DataFrame, classes: Sequence[str]) -> pd.DataFrame:
    """Number of faces of each class (row) and usage (column), zeros included."""
    counts = pd.crosstab(faces["emotion"], faces["usage"])
    return counts.reindex(index=list(classes), columns=list(USAGES), fill_value=0)
