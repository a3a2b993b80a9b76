"""A face brought to where faces lie in FER2013's pictures, by moving and scaling the picture and nothing else.

Alignment (:mod:`facial_expression.alignment`) moves three points of every face onto the same places. That stretches
away how far a mouth is open, and leaves no room for brows and chin. A frame keeps both: expression and surroundings
stay as they are, only place and size become those of an average face. A picture of FER2013 whose face lies there
already, or was not found, stays as it is.
"""

from dataclasses import dataclass

import cv2
import numpy as np

from facial_expression.mean_shape import MeanShape


@dataclass(frozen=True)
class Framer:
    """The warp from a picture to a framed crop.

    Attributes:
        size: side of the square crop in pixels.
        mean_shape: where all 68 landmarks lie on average in a picture of FER2013.
    """

    size: int
    mean_shape: MeanShape

    @property
    def landmarks(self) -> tuple[int, ...]:
        """The landmarks that the warp is made from, 0-based: all 68."""
        return tuple(range(len(self.mean_shape.picture)))

    @property
    def template(self) -> np.ndarray:
        """Where they go: float64, shape (68, 2), x and y in fractions of the crop's side."""
        return self.mean_shape.picture

    def crop(self, picture: np.ndarray, landmarks: np.ndarray) -> np.ndarray:
        """The framed crop (uint8, shape (size, size)) of the face with these landmarks (shape (68, 2), pixels).

        Scale and shift are those that bring the landmarks nearest to the template in the sense of least squares. What
        lies outside the picture repeats its edge.
        """
        source, target = landmarks.astype(np.float64), self.size * self.template
        centred = source - source.mean(axis=0)
        scale = (centred * (target - target.mean(axis=0))).sum() / (centred**2).sum()
        shift = target.mean(axis=0) - scale * source.mean(axis=0)
        warp = np.array([[scale, 0, shift[0]], [0, scale, shift[1]]])
        side = (self.size, self.size)
        return cv2.warpAffine(picture, warp, side, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
