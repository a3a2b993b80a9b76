"""What can be set from outside: environment variables that begin with ``FACIAL_EXPRESSION_``."""

import os
from pathlib import Path

from pydantic import Field, PositiveFloat, PositiveInt
from pydantic_settings import BaseSettings, SettingsConfigDict


def _usable_cores() -> int:
    """Of this process, which may be fewer than the machine has; a container's share of time is not counted."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


class Settings(BaseSettings):
    """Where the model is, and the limits that keep one server of known size answering.

    Memory is bounded by them: at most ``workers + waiting`` bodies of ``max_bytes`` and ``workers`` pictures of
    ``max_pixels`` are held at once. A picture takes several times
    its pixels while it is decoded: count with 1 GB per worker.

    Raises:
        pydantic.ValidationError: a variable has no usable value.
    """

    model_config = SettingsConfigDict(env_prefix="FACIAL_EXPRESSION_", frozen=True)

    model: Path = Field(Path("models/serving"), description="directory with `card.json` and the ONNX file")
    max_bytes: PositiveInt = Field(10_000_000, description="largest picture file in bytes")
    max_pixels: PositiveInt = Field(25_000_000, le=150_000_000, description="largest picture, width times height")
    max_faces: PositiveInt = Field(20, description="faces answered for per picture, the best-scored ones")
    detection_side: int = Field(
        1024, ge=128, le=8192, description="longer side in pixels of the copy in which faces are sought"
    )
    workers: PositiveInt = Field(
        default_factory=_usable_cores, description="pictures worked on at once; by default one per core"
    )
    waiting: int = Field(32, ge=0, description="requests held beyond those; any more are turned away with 503")
    upload_seconds: PositiveFloat = Field(20.0, description="how long a body may take to arrive")
    answer_seconds: PositiveFloat = Field(10.0, description="how long a picture may wait and be worked on")
