"""A face brought into one frame: the OpenFace method.

Three landmarks of a face are moved by an affine warp onto the same three points of a mean shape (Amos, Ludwiczuk and
Satyanarayanan, "OpenFace: A general-purpose face recognition library with mobile applications", CMU-CS-16-118, section
3.2). The mean shape of this project was learned from the landmarks of FER2013's Training faces.
"""

from dataclasses import dataclass

import cv2
import numpy as np

from facial_expression.mean_shape import MeanShape

LANDMARK_SETS = {
    "inner_eyes_and_bottom_lip": (39, 42, 57),
    "outer_eyes_and_nose": (36, 45, 33),
}
BORDERS = {"black": cv2.BORDER_CONSTANT, "replicate": cv2.BORDER_REPLICATE}


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

    @property
    def landmarks(self) -> tuple[int, ...]:
        """The three landmarks, 0-based, of 68."""
        return LANDMARK_SETS[self.landmark_set]

    @property
    def template(self) -> np.ndarray:
        """Where they go: float64, shape (3, 2), x and y in fractions of the crop's side, margin included."""
        return self.margin + (1 - 2 * self.margin) * self.mean_shape.face[list(self.landmarks)]

    def crop(self, picture: np.ndarray, landmarks: np.ndarray) -> np.ndarray:
        """The aligned crop (uint8, shape (size, size)) of the face with these landmarks (shape (68, 2), pixels)."""
        target = self.size * self.template
        warp = cv2.getAffineTransform(landmarks[list(self.landmarks)].astype(np.float32), target.astype(np.float32))
        border = BORDERS[self.border]
        return cv2.warpAffine(picture, warp, (self.size, self.size), flags=cv2.INTER_LINEAR, borderMode=border)

    def frame_landmarks(self, picture: np.ndarray) -> np.ndarray:
        """Landmarks (float32, shape (68, 2)) of an average face in the frame of this picture."""
        height, width = picture.shape
        return (self.mean_shape.picture * (width, height)).astype(np.float32)
