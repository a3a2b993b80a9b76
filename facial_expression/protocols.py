"""Who is training, validation and test under each protocol, and which pictures stand in the data more than once.

``published``
    how the study was evaluated: faces of the classes that are dropped and faces that the detector's first pass does not
    find are left out, and the rest is split at random into training, validation and test, stratified by emotion,
    whatever ``usage`` says.
``official``
    FER2013's own split: Training, PublicTest (validation) and PrivateTest (test), every face of every class kept, but
    training rows whose picture also stands in PublicTest or PrivateTest are left out.
"""

import hashlib
from dataclasses import dataclass

import numpy as np
import pandas as pd
from sklearn.model_selection import train_test_split

from facial_expression.emotions import NAMES
from facial_expression.facetable import LEFT_OUT, FaceTable
from facial_expression.params import FilterClasses

PROTOCOLS = ("published", "official")
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
    digests = (hashlib.sha256(np.ascontiguousarray(picture)).digest() for picture in decoded.images)
    first = [first_rows.setdefault(digest, row) for row, digest in zip(rows, digests, strict=True)]
    labels = decoded.faces["emotion"].groupby(np.array(first))
    sizes, distinct = labels.size(), labels.nunique()
    repeated = sizes[sizes > 1]
    return Duplicates(pd.Series(first, index=rows), len(repeated), int(repeated.sum()), int((distinct > 1).sum()))


def assign_parts(aligned: FaceTable, duplicates: Duplicates, settings: FilterClasses) -> FaceTable:
    """All faces, with their part under each protocol.

    Adds the columns ``duplicate_of`` (row of the first identical picture, empty for the first itself), ``published``
    and ``official`` (``training``, ``validation``, ``test`` or ``none``).

    Raises:
        ValueError: a part is empty or a class has too few faces for the random split.
    """
    faces = aligned.faces.copy()
    pictures = faces["row"].map(duplicates.first)
    faces["duplicate_of"] = pictures.astype("Int64").mask(pictures == faces["row"])
    faces["official"] = official_split(faces["usage"], pictures)
    kept = faces[~faces["emotion"].isin(settings.drop)]
    shares = settings.training_share, settings.validation_share
    split = published_split(kept["emotion"], kept["detector_pass"] == 1, *shares, settings.seed)
    faces["published"] = split.reindex(faces.index, fill_value=LEFT_OUT)
    for protocol in PROTOCOLS:
        _require_every_part(faces[protocol])
    return FaceTable(aligned.images, faces, aligned.landmarks)


def official_split(usage: pd.Series, pictures: pd.Series) -> pd.Series:
    """The part of each face under the official protocol.

    Args:
        usage: ``Training``, ``PublicTest`` or ``PrivateTest``.
        pictures: a key per face that is the same for identical pictures.

    Returns:
        ``training``, ``validation``, ``test`` or ``none`` (a training picture that also stands in another part).
    """
    part = usage.map(_OFFICIAL_PARTS)
    leaks = (part == "training") & pictures.isin(pictures[part != "training"])
    return part.mask(leaks, LEFT_OUT)


def published_split(
    emotions: pd.Series, found: pd.Series, training_share: float, validation_share: float, seed: int
) -> pd.Series:
    """The part of each face under the published protocol: a stratified random split of the faces that were found.

    Args:
        emotions: labels to stratify by.
        found: bool, whether the detector's first pass found the face.
        training_share: fraction of the found faces for training.
        validation_share: likewise for validation; the rest is the test part.
        seed: of the split.

    Returns:
        ``training``, ``validation``, ``test`` or ``none`` (not found).

    Raises:
        ValueError: a class has too few faces to stand in every part.
    """
    part = pd.Series(LEFT_OUT, index=emotions.index)
    kept = emotions[found]
    counts = kept.value_counts().reindex(emotions.unique(), fill_value=0)
    too_few = (
        f"only {counts.min()} faces of {counts.idxmin()!r} were found, too few to stand in training, validation and "
        "test: drop that class, use more data or choose more even shares"
    )
    try:
        training, rest = train_test_split(kept.index, train_size=training_share, stratify=kept, random_state=seed)
        in_validation = round(validation_share * len(kept))
        validation, test = train_test_split(rest, train_size=in_validation, stratify=kept[rest], random_state=seed)
    except ValueError as error:
        raise ValueError(too_few) from error
    for name, index in zip(PARTS, (training, validation, test), strict=True):
        if emotions[index].nunique() < len(counts):
            raise ValueError(too_few)
        part[index] = name
    return part


def leaked_rows(part: pd.Series, pictures: pd.Series) -> dict[str, int]:
    """How many faces of the validation and the test part show a picture that also stands in training."""
    in_training = pictures.isin(pictures[part == "training"])
    return {name: int((in_training & (part == name)).sum()) for name in ("validation", "test")}


def count_by_emotion(emotions: pd.Series) -> dict[str, int]:
    """Number of faces per emotion that occurs, in the project's order."""
    counts = emotions.value_counts()
    return {name: int(counts[name]) for name in NAMES if name in counts}


def summarise(decoded: FaceTable, aligned: FaceTable, filtered: FaceTable, duplicates: Duplicates) -> dict:
    """The content of ``reports/dataset.json``: counts of pictures, found faces, duplicates, leaks and parts.

    Args:
        decoded: all pictures.
        aligned: all aligned faces.
        filtered: what :func:`assign_parts` made of them.
        duplicates: of the decoded pictures.
    """
    emotions, first_pass = aligned.faces["emotion"], aligned.faces["detector_pass"] == 1
    faces = filtered.faces
    pictures = faces["row"].map(duplicates.first)
    as_distributed = decoded.faces["usage"].map(_OFFICIAL_PARTS)
    return {
        "images": len(decoded),
        "detected": int(aligned.faces["detected"].sum()),
        "detected_by_emotion": count_by_emotion(emotions[aligned.faces["detected"]]),
        "detected_first_pass": int(first_pass.sum()),
        "detected_first_pass_by_emotion": count_by_emotion(emotions[first_pass]),
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
        raise ValueError(
            f"the {part.name} protocol leaves no face for {empty[0]}: the data must hold faces of the usages "
            "Training, PublicTest and PrivateTest"
        )
