"""Training, validation and test parts of each protocol, and duplicate pictures.

``study``
    how the study was evaluated: dropped classes and faces that the detector's first pass misses are left out; the rest
    is split at random, stratified by emotion, regardless of ``usage``.
``official``
    FER2013's own split: Training, PublicTest (validation) and PrivateTest (test). Every face of every class is kept,
    except training rows whose picture also occurs in PublicTest or PrivateTest.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from sklearn.model_selection import train_test_split

from facial_expression.data.face_table import LEFT_OUT, FaceTable
from facial_expression.errors import UserError
from facial_expression.params import FilterClasses

PROTOCOLS = ("study", "official")
PARTS = ("training", "validation", "test")

_OFFICIAL_PARTS = {"Training": "training", "PublicTest": "validation", "PrivateTest": "test"}


@dataclass(frozen=True)
class Duplicates:
    """Pictures that occur more than once, byte for byte.

    Attributes:
        first: row of the source CSV -> row of the first picture with the same bytes, its own where it is the first.
        groups: number of groups of two or more identical pictures.
        rows: number of pictures in these groups.
        conflicting_groups: number of groups whose pictures carry different labels.
    """

    first: pd.Series
    groups: int
    rows: int
    conflicting_groups: int


def find_duplicates(decoded: FaceTable) -> Duplicates:
    """Group the identical pictures of a decoded face table."""
    rows = decoded.faces["row"]
    first_rows: dict[bytes, int] = {}
    digests = (hashlib.sha256(picture.tobytes()).digest() for picture in decoded.images)
    first = [first_rows.setdefault(digest, row) for row, digest in zip(rows, digests, strict=True)]
    labels = decoded.faces["emotion"].groupby(np.array(first))
    sizes, distinct = labels.size(), labels.nunique()
    repeated = sizes[sizes > 1]
    return Duplicates(pd.Series(first, index=rows), len(repeated), int(repeated.sum()), int((distinct > 1).sum()))


def assign_splits(aligned: FaceTable, duplicates: Duplicates, settings: FilterClasses) -> FaceTable:
    """Add each face's part under each protocol.

    Adds the columns ``duplicate_of`` (row of the first identical picture, empty for the first itself), ``study`` and
    ``official`` (``training``, ``validation``, ``test`` or ``none``).

    Raises:
        UserError: a part is empty or a class has too few faces for the random split.
    """
    faces = aligned.faces.copy()
    pictures = faces["row"].map(duplicates.first)
    faces["duplicate_of"] = pictures.astype("Int64").mask(pictures == faces["row"])
    faces["official"] = official_split(faces["usage"], pictures)
    kept = faces[~faces["emotion"].isin(settings.drop)]
    shares = settings.training_share, settings.validation_share
    split = study_split(kept["emotion"], kept["detector_pass"] == 1, *shares, settings.seed)
    faces["study"] = split.reindex(faces.index, fill_value=LEFT_OUT)
    for protocol in PROTOCOLS:
        _require_every_part(faces[protocol])
    return replace(aligned, faces=faces)


def official_split(usage: pd.Series, pictures: pd.Series) -> pd.Series:
    """The part of each face under the official protocol.

    Args:
        usage: ``Training``, ``PublicTest`` or ``PrivateTest``.
        pictures: a key per face, equal for identical pictures.

    Returns:
        ``training``, ``validation``, ``test`` or ``none`` (a training picture that also occurs in another part).
    """
    part = usage.map(_OFFICIAL_PARTS)
    leaks = (part == "training") & pictures.isin(pictures[part != "training"])
    return part.mask(leaks, LEFT_OUT)


def study_split(
    emotions: pd.Series, found: pd.Series, training_share: float, validation_share: float, seed: int
) -> pd.Series:
    """The part of each face under the study's protocol: a stratified random split of the detected faces.

    Args:
        emotions: labels to stratify by.
        found: bool, whether the detector's first pass found the face.
        training_share: fraction of the detected faces for training.
        validation_share: fraction for validation; the rest is the test part.
        seed: seed of the split.

    Returns:
        ``training``, ``validation``, ``test`` or ``none`` (not detected).

    Raises:
        UserError: a class has too few faces for every part.
    """
    part = pd.Series(LEFT_OUT, index=emotions.index)
    kept = emotions[found]
    counts = kept.value_counts().reindex(emotions.unique(), fill_value=0)
    too_few = (
        f"only {counts.min()} faces of {counts.idxmin()!r} were detected, too few for a training, a validation and a "
        "test part: drop that class, use more data or choose more even shares"
    )
    try:
        training, rest = train_test_split(kept.index, train_size=training_share, stratify=kept, random_state=seed)
        in_validation = round(validation_share * len(kept))
        validation, test = train_test_split(rest, train_size=in_validation, stratify=kept[rest], random_state=seed)
    except ValueError as error:
        raise UserError(too_few) from error
    for name, index in zip(PARTS, (training, validation, test), strict=True):
        if emotions[index].nunique() < len(counts):
            raise UserError(too_few)
        part[index] = name
    return part


def leaked_rows(part: pd.Series, pictures: pd.Series) -> dict[str, int]:
    """Number of validation and test faces whose picture also occurs in training."""
    in_training = pictures.isin(pictures[part == "training"])
    return {name: int((in_training & (part == name)).sum()) for name in ("validation", "test")}


def count_by_emotion(emotions: pd.Series, classes: Sequence[str]) -> dict[str, int]:
    """Number of faces per emotion that occurs, in the order of the classes."""
    counts = emotions.value_counts()
    return {name: int(counts[name]) for name in classes if name in counts}


def summarize(decoded: FaceTable, aligned: FaceTable, filtered: FaceTable, duplicates: Duplicates) -> dict:
    """The content of ``reports/dataset.json``: counts of pictures, detected faces, duplicates, leaks and parts.

    Args:
        decoded: all pictures.
        aligned: all aligned faces.
        filtered: the result of :func:`assign_splits`.
        duplicates: of the decoded pictures.
    """
    emotions, first_pass = aligned.faces["emotion"], aligned.faces["detector_pass"] == 1
    faces, classes = filtered.faces, decoded.all_classes
    pictures = faces["row"].map(duplicates.first)
    as_distributed = decoded.faces["usage"].map(_OFFICIAL_PARTS)
    return {
        "images": len(decoded),
        "detected": int(aligned.faces["detected"].sum()),
        "detected_by_emotion": count_by_emotion(emotions[aligned.faces["detected"]], classes),
        "detected_first_pass": int(first_pass.sum()),
        "detected_first_pass_by_emotion": count_by_emotion(emotions[first_pass], classes),
        "duplicate_groups": duplicates.groups,
        "duplicate_rows": duplicates.rows,
        "conflicting_groups": duplicates.conflicting_groups,
        "leaked_test_rows": {protocol: leaked_rows(faces[protocol], pictures)["test"] for protocol in PROTOCOLS},
        "leaked_rows_as_distributed": leaked_rows(as_distributed, decoded.faces["row"].map(duplicates.first)),
        "parts": {protocol: {part: int((faces[protocol] == part).sum()) for part in PARTS} for protocol in PROTOCOLS},
    }


def _require_every_part(part: pd.Series) -> None:
    empty = [name for name in PARTS if not (part == name).any()]
    if empty:
        raise UserError(
            f"the {part.name} protocol has no {empty[0]} face: the data must hold faces of the usages Training, "
            "PublicTest and PrivateTest"
        )
