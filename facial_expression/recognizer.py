"""Inference: image in, faces and probabilities out.

Faces are detected and cropped as in training. The network was trained on pictures of 48 pixels with faces about 40
pixels wide, so larger faces in photos are first reduced to that size. It only needs NumPy, OpenCV, dlib and ONNX
Runtime.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import cv2
import numpy as np
import onnxruntime

from facial_expression.errors import UserError
from facial_expression.faces.crops import Aligner, Centerer, average_landmarks, make_cropper
from facial_expression.faces.detection import DetectionPass, FaceDetector
from facial_expression.faces.mean_shape import load_mean_shape
from facial_expression.photo_faces import (
    FACE_SIDE,
    PICTURE_SIDE,
    TRAINING_SIDE,
    FaceSearch,
    reduce_picture,
    turn_box_back,
    turn_picture,
    turn_points_back,
)
from facial_expression.probabilities import apply_temperature, soft_vote
from facial_expression.served_model import CARD, find_model, read_card, read_model, wrong_card
from facial_expression.views import Views

_BATCH = 32  # faces; more would take memory and save no time
_SURROUNDINGS = 1.0  # room around a face in sides of its box, more than any crop needs


@dataclass(frozen=True, eq=False)
class Recognition:
    """One face of an image and its predicted expression.

    Attributes:
        box: left, top, width and height in pixels of the image; may extend outside it.
        score: the detector's confidence, above 0; 0 if the whole picture was taken as one face.
        landmarks: float32, shape (68, 2), x and y in pixels of the image, in the order of iBUG 300-W.
        crop: uint8, shape (size, size): the gray face that the network received.
        probabilities: emotion -> 0 to 1, in the project's order, summing to 1.
        uncertain: whether the confidence is below the model's threshold.
        turn: degrees clockwise (0, 90, 180 or 270) by which the image must be turned for its faces to be upright. The
            crop is upright; box and landmarks are in the image as given.
    """

    box: tuple[float, float, float, float]
    score: float
    landmarks: np.ndarray
    crop: np.ndarray
    probabilities: dict[str, float]
    uncertain: bool
    turn: int = 0

    @property
    def emotion(self) -> str:
        """The most probable emotion."""
        return max(self.probabilities, key=self.probabilities.__getitem__)


class _CroppedFace(NamedTuple):
    """The attributes of a recognition that are known before classification."""

    box: tuple[float, float, float, float]
    score: float
    landmarks: np.ndarray
    crop: np.ndarray
    turn: int = 0


class Recognizer:
    """Detects the faces of an image and recognizes their expressions; thread-safe.

    Args:
        card: content of ``card.json`` (:mod:`facial_expression.export.card`).
        model: content of the ONNX file.
        detection_side: longer side in pixels of the copy of a photo that is searched for faces; a larger one finds
            smaller faces and takes longer, in proportion to its square.

    Raises:
        KeyError: the card lacks an entry.
        ValueError: the card does not fit the model, its template is not that of the packaged mean shape, or its crop
            is unknown.
    """

    def __init__(self, card: dict[str, Any], model: bytes, detection_side: int = 1024):
        settings = card["preprocessing"]
        passes = [DetectionPass(**detection_pass) for detection_pass in settings["passes"]]
        self.card = card
        self._classes, self._views = card["classes"], Views(**card["views"])
        self._temperature, self._confidence_threshold = card["temperature"], card["confidence_threshold"]
        self._input = settings["input"]["name"]
        self._cropper = _make_cropper(settings)
        self._enlargement = settings["size"] / PICTURE_SIDE  # of the pictures that it was trained on
        self._detector = FaceDetector(passes, settings["landmark_enlargement"])
        self._search = FaceSearch(self._detector, detection_side)
        self._session = _open_session(model)
        _check_fit(card, self._session)

    @classmethod
    def load(cls, directory: str | Path | None = None, detection_side: int = 1024) -> "Recognizer":
        """Load ``card.json`` and the ONNX file that it names from a directory; takes a second or two.

        Args:
            directory: None for the served model (:func:`facial_expression.served_model.find_model`).
            detection_side: as for the constructor.

        Raises:
            UserError: a file is missing or damaged, or does not fit this version.

        >>> recognizer = Recognizer.load()
        >>> recognizer.card["classes"]
        ['angry', 'fear', 'happy', 'sad', 'surprise', 'neutral']
        """
        directory = find_model() if directory is None else directory
        card = read_card(directory)
        try:
            return cls(card, read_model(directory, card), detection_side)
        except (KeyError, TypeError) as error:
            raise wrong_card(directory, error) from error
        except UserError:
            raise
        except ValueError as error:
            raise UserError(f"{Path(directory, CARD)} cannot be used: {error}") from error

    def recognize(
        self,
        image: np.ndarray,
        max_faces: int | None = None,
        *,
        whole_picture: bool = False,
        min_score: float | None = None,
    ) -> list[Recognition]:
        """The faces of an image, best detector score first.

        Args:
            image: uint8, gray of shape (height, width) or RGB of shape (height, width, 3), at least one pixel.
            max_faces: keep at most this many faces; 0 or more.
            whole_picture: take the whole image as one face, as FER2013's pictures are, without detecting any; the
                result is a single face with score 0.
            min_score: leave out faces with a lower detector score; None for
                :data:`facial_expression.photo_faces.MIN_SCORE` in photos, and for all faces that are found as in
                training.

        Raises:
            UserError: ``image`` has another shape or type, or ``max_faces`` is negative.

        >>> from facial_expression.images import read_picture
        >>> picture = read_picture("photo.jpg")
        >>> for face in Recognizer.load().recognize(picture.gray):
        ...     print(face.emotion, face.uncertain, [round(length) for length in face.box])
        happy False [244, 161, 151, 151]
        """
        return self.recognize_many([image], max_faces, whole_picture=whole_picture, min_score=min_score)[0]

    def recognize_many(
        self,
        images: Iterable[np.ndarray],
        max_faces: int | None = None,
        *,
        whole_picture: bool = False,
        min_score: float | None = None,
    ) -> list[list[Recognition]]:
        """The faces of several images, which go through the network in batches.

        Args:
            images: each as for :meth:`recognize`, like the other arguments; an iterator is read one by one, so that
                only one image is in memory.

        Returns:
            One list per image, in order. Where the processor computes batches in another way than single faces,
            probabilities differ by at most 1e-6 from those of :meth:`recognize`; with the served model, they are equal.

        Raises:
            UserError: an image has another shape or type.

        >>> blank = np.zeros((480, 640), np.uint8)
        >>> Recognizer.load().recognize_many([blank, blank])
        [[], []]
        """
        if max_faces is not None and max_faces < 0:
            raise UserError(f"max_faces must be 0 or more, not {max_faces}")
        found = [self._find(_as_gray(image), max_faces, whole_picture, min_score) for image in images]
        crops = [face.crop for faces in found for face in faces]
        batches = [crops[start : start + _BATCH] for start in range(0, len(crops), _BATCH)]
        rows = (row for batch in batches for row in self.classify(np.stack(batch)))
        return [[self._recognition(face, next(rows)) for face in faces] for faces in found]

    def classify(self, crops: np.ndarray) -> np.ndarray:
        """Probabilities for cropped faces.

        Args:
            crops: uint8, shape (N, size, size), at least one.

        Returns:
            float32, shape (N, classes), rows summing to 1.

        Raises:
            UserError: ``crops`` has another shape or type.
        """
        side = self._cropper.size
        if crops.dtype != np.uint8 or crops.ndim != 3 or crops.shape[1:] != (side, side) or not len(crops):
            expected = f"crops must be uint8 of shape (N, {side}, {side}) and not empty"
            raise UserError(f"{expected}; these are {crops.dtype} of shape {crops.shape}")
        views = self._views.of(crops)
        pixels = np.concatenate(views)[..., None].astype(np.float32)
        (probabilities,) = self._session.run(None, {self._input: pixels})
        return apply_temperature(soft_vote(np.split(probabilities, len(views))), self._temperature)

    def _find(
        self, picture: np.ndarray, max_faces: int | None, whole_picture: bool, min_score: float | None
    ) -> list["_CroppedFace"]:
        if whole_picture:
            return [self._take_whole(picture)]
        if max(picture.shape) <= TRAINING_SIDE:
            return self._find_as_in_training(picture, max_faces, min_score)
        return self._find_in_photo(picture, max_faces, min_score)

    def _recognition(self, face: "_CroppedFace", probabilities: np.ndarray) -> Recognition:
        by_name = {name: float(value) for name, value in zip(self._classes, probabilities, strict=True)}
        uncertain = max(by_name.values()) < self._confidence_threshold
        return Recognition(face.box, face.score, face.landmarks, face.crop, by_name, uncertain, face.turn)

    def _take_whole(self, picture: np.ndarray) -> "_CroppedFace":
        """The whole picture as one face, cropped as the stage ``align`` crops pictures without a detected face."""
        height, width = picture.shape
        box = (0.0, 0.0, float(width), float(height))
        small, _ = reduce_picture(picture, min(1.0, self._enlargement * PICTURE_SIDE / min(picture.shape)))
        crop = self._cropper.crop(small, average_landmarks(small, self._cropper.mean_shape))
        return _CroppedFace(box, 0.0, self._find_landmarks(picture, np.array(box)).astype(np.float32), crop)

    def _find_as_in_training(
        self, picture: np.ndarray, max_faces: int | None, min_score: float | None
    ) -> list["_CroppedFace"]:
        """The faces as the stage ``align`` detects and crops them."""
        faces = [face for face in self._detector.detect(picture) if face.score >= (min_score or 0)][:max_faces]
        crops = [self._cropper.crop(picture, face.landmarks) for face in faces]
        return [
            _CroppedFace(face.box, face.score, face.landmarks, crop) for face, crop in zip(faces, crops, strict=True)
        ]

    def _find_in_photo(self, photo: np.ndarray, max_faces: int | None, min_score: float | None) -> list["_CroppedFace"]:
        """The faces detected in a reduced copy and cropped from the photo."""
        turn, found = self._search.find(photo, min_score)
        upright, size = turn_picture(photo, turn), photo.shape[::-1]
        faces = []
        for box, score in found[:max_faces]:
            landmarks, crop = self._crop_from_photo(upright, box)
            points = turn_points_back(landmarks + 0.5, turn, size) - 0.5  # from pixel centers to corners and back
            faces.append(_CroppedFace(turn_box_back(box, turn, size), score, points.astype(np.float32), crop, turn))
        return faces

    def _crop_from_photo(self, photo: np.ndarray, box: tuple[float, ...]) -> tuple[np.ndarray, np.ndarray]:
        """Landmarks in pixels of the photo, and the crop.

        The crop is taken from a copy in which the face is as large as in training: the warp samples single pixels and
        would turn a large face's noise into texture. Faces are never enlarged.
        """
        left, top, width, height = box
        region, origin = _cut_out(photo, box)
        landmarks = self._find_landmarks(region, np.array([left - origin[0], top - origin[1], width, height]))
        small, scale = reduce_picture(region, min(1.0, self._enlargement * FACE_SIDE / width))
        crop = self._cropper.crop(small, (landmarks + 0.5) * scale - 0.5)
        return landmarks + origin, crop

    def _find_landmarks(self, region: np.ndarray, box: np.ndarray) -> np.ndarray:
        """Landmarks of the face in a box, detected at about the size used for training.

        A larger one gives no better landmarks, since the predictor compares single pixels, which are noisy.
        """
        factor = self._detector.landmark_enlargement * FACE_SIDE / max(box[2:])
        reduced, scale = reduce_picture(region, min(1.0, factor))
        found = self._detector.landmarks(reduced, tuple(box * np.tile(scale, 2)), max(1, round(factor)))
        return (found + 0.5) / scale - 0.5


def _make_cropper(settings: dict[str, Any]) -> Aligner | Centerer:
    cropper = make_cropper(settings["crop"], settings, load_mean_shape())
    template = np.array(settings["template"])
    if template.shape != cropper.template.shape or not np.allclose(template, cropper.template, rtol=0, atol=1e-9):
        raise ValueError("its template is not that of the packaged mean shape: run `dvc repro export`")
    return cropper


def _open_session(model: bytes) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1  # callers bring threads of their own
    try:
        return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # ONNX Runtime has a dozen types
        raise ValueError(f"ONNX Runtime cannot read its model: {error}") from error


def _check_fit(card: dict[str, Any], session: onnxruntime.InferenceSession) -> None:
    """Compare what a card says with what its network takes and gives."""
    settings, classes, temperature = card["preprocessing"], card["classes"], card["temperature"]
    (given,), (result,) = session.get_inputs(), session.get_outputs()
    expected = settings["input"]["name"], [settings["size"], settings["size"], 1]
    if (given.name, given.shape[1:]) != expected:
        raise ValueError(f"its model takes {given.name} of shape {given.shape}")
    if not isinstance(classes, list) or result.shape[1:] != [len(classes)]:
        raise ValueError(f"its model gives results of shape {result.shape} for the classes {classes}")
    if not isinstance(temperature, int | float) or not temperature > 0:
        raise ValueError(f"its temperature is {temperature!r}, not a number above 0")


def _as_gray(image: np.ndarray) -> np.ndarray:
    if not isinstance(image, np.ndarray):
        raise UserError(f"an image must be a NumPy array, not {type(image).__name__}: use numpy.asarray")
    if image.dtype == np.uint8 and image.size:
        if image.ndim == 2:
            return image
        if image.ndim == 3 and image.shape[2] == 3:
            return cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
    raise UserError(
        f"an image must be uint8 of shape (height, width) or (height, width, 3) and not empty; "
        f"this one is {image.dtype} of shape {image.shape}"
    )


def _cut_out(photo: np.ndarray, box: tuple[float, ...]) -> tuple[np.ndarray, np.ndarray]:
    """The part of the photo around a face, and the position of its upper left corner (x and y, pixels)."""
    left, top, width, height = box
    around_x, around_y = _SURROUNDINGS * width, _SURROUNDINGS * height
    start = np.clip(np.floor([left - around_x, top - around_y]), 0, None).astype(int)
    end = np.ceil([left + width + around_x, top + height + around_y]).astype(int)
    return photo[start[1] : end[1], start[0] : end[0]], start
