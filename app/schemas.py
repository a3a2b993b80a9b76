"""Response bodies of the API."""

from pydantic import BaseModel, Field

from app.images import encode_data_url
from facial_expression.recognizer import Recognition


class FaceResponse(BaseModel):
    """One face and its expression."""

    box: list[float] = Field(description="left, top, width and height in pixels; may extend beyond the image")
    score: float = Field(description="detector score, above 0")
    landmarks: list[list[float]] = Field(description="68 points (x, y) in pixels, in iBUG 300-W order")
    crop: str = Field(description="data URL of a PNG: the network's input")
    probabilities: dict[str, float] = Field(description="by emotion; they sum to 1")
    emotion: str = Field(description="the most probable emotion")
    uncertain: bool = Field(description="true if the highest probability is below the model's confidence threshold")


class RecognitionResponse(BaseModel):
    """All faces in an image, highest detector score first."""

    width: int = Field(description="width of the upright image in pixels")
    height: int = Field(description="height of the upright image in pixels")
    faces: list[FaceResponse]
    more_faces: bool = Field(description="true if faces with lower scores were left out to stay within the limit")
    milliseconds: float = Field(description="time to decode the image and recognize its faces")


class EmotionName(BaseModel):
    """An emotion as the page displays it."""

    name: str
    emoji: str


class PageSettings(BaseModel):
    """Server settings that the page needs."""

    max_bytes: int
    max_pixels: int
    max_faces: int
    emotions: list[EmotionName]


def describe_face(face: Recognition) -> FaceResponse:
    """Convert a face for the API; lengths are rounded to a thousandth of a pixel."""
    return FaceResponse(
        box=[round(length, 3) for length in face.box],
        score=round(face.score, 4),
        landmarks=face.landmarks.astype(float).round(3).tolist(),
        crop=encode_data_url(face.crop),
        probabilities=face.probabilities,
        emotion=face.emotion,
        uncertain=face.uncertain,
    )
