"""The two crops of a face: aligned, as in the study, and centered.

*Aligned* is OpenFace's method: an affine warp moves three landmarks of every face onto the same points of a mean shape
(Amos, Ludwiczuk and Satyanarayanan, CMU-CS-16-118, section 3.2). It also removes how far a mouth is open, and leaves no
room for brows and chin.

*Centered* only moves and scales the picture, so that the face lies where faces lie in FER2013's pictures on average.
Expression and surroundings stay as they are.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np

from facial_expression.faces.mean_shape import MeanShape

LANDMARK_SETS = {
    "inner_eyes_and_bottom_lip": (39, 42, 57),
    "outer_eyes_and_nose": (36, 45, 33),
}
BORDERS = {"black": cv2.BORDER_CONSTANT, "replicate": cv2.BORDER_REPLICATE}


@dataclass(frozen=True)
class Aligner:
    """The warp from a picture to an aligned crop.

    Attributes:
        landmark_set: a key of ``LANDMARK_SETS``: the three landmarks that define the warp.
        border: a key of ``BORDERS``: what fills the crop outside the picture.
        size: side of the square crop in pixels.
        margin: room around the mean shape on each side, as a fraction of the crop's side (0 to below 0.5).
        mean_shape: where the three landmarks go.
    """

    landmark_set: str
    border: str
    size: int
    margin: float
    mean_shape: MeanShape

    @property
    def landmarks(self) -> tuple[int, ...]:
        """The three landmarks, 0-based, of 68."""
        return LANDMARK_SETS[self.landmark_set]

    @property
    def template(self) -> np.ndarray:
        """Where they go: float64, shape (3, 2), x and y in fractions of the crop's side, margin included."""
        return self.margin + (1 - 2 * self.margin) * self.mean_shape.face[list(self.landmarks)]

    def crop(self, picture: np.ndarray, landmarks: np.ndarray) -> np.ndarray:
        """Crop the face with these landmarks.

        Args:
            picture: uint8, shape (height, width).
            landmarks: shape (68, 2), x and y in pixels.

        Returns:
            uint8, shape (size, size).
        """
        target = self.size * self.template
        warp = cv2.getAffineTransform(landmarks[list(self.landmarks)].astype(np.float32), target.astype(np.float32))
        border = BORDERS[self.border]
        return cv2.warpAffine(picture, warp, (self.size, self.size), flags=cv2.INTER_LINEAR, borderMode=border)


@dataclass(frozen=True)
class Centerer:
    """The scaling and shift from a picture to a centered crop.

    Attributes:
        size: side of the square crop in pixels.
        mean_shape: mean positions of all 68 landmarks in a picture of FER2013.
    """

    size: int
    mean_shape: MeanShape

    @property
    def landmarks(self) -> tuple[int, ...]:
        """The landmarks that define the crop, 0-based: all 68."""
        return tuple(range(len(self.mean_shape.picture)))

    @property
    def template(self) -> np.ndarray:
        """Where they go: float64, shape (68, 2), x and y in fractions of the crop's side."""
        return self.mean_shape.picture

    def crop(self, picture: np.ndarray, landmarks: np.ndarray) -> np.ndarray:
        """Crop the face with these landmarks; arguments and result as in :meth:`Aligner.crop`.

        Scale and shift minimize the squared distance between landmarks and template. Outside the picture, its edge
        pixels are repeated.
        """
        source, target = landmarks.astype(np.float64), self.size * self.template
        centered = source - source.mean(axis=0)
        scale = (centered * (target - target.mean(axis=0))).sum() / (centered**2).sum()
        shift = target.mean(axis=0) - scale * source.mean(axis=0)
        warp = np.array([[scale, 0, shift[0]], [0, scale, shift[1]]])
        side = (self.size, self.size)
        return cv2.warpAffine(picture, warp, side, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)


def average_landmarks(picture: np.ndarray, mean_shape: MeanShape) -> np.ndarray:
    """Landmarks (float32, shape (68, 2), pixels) of an average face of FER2013 in this picture."""
    height, width = picture.shape
    return (mean_shape.picture * (width, height)).astype(np.float32)


def make_cropper(crop: str, settings: Mapping[str, Any], mean_shape: MeanShape) -> Aligner | Centerer:
    """The cropper with the settings of params.yaml or of a model card.

    Args:
        crop: ``aligned`` or ``centered``.
        settings: ``size`` and, for aligned crops, ``landmark_set``, ``border`` and ``margin``.
        mean_shape: where landmarks go.

    Raises:
        KeyError: a setting is missing.
        ValueError: ``crop`` is neither.
    """
    if crop == "aligned":
        landmark_set, border, size, margin = (settings[name] for name in ("landmark_set", "border", "size", "margin"))
        return Aligner(landmark_set, border, size, margin, mean_shape)
    if crop == "centered":
        return Centerer(settings["size"], mean_shape)
    raise ValueError(f"crop must be 'aligned' or 'centered', not {crop!r}")
