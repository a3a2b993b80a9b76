"""The training faces of a run: all of its protocol, or some of them.

Fewer faces show how a network's accuracy depends on their number. Leaving out the pictures that also stand in another
part shows what such leaks are worth.
"""

from dataclasses import replace

import numpy as np

from facial_expression.data.face_table import LEFT_OUT, FaceTable


def choose_training_faces(
    table: FaceTable, protocol: str, share: float = 1.0, unleaked: bool = False, seed: int = 1
) -> FaceTable:
    """Leave some training faces out of a protocol. The other parts stay as they are.

    Args:
        table: faces with their parts (:func:`facial_expression.data.splits.assign_splits`).
        protocol: ``study`` or ``official``.
        share: fraction of the training faces of each emotion that remain, at least one; above 0, at most 1. With the
            same seed, a smaller share is a part of a larger one.
        unleaked: whether to leave out training faces whose picture, byte for byte, also stands in another part.
        seed: of the random choice.
    """
    faces = table.faces.copy()
    candidates = faces[faces[protocol] == "training"]
    if unleaked:
        pictures = faces["duplicate_of"].fillna(faces["row"])
        elsewhere = pictures[~faces[protocol].isin(["training", LEFT_OUT])]
        candidates = candidates[~pictures[candidates.index].isin(elsewhere)]
    emotions = candidates["emotion"].sample(frac=1, random_state=seed).groupby(candidates["emotion"])
    chosen = emotions.cumcount() < np.ceil(share * emotions.transform("size"))
    left_out = (faces[protocol] == "training") & ~faces.index.isin(chosen.index[chosen])
    faces[protocol] = faces[protocol].mask(left_out, LEFT_OUT)
    return replace(table, faces=faces)
