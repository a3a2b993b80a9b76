"""The face table: the format in which faces pass from stage to stage.

A face table is a directory with

``images.npy``
    uint8, shape (N, size, size), gray levels 0 to 255; can be memory-mapped.
``faces.csv``
    one row per image in the same order; stages add columns and rename none. The first three are ``row`` (0-based row of
    the source CSV), ``emotion`` (the name of a class) and ``usage``.
``classes.json`` (unless the classes are those of :mod:`facial_expression.emotions`)
    names of all classes in the order of every class axis.
``landmarks.npy`` (after alignment)
    float32, shape (N, 68, 2), x and y in pixels of the source picture.

The bytes depend on the content alone: no dates, fixed float formatting, Unix line ends.
"""

from collections.abc import Collection
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal
from zipfile import BadZipFile

import numpy as np
import pandas as pd

from facial_expression.emotions import NAMES
from facial_expression.errors import UserError
from facial_expression.files import atomic_write, name_in_errors, read_json, write_json

USAGES = ("Training", "PublicTest", "PrivateTest")
LEFT_OUT = "none"
"""Value of a protocol's column for a face that the protocol leaves out."""

_IMAGES, _FACES, _LANDMARKS, _CLASSES = "images.npy", "faces.csv", "landmarks.npy", "classes.json"
_TEXT = {"emotion": str, "file": str}  # a class named "true" must not become a truth value


@dataclass(frozen=True)
class LabeledImages:
    """Images to train or to evaluate a network on.

    Attributes:
        images: uint8, shape (N, size, size).
        labels: int64, shape (N,): indices into the tuple of classes.
        rows: int64, shape (N,): rows of the source CSV.
    """

    images: np.ndarray
    labels: np.ndarray
    rows: np.ndarray


@dataclass(frozen=True)
class FaceTable:
    """Faces in memory.

    Attributes:
        images: uint8, shape (N, size, size).
        faces: N rows, with at least the columns ``row``, ``emotion`` and ``usage``.
        landmarks: float32, shape (N, 68, 2), or None before alignment.
        all_classes: names of the classes in the order of every class axis, whether they occur or not.

    Raises:
        ValueError: the parts do not belong together; the message names the part.
    """

    images: np.ndarray
    faces: pd.DataFrame
    landmarks: np.ndarray | None = None
    all_classes: tuple[str, ...] = NAMES

    def __post_init__(self) -> None:
        count = len(self.faces)
        if self.images.dtype != np.uint8 or self.images.ndim != 3 or len(self.images) != count:
            raise ValueError(
                f"images must be uint8 of shape ({count}, size, size), one per row of faces; "
                f"they are {self.images.dtype} of shape {self.images.shape}"
            )
        if self.landmarks is not None and self.landmarks.shape != (count, 68, 2):
            raise ValueError(f"landmarks must have shape ({count}, 68, 2), they have {self.landmarks.shape}")
        missing = [column for column in ("row", "emotion", "usage") if column not in self.faces]
        if missing:
            raise ValueError(f"faces lacks the column {missing[0]!r}")
        for column, allowed in (("emotion", self.all_classes), ("usage", USAGES)):
            unknown = sorted(set(self.faces[column].unique()) - set(allowed))
            if unknown:
                raise ValueError(f"faces has an unknown {column} {unknown[0]!r}: allowed are {', '.join(allowed)}")

    def __len__(self) -> int:
        return len(self.faces)

    @property
    def classes(self) -> tuple[str, ...]:
        """Names of the classes that occur, in order."""
        occurring = set(self.faces["emotion"])
        return tuple(name for name in self.all_classes if name in occurring)

    def select(self, mask: np.ndarray) -> "FaceTable":
        """The faces where ``mask`` (bool, shape (N,)) is true, as a new table."""
        landmarks = None if self.landmarks is None else self.landmarks[mask]
        faces = self.faces[mask].reset_index(drop=True)
        return replace(self, images=self.images[mask], faces=faces, landmarks=landmarks)

    def with_images_of(self, other: "FaceTable") -> "FaceTable":
        """The same faces with the images of another table, such as one with other crops.

        Raises:
            UserError: ``other`` lacks a row of this table.
        """
        rows = self.faces["row"]
        indices = pd.Index(other.faces["row"]).get_indexer(rows)
        if (indices < 0).any():
            raise UserError(f"row {rows[indices < 0].iloc[0]} has no image in the other face table: run `dvc repro`")
        return replace(self, images=other.images[indices])

    def of_protocol(self, protocol: str) -> "FaceTable":
        """The faces that ``protocol`` uses; their classes are those that its networks learn."""
        return self.select((self.faces[protocol] != LEFT_OUT).to_numpy())

    def drop_classes(self, emotions: Collection[str]) -> "FaceTable":
        """The faces of all other emotions."""
        return self.select(~self.faces["emotion"].isin(emotions).to_numpy())

    def subset(self, protocol: str, part: str) -> LabeledImages:
        """The training, validation or test faces of a protocol."""
        mask = (self.faces[protocol] == part).to_numpy()
        labels = self.faces.loc[mask, "emotion"].map(self.classes.index).to_numpy(np.int64)
        return LabeledImages(np.ascontiguousarray(self.images[mask]), labels, self.faces.loc[mask, "row"].to_numpy())


def write_face_table(directory: str | Path, table: FaceTable) -> None:
    """Write ``table`` as the directory ``directory``, replacing it once everything is on disk."""
    with atomic_write(directory) as temporary:
        temporary.mkdir()
        np.save(temporary / _IMAGES, np.ascontiguousarray(table.images))
        table.faces.to_csv(temporary / _FACES, index=False, float_format="%.4f", lineterminator="\n")
        if table.landmarks is not None:
            np.save(temporary / _LANDMARKS, np.ascontiguousarray(table.landmarks, dtype=np.float32))
        if table.all_classes != NAMES:
            write_json(temporary / _CLASSES, table.all_classes)


def read_face_table(directory: str | Path, memory_map: bool = False) -> FaceTable:
    """Read and validate the face table in ``directory``.

    Args:
        directory: a directory that :func:`write_face_table` wrote.
        memory_map: leave images and landmarks on disk and read them on access.

    Raises:
        UserError: a file is missing or damaged, or the files do not belong together.
        OSError: the disk fails.
    """
    directory = Path(directory)
    for part in (_IMAGES, _FACES):
        if not (directory / part).is_file():
            raise UserError(f"{directory / part} is missing: run `dvc repro` to create this face table")
    mode: Literal["r"] | None = "r" if memory_map else None
    try:
        landmarks, classes = directory / _LANDMARKS, directory / _CLASSES
        with name_in_errors(directory):
            return FaceTable(
                np.load(directory / _IMAGES, mmap_mode=mode),
                pd.read_csv(directory / _FACES, keep_default_na=False, na_values={"duplicate_of": [""]}, dtype=_TEXT),
                np.load(landmarks, mmap_mode=mode) if landmarks.exists() else None,
                tuple(read_json(classes, "dvc repro")) if classes.exists() else NAMES,
            )
    except (ValueError, EOFError, BadZipFile) as error:  # what numpy raises for a damaged or an empty file
        raise UserError(f"{directory} is not a face table: {error}") from error
