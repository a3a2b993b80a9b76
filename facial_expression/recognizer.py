"""From a picture to its faces and their expressions: the one way in which a trained network is put to use.

Faces are found and cropped as in training, so that the network sees what it has learned from. It learned from pictures
of 48 pixels in which a face is about 40 pixels wide; a photo's faces are first brought to that size. NumPy, OpenCV,
dlib and ONNX Runtime are all it takes.
"""

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import onnxruntime

from facial_expression.alignment import Aligner
from facial_expression.cropping import make_cropper
from facial_expression.detection import DetectionPass, FaceDetector
from facial_expression.ensembling import soft_vote, soften
from facial_expression.framing import Framer
from facial_expression.mean_shape import load_mean_shape

CARD = "card.json"
TRAINING_SIDE = 64
"""A picture whose longer side has at most so many pixels is taken for one like those of FER2013."""
FACE_SIDE = 40
"""Width of a face's box in pixels of FER2013's pictures, on average."""

_PHOTO_PASSES = (DetectionPass(upsampling=0), DetectionPass(upsampling=1))
_SURROUNDINGS = 1.0  # what is cut out around a face, in sides of its box: more than a crop reaches for


@dataclass(frozen=True)
class Recognition:
    """One face of a picture and what the network thinks of its expression.

    Attributes:
        box: left, top, width and height in pixels of the picture; may reach outside of it.
        score: the detector's confidence, above 0.
        landmarks: float32, shape (68, 2), x and y in pixels of the picture, in the order of iBUG 300-W.
        crop: uint8, shape (size, size): the face, gray, as the network saw it.
        probabilities: 0 to 1 by name of the emotion, in the project's order; they sum to 1.
        uncertain: no probability is high enough to be relied on.
    """

    box: tuple[float, float, float, float]
    score: float
    landmarks: np.ndarray
    crop: np.ndarray
    probabilities: dict[str, float]
    uncertain: bool

    @property
    def emotion(self) -> str:
        """The most probable emotion."""
        return max(self.probabilities, key=self.probabilities.__getitem__)


class Recognizer:
    """Finds the faces of a picture and recognizes their expressions; any number of threads may share one.

    Args:
        card: what ``card.json`` says; see :mod:`facial_expression.card`.
        model: the ONNX file.
        detection_side: a photo's longer side in pixels while faces are sought; larger finds smaller faces and takes
            longer, in proportion to its square.

    Raises:
        KeyError: the card lacks an entry.
        ValueError: the card's template is not that of the packaged mean shape, or its way of cropping is unknown.
    """

    def __init__(self, card: dict, model: bytes, detection_side: int = 1024):
        settings = card["preprocessing"]
        passes = [DetectionPass(**detection_pass) for detection_pass in settings["passes"]]
        self.card = card
        self._side = detection_side
        self._classes, self._flip = card["classes"], card["flip"]
        self._temperature, self._uncertain_below = card["temperature"], card["uncertain_below"]
        self._input = settings["input"]["name"]
        self._cropper = _make_cropper(settings)
        self._detector = FaceDetector(passes, settings["landmark_enlargement"])
        self._session = _open_session(model)

    @classmethod
    def load(cls, directory: str | Path, detection_side: int = 1024) -> "Recognizer":
        """A recognizer from a directory with ``card.json`` and the ONNX file that it names; takes a second or two.

        Raises:
            FileNotFoundError: a file is missing; the message says how to get it.
            ValueError: the card is damaged, the model is not the one it describes, or it does not fit this version.
        """
        path = Path(directory, CARD)
        text = _read(path)
        try:
            card = json.loads(text)
            model = _read(path.with_name(card["model"]["file"]))
            if hashlib.sha256(model).hexdigest() != card["model"]["sha256"]:
                raise ValueError(f"its sha256 is not that of {card['model']['file']}: run `dvc checkout {directory}`")
            return cls(card, model, detection_side)
        except (KeyError, TypeError) as error:
            raise ValueError(
                f"{path} is not the card of a model for this version, it has no proper {error}: "
                f"run `dvc pull {directory}`, or `dvc repro export` for networks of your own"
            ) from error
        except ValueError as error:
            raise ValueError(f"{path} cannot be used: {error}") from error

    def recognize(self, image: np.ndarray, most_faces: int | None = None) -> list[Recognition]:
        """The faces of a picture, best detector score first; empty when there is none.

        Args:
            image: uint8, gray of shape (height, width) or RGB of shape (height, width, 3), at least one pixel.
            most_faces: leave out all faces but so many, the best.

        Raises:
            ValueError: ``image`` is of another shape or type.
        """
        picture = _as_gray(image)
        find = self._find_as_in_training if max(picture.shape) <= TRAINING_SIDE else self._find_in_photo
        faces = find(picture, most_faces)
        if not faces:
            return []
        probabilities = self.classify(np.stack([crop for *_, crop in faces]))
        return [self._recognition(*face, row) for face, row in zip(faces, probabilities, strict=True)]

    def classify(self, crops: np.ndarray) -> np.ndarray:
        """What the network answers for crops.

        Args:
            crops: uint8, shape (N, size, size), at least one.

        Returns:
            float32, shape (N, classes), rows summing to 1.
        """
        views = [crops, crops[:, :, ::-1]] if self._flip else [crops]
        pixels = np.concatenate(views)[..., None].astype(np.float32)
        (answers,) = self._session.run(None, {self._input: pixels})
        return soften(soft_vote(np.split(answers, len(views))), self._temperature)

    def _recognition(self, box, score, landmarks, crop, probabilities: np.ndarray) -> Recognition:
        by_name = {name: float(value) for name, value in zip(self._classes, probabilities, strict=True)}
        return Recognition(box, score, landmarks, crop, by_name, max(by_name.values()) < self._uncertain_below)

    def _find_as_in_training(self, picture: np.ndarray, most_faces: int | None) -> list[tuple]:
        """Box, score, landmarks and crop of each face, as the stages ``align`` and ``frame`` make them."""
        faces = self._detector.detect(picture)[:most_faces]
        return [(face.box, face.score, face.landmarks, self._cropper.crop(picture, face.landmarks)) for face in faces]

    def _find_in_photo(self, photo: np.ndarray, most_faces: int | None) -> list[tuple]:
        """Box, score, landmarks and crop of each face: found on a smaller copy, cut out of the photo itself."""
        small, scale = _reduce(photo, min(1.0, self._side / max(photo.shape)))
        faces = []
        passes = (self._detector.find(small, detection_pass) for detection_pass in _PHOTO_PASSES)
        for box, score in next(filter(None, passes), [])[:most_faces]:
            left, top, width, height = np.array(box) / np.tile(scale, 2)
            landmarks, crop = self._crop_from_photo(photo, (left, top, width, height))
            faces.append(((float(left), float(top), float(width), float(height)), score, landmarks, crop))
        return faces

    def _crop_from_photo(self, photo: np.ndarray, box: tuple[float, ...]) -> tuple[np.ndarray, np.ndarray]:
        """A face's landmarks in pixels of the photo, and its crop.

        The crop comes from a copy in which the face is as large as in training: the warp takes single pixels, and would
        take noise for texture in a large face. No face is enlarged.
        """
        left, top, width, height = box
        region, origin = _cut_out(photo, box)
        landmarks = self._find_landmarks(region, np.array([left - origin[0], top - origin[1], width, height]))
        small, scale = _reduce(region, min(1.0, FACE_SIDE / width))
        crop = self._cropper.crop(small, (landmarks + 0.5) * scale - 0.5)
        return (landmarks + origin).astype(np.float32), crop

    def _find_landmarks(self, region: np.ndarray, box: np.ndarray) -> np.ndarray:
        """Landmarks of the face in a box, brought to about the size at which landmarks were sought for training.

        In a larger one they are no more exact, and the predictor, which looks at single pixels, is led astray by noise.
        """
        factor = self._detector.landmark_enlargement * FACE_SIDE / box[2]
        reduced, scale = _reduce(region, min(1.0, factor))
        found = self._detector.landmarks(reduced, tuple(box * np.tile(scale, 2)), max(1, round(factor)))
        return (found + 0.5) / scale - 0.5


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError as error:
        raise FileNotFoundError(f"{path} is missing: run `dvc pull {path.parent}`") from error


def _make_cropper(settings: dict) -> Aligner | Framer:
    cropper = make_cropper(settings["pictures"], settings, load_mean_shape())
    template = np.array(settings["template"])
    if template.shape != cropper.template.shape or not np.allclose(template, cropper.template, rtol=0, atol=1e-9):
        raise ValueError("its template is not that of the packaged mean shape: run `dvc repro export`")
    return cropper


def _open_session(model: bytes) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1  # threads beyond the callers' own get in their way
    return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])


def _as_gray(image: np.ndarray) -> np.ndarray:
    if image.dtype == np.uint8 and image.size:
        if image.ndim == 2:
            return image
        if image.ndim == 3 and image.shape[2] == 3:
            return cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
    raise ValueError(
        f"an image must be uint8 of shape (height, width) or (height, width, 3) and not empty; "
        f"this one is {image.dtype} of shape {image.shape}"
    )


def _reduce(picture: np.ndarray, factor: float) -> tuple[np.ndarray, np.ndarray]:
    """The picture made smaller by averaging, and by how much exactly in x and y, as whole pixels allow."""
    if factor == 1:
        return picture, np.ones(2)
    size = np.array(picture.shape[::-1])
    small = np.maximum(1, np.round(factor * size)).astype(int)
    return cv2.resize(picture, small.tolist(), interpolation=cv2.INTER_AREA), small / size


def _cut_out(photo: np.ndarray, box: tuple[float, ...]) -> tuple[np.ndarray, np.ndarray]:
    """The part of the photo around a face, and where its upper left corner is in the photo (x and y, pixels)."""
    left, top, width, height = box
    around_x, around_y = _SURROUNDINGS * width, _SURROUNDINGS * height
    start = np.clip(np.floor([left - around_x, top - around_y]), 0, None).astype(int)
    end = np.ceil([left + width + around_x, top + height + around_y]).astype(int)
    return photo[start[1] : end[1], start[0] : end[0]], start
