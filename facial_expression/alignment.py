"""Faces brought into one frame: the OpenFace method.

Three landmarks of a face are moved by an affine warp onto the same three points of a mean shape (Amos, Ludwiczuk and
Satyanarayanan, "OpenFace: A general-purpose face recognition library with mobile applications", CMU-CS-16-118, section
3.2). The mean shape of this project was learned from FER2013's own landmarks and is kept as data in ``mean_shape.csv``.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import cv2
import joblib
import numpy as np
import pandas as pd
from tqdm import tqdm

from facial_expression.detection import DetectionPass, Face, FaceDetector
from facial_expression.facetable import FaceTable

LANDMARK_SETS = {
    "inner_eyes_and_bottom_lip": (39, 42, 57),
    "outer_eyes_and_nose": (36, 45, 33),
}
BORDERS = {"black": cv2.BORDER_CONSTANT, "replicate": cv2.BORDER_REPLICATE}

_MEAN_SHAPE_FILE = Path(__file__).with_name("mean_shape.csv")
_BATCH = 128  # pictures per task of a worker process


@dataclass(frozen=True)
class MeanShape:
    """Where landmarks lie on average.

    Attributes:
        face: float64, shape (68, 2): the mean shape, scaled to fill the unit square.
        picture: float64, shape (68, 2): mean position in a picture of FER2013, in fractions of its side. It stands in
            for the landmarks of a face that the detector misses.
    """

    face: np.ndarray
    picture: np.ndarray


@dataclass(frozen=True)
class Aligner:
    """The warp from a picture to an aligned crop.

    Attributes:
        landmark_set: a key of ``LANDMARK_SETS``: the three landmarks that the warp is made from.
        border: a key of ``BORDERS``: what fills the crop where it reaches outside the picture.
        size: side of the square crop in pixels.
        margin: room left around the mean shape on each side, in fractions of the crop's side (0 to below 0.5).
        mean_shape: where the three landmarks go.
    """

    landmark_set: str
    border: str
    size: int
    margin: float
    mean_shape: MeanShape

    def align(self, picture: np.ndarray, landmarks: np.ndarray) -> np.ndarray:
        """The aligned crop (uint8, shape (size, size)) of the face with these landmarks (shape (68, 2), pixels)."""
        chosen = list(LANDMARK_SETS[self.landmark_set])
        target = self.size * (self.margin + (1 - 2 * self.margin) * self.mean_shape.face[chosen])
        warp = cv2.getAffineTransform(landmarks[chosen].astype(np.float32), target.astype(np.float32))
        border = BORDERS[self.border]
        return cv2.warpAffine(picture, warp, (self.size, self.size), flags=cv2.INTER_LINEAR, borderMode=border)

    def frame_landmarks(self, picture: np.ndarray) -> np.ndarray:
        """Landmarks (float32, shape (68, 2)) of an average face in the frame of this picture."""
        height, width = picture.shape
        return (self.mean_shape.picture * (width, height)).astype(np.float32)


def load_mean_shape(path: str | Path = _MEAN_SHAPE_FILE) -> MeanShape:
    """Read a mean shape from a CSV of 68 rows with the columns ``x, y, picture_x, picture_y``.

    Raises:
        ValueError: the file has other columns or another number of rows.
    """
    table = pd.read_csv(path)
    if list(table.columns) != ["x", "y", "picture_x", "picture_y"] or len(table) != 68:
        raise ValueError(f"{path} must have 68 rows with the columns x, y, picture_x, picture_y")
    return MeanShape(table[["x", "y"]].to_numpy(), table[["picture_x", "picture_y"]].to_numpy())


def learn_mean_shape(landmarks: np.ndarray, picture_size: int, rounds: int = 10) -> MeanShape:
    """The mean shape of many faces by generalised Procrustes analysis (Gower, Psychometrika 40, 1975).

    Args:
        landmarks: shape (N, 68, 2), in pixels of the pictures.
        picture_size: side of the pictures in pixels.
        rounds: how often all shapes are fitted to the mean; ten is well past convergence.
    """
    # As complex numbers, the similarity that best fits a centred shape to the mean is one multiplication.
    shapes = landmarks[..., 0] + 1j * landmarks[..., 1].astype(np.float64)
    shapes = shapes - shapes.mean(axis=1, keepdims=True)
    shapes /= np.linalg.norm(shapes, axis=1, keepdims=True)
    mean = shapes[0]
    for _ in range(rounds):
        fits = (shapes.conj() @ mean)[:, None] * shapes
        mean = fits.mean(axis=0)
        mean /= np.linalg.norm(mean)
    mean *= np.exp(-1j * np.angle(mean[42:48].mean() - mean[36:42].mean()))  # level the line through the eyes
    face = np.stack([mean.real, mean.imag], axis=1)
    face = (face - face.min(axis=0)) / np.ptp(face, axis=0)
    return MeanShape(face, landmarks.mean(axis=0) / picture_size)


def save_mean_shape(path: str | Path, mean_shape: MeanShape) -> None:
    """Write a mean shape in the form that :func:`load_mean_shape` reads."""
    columns = ["x", "y", "picture_x", "picture_y"]
    table = pd.DataFrame(np.hstack([mean_shape.face, mean_shape.picture]), columns=columns)
    table.to_csv(path, index=False, float_format="%.6f", lineterminator="\n")


def detect_faces(
    pictures: np.ndarray,
    passes: Iterable[DetectionPass],
    landmark_enlargement: int,
    workers: int = -1,
    progress: bool = True,
) -> list[Face | None]:
    """The best-scored face of every picture, or None, in the order of the pictures.

    Args:
        pictures: uint8, shape (N, size, size).
        passes: see :class:`facial_expression.detection.FaceDetector`.
        landmark_enlargement: likewise.
        workers: number of processes, -1 for one per core. The result does not depend on it.
        progress: show a progress bar.
    """
    passes = tuple(passes)
    batches = [np.asarray(pictures[start : start + _BATCH]) for start in range(0, len(pictures), _BATCH)]
    parallel = joblib.Parallel(n_jobs=workers, return_as="generator")
    results = parallel(joblib.delayed(_detect_batch)(batch, passes, landmark_enlargement) for batch in batches)
    faces: list[Face | None] = []
    with tqdm(total=len(pictures), desc="detect", unit="picture", disable=not progress) as bar:
        for result in results:
            faces += result
            bar.update(len(result))
    return faces


def align_faces(
    table: FaceTable,
    aligner: Aligner,
    faces: list[Face | None],
    missing: str,
) -> FaceTable:
    """The face table of aligned crops.

    Adds the columns ``detected`` (bool), ``detector_pass`` (0 where nothing was found), ``score``, ``left``, ``top``,
    ``width`` and ``height`` (pixels of the source picture), and the landmarks.

    Args:
        table: the decoded pictures.
        aligner: how to crop.
        faces: what :func:`detect_faces` found in ``table.images``.
        missing: ``frame`` keeps a picture without a found face, cropped as if its face lay where faces lie on average;
            ``drop`` leaves it out.

    Raises:
        ValueError: ``missing`` is neither, or not a single face is left.
    """
    if missing not in ("frame", "drop"):
        raise ValueError(f"missing must be 'frame' or 'drop', not {missing!r}")
    landmarks = np.stack(
        [
            aligner.frame_landmarks(picture) if face is None else face.landmarks
            for picture, face in zip(table.images, faces, strict=True)
        ]
    )
    crops = np.stack([aligner.align(picture, marks) for picture, marks in zip(table.images, landmarks, strict=True)])
    columns = [(False, 0, 0.0, 0.0, 0.0, 0.0, 0.0) if face is None else _row(face) for face in faces]
    names = ["detected", "detector_pass", "score", "left", "top", "width", "height"]
    added = pd.DataFrame(columns, columns=names, index=table.faces.index)
    aligned = FaceTable(crops, pd.concat([table.faces, added], axis=1), landmarks)
    if missing == "drop":
        aligned = aligned.select(added["detected"].to_numpy())
    if len(aligned) == 0:
        raise ValueError("no face was found in any picture: add a detection pass or keep missing faces with `frame`")
    return aligned


def _row(face: Face) -> tuple:
    return (True, face.detector_pass, face.score, *face.box)


# One detector per worker process: loading the landmark model takes about a second.
_detectors: dict[tuple, FaceDetector] = {}


def _detect_batch(pictures, passes: tuple[DetectionPass, ...], landmark_enlargement: int) -> list[Face | None]:
    key = (passes, landmark_enlargement)
    if key not in _detectors:
        cv2.setNumThreads(1)
        _detectors[key] = FaceDetector(passes, landmark_enlargement)
    return [next(iter(_detectors[key].detect(picture)), None) for picture in pictures]
