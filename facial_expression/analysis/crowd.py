"""What ten other people say about every face: FER+ (Barsoum et al. 2016, "Training Deep Networks for Facial Expression
Recognition with Crowd-Sourced Label Distribution").

Its file has one row per row of ``fer2013.csv`` and one column per answer. The crowd's label is the answer with the most
votes. There is none where two answers share the first place (``tie``), where "unknown" or "not a face" comes first
(``unknown``), or where contempt does, which FER2013 lacks (``contempt``).
"""

import hashlib
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from facial_expression.analysis.intervals import wilson
from facial_expression.emotions import NAMES
from facial_expression.errors import UserError

ANSWERS = {
    "neutral": "neutral",
    "happiness": "happy",
    "surprise": "surprise",
    "sadness": "sad",
    "anger": "angry",
    "disgust": "disgust",
    "fear": "fear",
    "contempt": "contempt",
    "unknown": "unknown",
    "NF": "unknown",
}
"""Column of the file -> what a majority for it means."""

TIE = "tie"
NO_LABEL = (TIE, "unknown", "contempt")
"""What the crowd says where it names none of FER2013's emotions."""


def read_votes(path: Path, md5: str, usages: pd.Series) -> pd.DataFrame:
    """Read ``fer2013new.csv``: one row per picture, one column per answer.

    Args:
        path: the file.
        md5: its MD5.
        usages: of the pictures that it is about, in the order of their rows.

    Raises:
        UserError: the file is missing, is another one, or is about other pictures.
    """
    if not path.is_file():
        raise UserError(f"{path}, the labels of FER+, is missing: {_WHERE}")
    content = path.read_bytes()
    found = hashlib.md5(content, usedforsecurity=False).hexdigest()
    if found != md5:
        raise UserError(f"{path} has MD5 {found}, and crowd.md5 in params.yaml is {md5}: set it to use this file")
    votes = pd.read_csv(path)
    missing = [name for name in ("Usage", *ANSWERS) if name not in votes]
    if missing:
        raise UserError(f"{path} lacks the column {missing[0]!r}")
    if len(votes) != len(usages):
        raise UserError(f"{path} has {len(votes):,} rows for {len(usages):,} pictures: it is about other data")
    other = np.flatnonzero(votes["Usage"].to_numpy() != usages.to_numpy())
    if len(other):
        raise UserError(f"{path}, row {other[0] + 2}: its usage is not that of the picture: it is about other data")
    return votes[list(ANSWERS)]


def crowd_labels(votes: pd.DataFrame) -> pd.Series:
    """The crowd's label of each row: a name of :data:`facial_expression.emotions.NAMES` or of ``NO_LABEL``."""
    counts = votes.to_numpy()
    highest = counts.max(axis=1)
    meanings = np.array(list(ANSWERS.values()), dtype=object)
    labels = meanings[counts.argmax(axis=1)]
    labels[(counts == highest[:, None]).sum(axis=1) > 1] = TIE
    return pd.Series(labels, index=votes.index)


def describe_agreement(
    votes: pd.DataFrame, labels: pd.Series, emotions: pd.Series, usages: pd.Series
) -> dict[str, Any]:
    """How FER2013's labels agree with the crowd's.

    Args:
        votes: the result of :func:`read_votes`.
        labels: the result of :func:`crowd_labels`.
        emotions: FER2013's labels of the same rows.
        usages: their parts.

    Returns:
        Plain values: ``faces``, ``labeled`` (by the crowd), ``without_label`` (why -> faces), ``agreement`` (fraction
        of the labeled, with interval), ``by_usage``, ``by_emotion`` (FER2013's label -> the same), ``matrix``
        (FER2013's label -> crowd's label -> faces) and ``vote_share`` (mean share of the votes that the winner has).
    """
    labeled = labels.isin(NAMES)
    agrees = (labels == emotions)[labeled]
    shares = votes.max(axis=1) / votes.sum(axis=1)
    pairs = Counter(zip(emotions, labels, strict=True))
    return {
        "faces": len(labels),
        "labeled": int(labeled.sum()),
        "without_label": {why: int((labels == why).sum()) for why in NO_LABEL},
        "agreement": wilson(int(agrees.sum()), len(agrees)),
        "by_usage": {usage: wilson(int(part.sum()), len(part)) for usage, part in agrees.groupby(usages, sort=False)},
        "by_emotion": {
            name: wilson(int(part.sum()), len(part)) for name in NAMES if len(part := agrees[emotions[labeled] == name])
        },
        "matrix": {
            name: {other: pairs[name, other] for other in (*NAMES, *NO_LABEL)}
            for name in NAMES
            if (emotions == name).any()
        },
        "vote_share": round(float(shares[labeled].mean()), 6),
    }


_WHERE = (
    "get fer2013new.csv from github.com/microsoft/FERPlus and set FERPLUS_LABELS to its path, or set crowd.md5 in "
    "params.yaml to null to leave the crowd out"
)


def crowd_indices(faces: pd.DataFrame, different: pd.DataFrame, classes: Sequence[str]) -> np.ndarray:
    """The crowd's labels of faces.

    Args:
        faces: columns ``row`` and ``emotion``.
        different: ``row`` and ``crowd``: the rows for which the crowd says something else than FER2013.
        classes: that count.

    Returns:
        int64, shape (N,): indices into ``classes``, or -1 where the crowd names none of them.
    """
    labels = faces["row"].map(different.set_index("row")["crowd"]).fillna(faces["emotion"])
    return pd.Index(classes).get_indexer(pd.Index(labels))
