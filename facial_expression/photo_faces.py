"""Find faces in a photo of any size, whichever way up it is.

The detector's window is 80 pixels wide, and half the width takes four times as long to find. So a photo is searched
in steps, each only where the steps before may have missed someone:

1. *Coarse*: a copy of at most ``side`` pixels, for faces at least 80 pixels wide in that copy.
2. *Fine*: the same copy doubled, for faces at least 40 pixels wide. It runs if nobody is found or if the smallest face
   found is small, since the faces of a group have similar sizes.
3. *As in training*: if nobody is found, the photo may show one face that its edges cut, like FER2013's pictures. It is
   reduced to their size and searched as they are.
4. *Turned*: if nobody is found, or nobody for sure, steps 1 and 2 in the photo turned by 90, 270 and 180 degrees.
"""

from typing import NamedTuple

import cv2
import numpy as np

from facial_expression.faces.detection import DetectionPass, FaceDetector

Box = tuple[float, float, float, float]

MIN_SCORE = 0.15
"""Detector score below which what steps 1, 2 and 4 find is taken for something else.

Measured on eight photos, at six sizes and mirrored: 1% of the true faces that step 2 finds have a lower score. So have
9 of 17 false ones, all of them in photos turned upside down: in photos that are upright, 1,040 searches found a single
false face, with score 0.1. Twice the threshold would leave out 3% of the true faces and 14 of the 17 false ones. Step 3
has no threshold: it found nothing in 1,500 pictures without a face, and a tenth of FER2013's faces have a score below
0.1.
"""
PICTURE_SIDE = 48
"""Side of FER2013's pictures, in pixels."""
FACE_SIDE = 40
"""Average width of a face's box in FER2013's pictures, in pixels."""
TRAINING_SIDE = 64
"""Pictures up to this longer side, in pixels, are treated like those of FER2013."""

_COARSE, _FINE = DetectionPass(upsampling=0), DetectionPass(upsampling=1)
_SMALL_FACE = 110  # pixels of the searched copy: where the coarse search sees a face this small, it misses others
_SURE_SCORE = 0.5  # of a face; below it, the photo may be a turned one
_SAME_FACE = 0.5  # share of the smaller of two boxes that lies in the other
_TURNS = (90, 270, 180)  # photos are turned sideways more often than upside down


class FoundFace(NamedTuple):
    """A face in a photo: its box (left, top, width, height in pixels) and the detector's score."""

    box: Box
    score: float


class FaceSearch:
    """Searches photos for faces; thread-safe.

    Args:
        detector: its passes are those of training.
        side: longer side of the searched copy of a photo, in pixels.
    """

    def __init__(self, detector: FaceDetector, side: int):
        self._detector = detector
        self._side = side

    def find(self, photo: np.ndarray, min_score: float | None = None) -> tuple[int, list[FoundFace]]:
        """The faces of a photo (uint8, gray, shape (height, width)).

        Args:
            photo: at least one pixel.
            min_score: faces with a lower score are left out; None for ``MIN_SCORE``, or for 0 as in training.

        Returns:
            The turn that makes the faces upright (0, 90, 180 or 270 degrees clockwise), and the faces, best score
            first, in pixels of the photo after that turn (:func:`turn_picture`).
        """
        lowest = MIN_SCORE if min_score is None else min_score
        small, scale = reduce_picture(photo, min(1.0, self._side / max(photo.shape)))
        turn, faces = 0, self._search(small, lowest) or self._search_as_in_training(small, min_score or 0.0)
        if not _is_sure(faces):
            turn, faces = self._search_turned(small, lowest, faces)
        return turn, [_unscale(face, turn_lengths(scale, turn)) for face in faces]

    def _search(self, picture: np.ndarray, min_score: float) -> list[FoundFace]:
        """The coarse search and, where it may miss faces, the fine one; best score first."""
        coarse = self._run(picture, _COARSE, min_score)
        if coarse and min(face.box[2] for face in coarse) >= _SMALL_FACE:
            return coarse
        return merge(self._run(picture, _FINE, min_score), coarse)

    def _run(self, picture: np.ndarray, detection_pass: DetectionPass, min_score: float) -> list[FoundFace]:
        found = (FoundFace(*face) for face in self._detector.find(picture, detection_pass))
        return [face for face in found if face.score >= min_score]

    def _search_as_in_training(self, picture: np.ndarray, min_score: float) -> list[FoundFace]:
        small, scale = reduce_picture(picture, min(1.0, PICTURE_SIDE / max(picture.shape)))
        faces = (FoundFace(face.box, face.score) for face in self._detector.detect(small))
        return [_unscale(face, scale) for face in faces if face.score >= min_score]

    def _search_turned(
        self, picture: np.ndarray, min_score: float, upright: list[FoundFace]
    ) -> tuple[int, list[FoundFace]]:
        """The turn with the best score, and its faces."""
        best = (0, upright)
        for turn in _TURNS:
            faces = self._search(turn_picture(picture, turn), min_score)
            if faces and (not best[1] or faces[0].score > best[1][0].score):
                best = (turn, faces)
            if _is_sure(faces):
                break
        return best


def merge(preferred: list[FoundFace], others: list[FoundFace]) -> list[FoundFace]:
    """The faces of two searches, each once, best score first.

    Two boxes are one face if half of the smaller box lies in the larger one. Intersection over union would keep a box
    over two people beside the boxes of each of them.

    Args:
        preferred: where boxes overlap, these stay; of two of them, the first.
        others: these stay where they overlap none.
    """
    kept: list[FoundFace] = []
    for face in [*preferred, *others]:
        if all(overlap(face.box, other.box) < _SAME_FACE for other in kept):
            kept.append(face)
    return sorted(kept, key=lambda face: -face.score)


def overlap(one: Box, other: Box) -> float:
    """Area of two boxes' intersection as a share of the smaller box's area."""
    start = np.maximum(one[:2], other[:2])
    end = np.minimum(np.add(one[:2], one[2:]), np.add(other[:2], other[2:]))
    smaller = min(one[2] * one[3], other[2] * other[3])
    return float(np.prod(np.clip(end - start, 0, None)) / smaller)


def reduce_picture(picture: np.ndarray, factor: float) -> tuple[np.ndarray, np.ndarray]:
    """The picture reduced by averaging, and the exact factors in x and y after rounding to whole pixels."""
    if factor == 1:
        return picture, np.ones(2)
    size = np.array(picture.shape[::-1])
    small = np.maximum(1, np.round(factor * size)).astype(int)
    return cv2.resize(picture, small.tolist(), interpolation=cv2.INTER_AREA), small / size


def turn_picture(picture: np.ndarray, turn: int) -> np.ndarray:
    """The picture turned clockwise by 0, 90, 180 or 270 degrees."""
    return np.ascontiguousarray(np.rot90(picture, -turn // 90))


def turn_lengths(lengths: np.ndarray, turn: int) -> np.ndarray:
    """Lengths or factors in x and y, for the picture turned by that many degrees."""
    return lengths[::-1] if turn % 180 else lengths


def turn_points_back(points: np.ndarray, turn: int, size: tuple[int, int]) -> np.ndarray:
    """Points of a turned picture in the picture before :func:`turn_picture`.

    Args:
        points: shape (N, 2), x and y from the upper left corner of the turned picture, in pixels.
        turn: 0, 90, 180 or 270 degrees clockwise.
        size: width and height of the picture before the turn.
    """
    (x, y), (width, height) = points.T, size
    turned = {0: (x, y), 90: (y, height - x), 180: (width - x, height - y), 270: (width - y, x)}
    return np.stack(turned[turn], axis=1)


def turn_box_back(box: Box, turn: int, size: tuple[int, int]) -> Box:
    """A box of a turned picture in the picture before the turn; arguments as in :func:`turn_points_back`."""
    left, top, width, height = box
    corners = turn_points_back(np.array([[left, top], [left + width, top + height]]), turn, size)
    (left, top), (right, bottom) = corners.min(axis=0), corners.max(axis=0)
    return float(left), float(top), float(right - left), float(bottom - top)


def _is_sure(faces: list[FoundFace]) -> bool:
    return bool(faces) and faces[0].score >= _SURE_SCORE


def _unscale(face: FoundFace, scale: np.ndarray) -> FoundFace:
    left, top, width, height = np.array(face.box) / np.tile(scale, 2)
    return FoundFace((float(left), float(top), float(width), float(height)), face.score)
