"""Face detection and 68 facial landmarks with dlib.

The detector is dlib's frontal one, histograms of oriented gradients under a sliding window (Dalal and Triggs, CVPR
2005). The landmarks come from an ensemble of regression trees (Kazemi and Sullivan, CVPR 2014), trained on iBUG 300-W,
a data set that forbids commercial use.

The detector's window is 80 pixels wide, so a 48-pixel picture must be enlarged first. A :class:`DetectionPass` says
how; :class:`FaceDetector` tries its passes in turn until one finds a face.
"""

import importlib.util
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import dlib
import numpy as np

from facial_expression.errors import UserError


@dataclass(frozen=True)
class DetectionPass:
    """How to prepare a picture for one run of the detector.

    Attributes:
        upsampling: how often dlib doubles the picture (bilinear).
        enlargement: factor of a cubic enlargement before that.
        border: width in pixels of a border of repeated edge pixels, added before both.
    """

    upsampling: int = 1
    enlargement: int = 1
    border: int = 0


@dataclass(frozen=True)
class Face:
    """One face in a picture.

    Attributes:
        box: left, top, width and height in pixels of the picture; may extend outside it.
        score: the detector's confidence, above 0.
        landmarks: float32, shape (68, 2), x and y in pixels of the picture, in the order of iBUG 300-W.
        detector_pass: 1-based number of the pass that found the face.
    """

    box: tuple[float, float, float, float]
    score: float
    landmarks: np.ndarray
    detector_pass: int


def landmark_model_path() -> Path:
    """The 68-landmark model inside the installed package ``face_recognition_models``.

    The package is not imported: its import needs ``pkg_resources``, which recent setuptools lack.

    Raises:
        UserError: the package is not installed.
    """
    package = importlib.util.find_spec("face_recognition_models")
    if package is None or package.origin is None:
        raise UserError("the landmark model is missing: pip install face_recognition_models")
    return Path(package.origin).parent / "models" / "shape_predictor_68_face_landmarks.dat"


class FaceDetector:
    """Detects faces and their landmarks; thread-safe. Loading the models takes about a second.

    Args:
        passes: tried in this order until one finds a face.
        landmark_enlargement: factor of a cubic enlargement before landmark detection. dlib returns whole pixels, so a
            factor of 4 gives quarters of a pixel.
    """

    def __init__(self, passes: Sequence[DetectionPass], landmark_enlargement: int = 1):
        self.passes = tuple(passes)
        self.landmark_enlargement = landmark_enlargement
        self._detector = _DetectorOfThread()
        self._predictor = dlib.shape_predictor(str(landmark_model_path()))

    def detect(self, picture: np.ndarray) -> list[Face]:
        """All faces of a gray picture (uint8, shape (height, width)), best score first."""
        for number, detection_pass in enumerate(self.passes, start=1):
            found = self.find(picture, detection_pass)
            if found:
                factor = self.landmark_enlargement
                return [Face(box, score, self.landmarks(picture, box, factor), number) for box, score in found]
        return []

    def find(
        self, picture: np.ndarray, detection_pass: DetectionPass
    ) -> list[tuple[tuple[float, float, float, float], float]]:
        """Boxes (left, top, width, height in pixels) and scores of one pass, best score first."""
        border, factor = detection_pass.border, detection_pass.enlargement
        bordered = cv2.copyMakeBorder(picture, border, border, border, border, cv2.BORDER_REPLICATE)
        rectangles, scores, _ = self._detector.run(_enlarge(bordered, factor), detection_pass.upsampling)
        found = []
        for rectangle, score in zip(rectangles, scores, strict=True):
            left, top = (edge / factor - border for edge in (rectangle.left(), rectangle.top()))
            width, height = (side / factor for side in (rectangle.width(), rectangle.height()))
            found.append(((left, top, width, height), float(score)))
        return sorted(found, key=lambda face: -face[1])

    def landmarks(
        self, picture: np.ndarray, box: tuple[float, float, float, float], enlargement: int = 1
    ) -> np.ndarray:
        """Landmarks (float32, shape (68, 2), pixels of the picture) of the face in ``box``.

        Args:
            picture: uint8, gray, shape (height, width).
            box: left, top, width and height in pixels of the picture.
            enlargement: factor of an enlargement of the picture before detection.
        """
        left, top, width, height = (enlargement * side for side in box)
        rectangle = dlib.rectangle(round(left), round(top), round(left + width) - 1, round(top + height) - 1)
        parts = self._predictor(_enlarge(picture, enlargement), rectangle).parts()
        points = np.array([(part.x, part.y) for part in parts], np.float32)
        # Pixel centers: column c of the picture covers columns c * factor to (c + 1) * factor - 1 of the enlarged one.
        return ((points + 0.5) / enlargement - 0.5).astype(np.float32)


class _DetectorOfThread(threading.local):
    """One dlib detector per thread, since it stores the picture that it scans.

    The landmark model is read-only and takes 70 MB, so all threads share it.
    """

    def __init__(self) -> None:
        self.run = dlib.get_frontal_face_detector().run


def _enlarge(picture: np.ndarray, factor: int) -> np.ndarray:
    if factor == 1:
        return picture
    return cv2.resize(picture, None, fx=factor, fy=factor, interpolation=cv2.INTER_CUBIC)
