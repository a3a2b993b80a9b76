"""Detect, align and center all faces of a face table, in parallel."""

from collections.abc import Iterable
from dataclasses import replace
from functools import partial

import cv2
import numpy as np
import pandas as pd
from tqdm import tqdm

from facial_expression.data.face_table import FaceTable
from facial_expression.errors import UserError
from facial_expression.faces.crops import Aligner, Centerer, average_landmarks
from facial_expression.faces.detection import DetectionPass, Face, FaceDetector
from facial_expression.parallel import run_parallel

_BATCH = 128  # pictures per task of a worker process


def detect_faces(
    pictures: np.ndarray,
    passes: Iterable[DetectionPass],
    landmark_enlargement: int,
    workers: int = -1,
    scheduler: str | None = None,
    progress: bool = True,
) -> list[Face | None]:
    """The best-scored face of every picture, or None, in the order of the pictures.

    Args:
        pictures: uint8, shape (N, size, size).
        passes: see :class:`facial_expression.faces.detection.FaceDetector`.
        landmark_enlargement: likewise.
        workers, scheduler: see :func:`facial_expression.parallel.run_parallel`; they do not change the result.
        progress: show a progress bar.
    """
    detect = partial(_detect_batch, tuple(passes), landmark_enlargement)
    batches = (np.asarray(pictures[start : start + _BATCH]) for start in range(0, len(pictures), _BATCH))
    faces: list[Face | None] = []
    with tqdm(total=len(pictures), desc="detect", unit="picture", disable=not progress) as bar:
        for result in run_parallel(detect, batches, workers, scheduler):
            faces += result
            bar.update(len(result))
    return faces


def align_faces(table: FaceTable, aligner: Aligner, faces: list[Face | None], missing: str) -> FaceTable:
    """The face table of aligned crops.

    Adds the columns ``detected`` (bool), ``detector_pass`` (0 if not detected), ``score``, ``left``, ``top``, ``width``
    and ``height`` (pixels of the source picture), and the landmarks.

    Args:
        table: the decoded pictures.
        aligner: how to crop.
        faces: the result of :func:`detect_faces` for ``table.images``.
        missing: ``center`` keeps a picture without a detected face, cropped as if its face lay where faces lie on
            average; ``drop`` leaves it out.

    Raises:
        UserError: no face is left.
    """
    if missing not in ("center", "drop"):
        raise ValueError(f"missing must be 'center' or 'drop', not {missing!r}")
    landmarks = np.stack(
        [
            average_landmarks(picture, aligner.mean_shape) if face is None else face.landmarks
            for picture, face in zip(table.images, faces, strict=True)
        ]
    )
    crops = np.stack([aligner.crop(picture, points) for picture, points in zip(table.images, landmarks, strict=True)])
    columns = [(False, 0, 0.0, 0.0, 0.0, 0.0, 0.0) if face is None else _columns_of(face) for face in faces]
    names = ["detected", "detector_pass", "score", "left", "top", "width", "height"]
    added = pd.DataFrame(columns, columns=names, index=table.faces.index)
    aligned = replace(table, images=crops, faces=pd.concat([table.faces, added], axis=1), landmarks=landmarks)
    if missing == "drop":
        aligned = aligned.select(added["detected"].to_numpy())
    if len(aligned) == 0:
        raise UserError("no face was detected in any picture: add a detection pass or set align.missing to center")
    return aligned


def center_faces(table: FaceTable, centerer: Centerer, aligned: FaceTable) -> FaceTable:
    """The face table of centered crops: the faces and landmarks of ``aligned`` in the pictures of ``table``."""
    pictures, landmarks = aligned.with_images_of(table), aligned.landmarks
    if landmarks is None:
        raise ValueError("the aligned table has no landmarks")
    crops = [centerer.crop(*face) for face in zip(pictures.images, landmarks, strict=True)]
    return replace(pictures, images=np.stack(crops))


def _columns_of(face: Face) -> tuple:
    return (True, face.detector_pass, face.score, *face.box)


# One detector per worker process: loading the landmark model takes about a second.
_detectors: dict[tuple, FaceDetector] = {}


def _detect_batch(passes: tuple[DetectionPass, ...], enlargement: int, pictures: np.ndarray) -> list[Face | None]:
    key = (passes, enlargement)
    if key not in _detectors:
        cv2.setNumThreads(1)
        _detectors[key] = FaceDetector(passes, enlargement)
    return [next(iter(_detectors[key].detect(picture)), None) for picture in pictures]
