"""What the application answers, as the API documents it."""

from pydantic import BaseModel, Field

from app.images import encode_data_url
from facial_expression.recognizer import Recognition


class FaceAnswer(BaseModel):
    """One face and its expression."""

    box: list[float] = Field(description="left, top, width and height in pixels; may reach outside of the picture")
    score: float = Field(description="the detector's confidence, above 0")
    landmarks: list[list[float]] = Field(description="68 points, x and y in pixels, in the order of iBUG 300-W")
    crop: str = Field(description="data URL of a PNG: the face as the network saw it")
    probabilities: dict[str, float] = Field(description="by emotion; they sum to 1")
    emotion: str = Field(description="the most probable one")
    uncertain: bool = Field(description="even that one is not probable enough to rely on")


class Answer(BaseModel):
    """All faces of a picture, the best-detected first."""

    width: int = Field(description="of the upright picture, in pixels")
    height: int = Field(description="of the upright picture, in pixels")
    faces: list[FaceAnswer]
    more_faces: bool = Field(description="there are more than the server answers for; those left out scored lower")
    milliseconds: float = Field(description="time to decode the picture and to recognize its faces")


class EmotionName(BaseModel):
    """How an emotion is shown."""

    name: str
    emoji: str


class PageSettings(BaseModel):
    """What the page needs to know of the server."""

    max_bytes: int
    max_pixels: int
    max_faces: int
    emotions: list[EmotionName]


def describe_face(face: Recognition) -> FaceAnswer:
    """A face as the API answers it, lengths to a thousandth of a pixel."""
    return FaceAnswer(
        box=[round(length, 3) for length in face.box],
        score=round(face.score, 4),
        landmarks=face.landmarks.astype(float).round(3).tolist(),
        crop=encode_data_url(face.crop),
        probabilities=face.probabilities,
        emotion=face.emotion,
        uncertain=face.uncertain,
    )
