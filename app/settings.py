"""Settings, read from environment variables that start with ``FACIAL_EXPRESSION_``."""

import os
from pathlib import Path

from pydantic import Field, PositiveFloat, PositiveInt
from pydantic_settings import BaseSettings, SettingsConfigDict


def _usable_cores() -> int:
    """Cores this process may use; a container's CPU quota is not taken into account."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


class Settings(BaseSettings):
    """The model's location and the server's limits.

    The limits bound memory: the server holds at most ``workers + queue_size`` bodies of ``max_bytes`` and ``workers``
    decoded images of ``max_pixels``. Decoding takes several times that, so plan for 1 GB per worker.

    Raises:
        pydantic.ValidationError: a variable has an invalid value.
    """

    model_config = SettingsConfigDict(env_prefix="FACIAL_EXPRESSION_", frozen=True)

    model: Path = Field(Path("models/serving"), description="directory with `card.json` and the ONNX file")
    max_bytes: PositiveInt = Field(10_000_000, description="maximum size of an image file in bytes")
    max_pixels: PositiveInt = Field(25_000_000, le=150_000_000, description="maximum width times height of an image")
    max_faces: PositiveInt = Field(20, description="maximum number of faces returned per image, highest scores first")
    detection_side: int = Field(
        1024, ge=128, le=8192, description="longer side in pixels to which photos are reduced for face detection"
    )
    workers: PositiveInt = Field(
        default_factory=_usable_cores, description="images processed concurrently; one per core by default"
    )
    queue_size: int = Field(32, ge=0, description="requests held beyond those; further ones get 503")
    upload_timeout: PositiveFloat = Field(20.0, description="seconds allowed for a request body to arrive")
    response_timeout: PositiveFloat = Field(10.0, description="seconds allowed for queueing and processing an image")
