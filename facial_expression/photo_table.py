"""From pictures of any size to a face table: the faces cut out as in FER2013's pictures, in parallel."""

import hashlib
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
import pandas as pd
from tqdm import tqdm

from facial_expression.data.face_table import FaceTable
from facial_expression.data.labels import LabelError, Labels
from facial_expression.errors import UserError
from facial_expression.faces.detection import DetectionPass, FaceDetector
from facial_expression.images import ALL_FORMATS, MAX_PIXELS, ImageError, decode_picture
from facial_expression.parallel import run_parallel
from facial_expression.photo_faces import (
    FACE_SIDE,
    PICTURE_SIDE,
    TRAINING_SIDE,
    Box,
    FaceSearch,
    reduce_picture,
    turn_picture,
)

DETECTION_SIDE = 1024
"""Longer side, in pixels, of the copy of a picture that is searched for faces."""

_FACE_CENTER = (0.48, 0.55)  # of a face's box in FER2013's pictures on average, in fractions of their side
_BATCH = 16  # pictures per task of a worker process
_SHOWN = 20  # of the files that cannot be read


class CutFaces(NamedTuple):
    """The result of :func:`cut_faces`.

    Attributes:
        table: the faces, with the further column ``file``.
        faceless: files in which no face was found.
    """

    table: FaceTable
    faceless: list[str]


def cut_faces(
    pictures: pd.DataFrame,
    root: str | Path,
    labels: Labels,
    passes: Sequence[DetectionPass] | None,
    size: int,
    missing: str = "drop",
    workers: int = -1,
    scheduler: str | None = None,
    progress: bool = True,
) -> CutFaces:
    """Cut the largest face out of every picture, as large in its square as faces in FER2013's pictures are.

    Pictures of at most ``TRAINING_SIDE`` pixels are taken for faces that are cut out already.

    Args:
        pictures: see :mod:`facial_expression.data.folder`.
        root: the folder of the files.
        labels: the class of each label; pictures whose label has none are left out.
        passes: how to search for faces (:class:`facial_expression.photo_faces.FaceSearch`), or None to take all
            pictures as they are; of a picture that is not square, the square in its middle.
        size: side of the result in pixels.
        missing: ``drop`` or ``whole``: a picture without a face is left out, or taken as it is.
        workers, scheduler: see :func:`facial_expression.parallel.run_parallel`; they do not change the result. The
            workers of a scheduler must find the files under the same paths.
        progress: show a progress bar.

    Raises:
        LabelError: a label means no class; the message names the file.
        UserError: files cannot be read, which the message lists, or no face is left.
    """
    classes = _classes_of(pictures, labels)
    kept = pictures[classes.notna()]
    files = [(str(Path(root, file)), md5) for file, md5 in zip(kept["file"], kept["md5"], strict=True)]
    batches = [files[start : start + _BATCH] for start in range(0, len(files), _BATCH)]
    cut = partial(_cut_batch, None if passes is None else tuple(passes), size)
    cuts: list[_Cut] = []
    with tqdm(total=len(files), desc="decode", unit="picture", disable=not progress) as bar:
        for result in run_parallel(cut, batches, workers, scheduler):
            cuts += result
            bar.update(len(result))
    _require_readable([(file, cut) for file, cut in zip(kept["file"], cuts, strict=True) if isinstance(cut, str)])
    return _collect(kept, classes[kept.index], [cut for cut in cuts if not isinstance(cut, str)], labels, missing)


class _UnreadableError(ValueError):
    """A file cannot be read; the message says why."""


class _Face(NamedTuple):
    image: np.ndarray
    is_found: bool


_Cut = _Face | str
"""A face, or why the file cannot be read."""


def _collect(kept: pd.DataFrame, classes: pd.Series, cuts: list[_Face], labels: Labels, missing: str) -> CutFaces:
    found = np.array([cut.is_found for cut in cuts], bool)
    faces = pd.DataFrame({"row": kept.index, "emotion": classes, "usage": kept["usage"], "file": kept["file"]})
    chosen = found | (missing == "whole")
    if not chosen.any():
        raise UserError(
            "no face was found in any picture: set decode.faces to whole if the pictures are faces that are cut out "
            "already, or decode.missing to whole to keep them"
        )
    images = np.stack([cut.image for cut in cuts])[chosen]
    table = FaceTable(images, faces[chosen].reset_index(drop=True), all_classes=labels.classes)
    return CutFaces(table, kept["file"][~found].tolist())


def _classes_of(pictures: pd.DataFrame, labels: Labels) -> pd.Series:
    classes = {}
    for label, file in pictures.drop_duplicates("label")[["label", "file"]].itertuples(index=False):
        try:
            classes[label] = labels.class_of(label)
        except LabelError as error:
            raise LabelError(f"{file}: {error}") from error
    return pictures["label"].map(classes)


def _require_readable(faults: list[tuple[str, str]]) -> None:
    if faults:
        lines = [f"  {file}: {reason}" for file, reason in faults[:_SHOWN]]
        more = [f"  and {len(faults) - _SHOWN:,} more"] if len(faults) > _SHOWN else []
        files = "1 file" if len(faults) == 1 else f"{len(faults):,} files"
        raise UserError("\n".join([f"{files} cannot be read; repair, replace or remove:", *lines, *more]))


# One search per worker process: loading the landmark model takes about a second.
_searches: dict[tuple[DetectionPass, ...], FaceSearch] = {}


def _cut_batch(passes: tuple[DetectionPass, ...] | None, size: int, files: list[tuple[str, str]]) -> list[_Cut]:
    cv2.setNumThreads(1)
    if passes is not None and passes not in _searches:
        _searches[passes] = FaceSearch(FaceDetector(passes), DETECTION_SIDE)
    cuts: list[_Cut] = []
    for path, md5 in files:
        try:
            cuts.append(_cut(_read_picture(path, md5), None if passes is None else _searches[passes], size))
        except _UnreadableError as error:
            cuts.append(str(error))
    return cuts


def _read_picture(path: str, md5: str) -> np.ndarray:
    """Read a picture, upright, as gray levels: uint8, shape (height, width).

    Raises:
        _UnreadableError: the file is missing, not a picture, damaged, or no longer that of ``md5``.
    """
    try:
        data = Path(path).read_bytes()
    except OSError as error:
        raise _UnreadableError(error.strerror) from error
    if hashlib.md5(data, usedforsecurity=False).hexdigest() != md5:
        raise _UnreadableError("it changed since the stage download: run `python -m stages.download --check`")
    try:
        return decode_picture(data, MAX_PIXELS, ALL_FORMATS).gray
    except ImageError as error:
        raise _UnreadableError(str(error)) from error


def _cut(picture: np.ndarray, search: FaceSearch | None, size: int) -> _Face:
    if search is None or max(picture.shape) <= TRAINING_SIDE:
        return _Face(_take_middle(picture, size), True)
    turn, faces = search.find(picture)
    if not faces:
        return _Face(_take_middle(picture, size), False)
    largest = max(faces, key=lambda face: face.box[2] * face.box[3])
    return _Face(_cut_out(turn_picture(picture, turn), largest.box, size), True)


def _take_middle(picture: np.ndarray, size: int) -> np.ndarray:
    side = min(picture.shape)
    top, left = ((length - side) // 2 for length in picture.shape)
    return _resize(picture[top : top + side, left : left + side], size)


def _cut_out(picture: np.ndarray, box: Box, size: int) -> np.ndarray:
    """The square around a face in which it lies as in FER2013's pictures; outside the picture, its edge is repeated."""
    left, top, width, height = box
    side = max(1, round(width * PICTURE_SIDE / FACE_SIDE))
    x = round(left + width / 2 - _FACE_CENTER[0] * side)
    y = round(top + height / 2 - _FACE_CENTER[1] * side)
    rows, columns = (
        np.clip(np.arange(start, start + side), 0, length - 1)
        for start, length in zip((y, x), picture.shape, strict=True)
    )
    return _resize(picture[np.ix_(rows, columns)], size)


def _resize(picture: np.ndarray, size: int) -> np.ndarray:
    if len(picture) >= size:
        return reduce_picture(picture, size / len(picture))[0]
    return cv2.resize(picture, (size, size), interpolation=cv2.INTER_CUBIC)
