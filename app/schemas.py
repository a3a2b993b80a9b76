"""Query parameters and response bodies of the API."""

from typing import Annotated, Any, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field
from pydantic.json_schema import SkipJsonSchema

from facial_expression.images import Picture
from facial_expression.recognizer import Recognition

from .images import encode_data_url
from .problems import ProblemDetails

MAX_FACES = 100
"""The most faces that a request may ask for."""

EmotionName = Annotated[str, Field(min_length=1, description="a class of the model; GET /api/v1/model lists them")]
Turn = Literal[0, 90, 180, 270]
Point = Annotated[list[float], Field(min_length=2, max_length=2)]
Share = Annotated[float, Field(ge=0, le=1)]


class RecognitionOptions(BaseModel):
    """The query parameters of a recognition; unknown ones are errors."""

    model_config = ConfigDict(extra="forbid")

    whole_picture: bool = Field(False, description="treat the whole picture as one face instead of searching for faces")
    max_faces: Annotated[int, Field(ge=1, le=MAX_FACES)] | SkipJsonSchema[None] = Field(
        None, description="return at most this many faces; by default the server's setting"
    )
    min_score: Annotated[float, Field(allow_inf_nan=False)] | SkipJsonSchema[None] = Field(
        None, description="leave out faces with a lower detector score"
    )


class FaceResponse(BaseModel):
    """One face and its expression."""

    box: Annotated[list[float], Field(min_length=4, max_length=4)] = Field(
        description="left, top, width and height in pixels; may extend beyond the image"
    )
    score: float = Field(description="detector score")
    landmarks: Annotated[list[Point], Field(min_length=68, max_length=68)] = Field(
        description="68 points (x, y) in pixels, in iBUG 300-W order"
    )
    crop: str = Field(description="data URL of a PNG: the network's input")
    probabilities: dict[EmotionName, Share] = Field(description="by emotion; they sum to 1")
    emotion: EmotionName = Field(description="the most probable emotion")
    uncertain: bool = Field(description="true if the highest probability is below the model's confidence threshold")


class RecognitionResponse(BaseModel):
    """All faces in an image, best first. Coordinates are those of the image as sent, after its EXIF orientation."""

    width: int = Field(ge=1, description="width of the image in pixels")
    height: int = Field(ge=1, description="height of the image in pixels")
    turn: Turn = Field(description="degrees clockwise by which the image must be turned to make its faces upright")
    faces: list[FaceResponse]
    faces_found: int = Field(ge=0, description="number of faces, including those beyond `max_faces`")
    milliseconds: float = Field(ge=0, description="time to decode the image and recognize its faces")


class BatchItem(BaseModel):
    """The result for one image of a batch: either ``recognition`` or ``problem`` is null."""

    file: str = Field(description="name of the file, as the form gives it")
    recognition: RecognitionResponse | None
    problem: ProblemDetails | None


class BatchResponse(BaseModel):
    """The results of a batch, in the order of its images."""

    results: list[BatchItem]


class DeprecatedRecognitionResponse(BaseModel):
    """All faces in an image, best first."""

    width: int = Field(ge=1, description="width of the image in pixels")
    height: int = Field(ge=1, description="height of the image in pixels")
    faces: list[FaceResponse]
    more_faces: bool = Field(description="true if faces were left out to stay within the server's limit")
    milliseconds: float = Field(ge=0, description="time to decode the image and recognize its faces")


class Emotion(BaseModel):
    """An emotion as the page displays it."""

    name: EmotionName
    emoji: str | None = Field(description="null for a class of one's own")


class DeprecatedServerSettings(BaseModel):
    """The server's limits, and the emotions."""

    max_bytes: int = Field(ge=1, description="maximum size of a request's image files in bytes, together")
    max_pixels: int = Field(ge=1, description="maximum width times height of an image; four times as many for JPEG")
    max_faces: int = Field(ge=1, description="maximum number of faces returned unless the request gives another")
    emotions: list[Emotion]


class ServerSettings(DeprecatedServerSettings):
    """The server's limits, the emotions, and whether recognition needs an API key."""

    api_key_required: bool


class ServedFile(BaseModel):
    """The model's file and its figures on FER2013."""

    model_config = ConfigDict(extra="allow")

    file: str
    variant: str
    bytes: int
    sha256: str
    validation_accuracy: Share
    accuracy: Share


class Metrics(BaseModel):
    """Figures of the served file on the test set."""

    model_config = ConfigDict(extra="allow")

    accuracy: Share
    accuracy_low: Share = Field(description="lower end of the 95% interval")
    accuracy_high: Share = Field(description="upper end of the 95% interval")
    n: int = Field(ge=1, description="number of test faces")
    recall: dict[EmotionName, Share | None] | None = Field(
        None, description="share of each emotion's faces recognized; null for one without test faces"
    )


class CardViews(BaseModel):
    """Views beside the face itself; 0 or false leaves a kind out."""

    mirror: bool = Field(description="also the mirror image of each view")
    shift: float = Field(ge=0, description="pixels: eight views, moved to all sides and corners")
    scale: Share = Field(description="two views, smaller and larger by this fraction")
    rotation: float = Field(ge=0, description="degrees: two views, turned to both sides")


class ModelCard(BaseModel):
    """What the model is, how faces are prepared for it, how well it does, and where it comes from."""

    model_config = ConfigDict(extra="allow", protected_namespaces=())

    title: str = Field(description="the network in words")
    run: str = Field(description="the run, or those whose networks are averaged")
    protocol: str = Field(description="how FER2013 was split")
    classes: list[EmotionName]
    model: ServedFile
    views: CardViews = Field(description="views of a face over which probabilities are averaged")
    temperature: float = Field(gt=0, description="what the logits are divided by")
    confidence_threshold: Share
    preprocessing: dict[str, Any] = Field(description="how a face becomes an input of the network")
    metrics: Metrics


def describe_recognition(
    picture: Picture, found: list[Recognition], max_faces: int, milliseconds: float
) -> RecognitionResponse:
    """Convert a recognition for the API.

    Args:
        picture: the image.
        found: its faces, best first, with coordinates in pixels of ``picture.gray``.
        max_faces: how many of them to include.
        milliseconds: how long it took.
    """
    turn = found[0].turn if found else 0
    return RecognitionResponse(
        width=picture.width,
        height=picture.height,
        turn=turn,
        faces=[_describe_face(face, picture.scale) for face in found[:max_faces]],
        faces_found=len(found),
        milliseconds=round(milliseconds, 1),
    )


def _describe_face(face: Recognition, scale: np.ndarray) -> FaceResponse:
    """Convert a face for the API; lengths are rounded to a thousandth of a pixel."""
    landmarks = (face.landmarks.astype(float) + 0.5) * scale - 0.5  # whole coordinates are at the centers of pixels
    return FaceResponse(
        box=(np.array(face.box) * np.tile(scale, 2)).round(3).tolist(),
        score=round(face.score, 4),
        landmarks=landmarks.round(3).tolist(),
        crop=encode_data_url(face.crop),
        probabilities=face.probabilities,
        emotion=face.emotion,
        uncertain=face.uncertain,
    )
