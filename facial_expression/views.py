"""The views of a face whose predictions are averaged at test time, in evaluation and in serving alike."""

from dataclasses import dataclass

import cv2
import numpy as np


@dataclass(frozen=True)
class Views:
    """Which views to average besides the face itself; 0 or false leaves a kind out.

    Attributes:
        mirror: also the mirror image of each view.
        shift: pixels: eight views, moved by this much to all sides and corners.
        scale: fraction: two views, smaller and larger by this much.
        rotation: degrees: two views, turned by this much to the left and to the right.
    """

    mirror: bool = False
    shift: float = 0.0
    scale: float = 0.0
    rotation: float = 0.0

    @property
    def count(self) -> int:
        """Number of views, with the face itself."""
        return len(self._warps()) * (1 + self.mirror)

    def of(self, images: np.ndarray) -> list[np.ndarray]:
        """The views of some faces; pixels from outside a face repeat its edge.

        Args:
            images: uint8, shape (N, size, size).

        Returns:
            One array per view, shaped like ``images``: first the faces themselves, with ``mirror`` second their mirror
            images.
        """
        views = []
        for warp in self._warps():
            moved = images if warp == _NOTHING else _move(images, *warp)
            views += [moved, moved[:, :, ::-1]] if self.mirror else [moved]
        return views

    def _warps(self) -> list[tuple[float, float, float, float]]:
        """Shift in x and y, scale and rotation of each view."""
        step, grow, turn = self.shift, self.scale, self.rotation
        shifts = [(x, y, 1.0, 0.0) for y in (-step, 0.0, step) for x in (-step, 0.0, step) if x or y]
        scales = [(0.0, 0.0, 1 + factor, 0.0) for factor in (-grow, grow) if factor]
        rotations = [(0.0, 0.0, 1.0, angle) for angle in (-turn, turn) if angle]
        return [_NOTHING, *shifts, *scales, *rotations]


ONE_VIEW = Views()
"""The face alone."""

_NOTHING = (0.0, 0.0, 1.0, 0.0)


def _move(images: np.ndarray, x: float, y: float, scale: float, rotation: float) -> np.ndarray:
    """Scale and turn the faces about their center, then shift them."""
    size = images.shape[1]
    center = (size - 1) / 2
    warp = cv2.getRotationMatrix2D((center, center), rotation, scale)
    warp[:, 2] += np.array([x, y])
    moved = np.empty(images.shape, np.uint8)
    for image, target in zip(images, moved, strict=True):
        cv2.warpAffine(image, warp, (size, size), target, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return moved
