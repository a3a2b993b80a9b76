"""Settings, read from environment variables that start with ``FACIAL_EXPRESSION_``."""

import difflib
import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated

from pydantic import AliasChoices, Field, NonNegativeFloat, PositiveFloat, PositiveInt, ValidationError, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from facial_expression.cores import usable_cores
from facial_expression.errors import UserError

from .schemas import MAX_FACES

PREFIX = "FACIAL_EXPRESSION_"
_PAGES = ("docs", "documentation", "errors", "static", "swagger")
_OPERATIONS = ("api", "healthz", "metrics", "openapi.json", "readyz")
_OTHER_VARIABLES = {"PHOTOS"}  # the folder of photos that tests and benchmarks use


class Settings(BaseSettings):
    """The model's location, the server's address and its limits.

    The limits bound memory: the server holds at most ``max_upload_memory`` bytes of request bodies and ``workers``
    decoded images. Decoding takes several times an image's pixels, so plan for 1 GB per worker.

    Raises:
        pydantic.ValidationError: a variable has an invalid value.
    """

    model_config = SettingsConfigDict(env_prefix=PREFIX, frozen=True, populate_by_name=True)

    model: Path = Field(Path("models/serving"), description="directory with `card.json` and the ONNX file")
    host: str = Field("127.0.0.1", min_length=1, description="address to listen on; `0.0.0.0` for all")
    port: int = Field(8000, ge=0, le=65535, validation_alias=AliasChoices(PREFIX + "PORT", "PORT"))
    root_path: str = Field("", pattern=r"^(/[^/?#]+)*$", description="path under which a proxy has the application")
    max_bytes: PositiveInt = Field(25_000_000, description="maximum size of an image file in bytes")
    max_pixels: PositiveInt = Field(25_000_000, le=150_000_000, description="maximum width times height of an image")
    max_faces: PositiveInt = Field(20, le=MAX_FACES, description="maximum number of faces returned by default")
    detection_side: int = Field(
        1024, ge=128, le=8192, description="longer side in pixels to which photos are reduced for face detection"
    )
    workers: PositiveInt = Field(default_factory=usable_cores, description="images processed concurrently")
    queue_size: int = Field(32, ge=0, description="complete requests held beyond those; further ones get 503")
    response_timeout: PositiveFloat = Field(10.0, description="seconds allowed for queueing and processing an image")
    upload_timeout: PositiveFloat = Field(60.0, description="seconds allowed for a request body to arrive")
    min_upload_rate: NonNegativeFloat = Field(10_000.0, description="bytes per second that a body must arrive at")
    max_upload_memory: PositiveInt = Field(200_000_000, description="bytes of request bodies held at the same time")
    max_client_uploads: PositiveInt = Field(32, description="bodies that one address may send at the same time")
    max_connections: PositiveInt = Field(1000, description="open connections")
    header_timeout: PositiveFloat = Field(10.0, description="seconds allowed for a request's headers to arrive")
    api_key: str = Field("", description="key that recognition requires in the header `X-API-Key`")
    rate_limit: NonNegativeFloat = Field(0.0, description="recognition requests per minute and address; 0: no limit")
    cors_origins: Annotated[tuple[str, ...], NoDecode] = Field(
        (), description="origins, separated by commas, whose pages may use the API"
    )

    @field_validator("cors_origins", mode="before")
    @classmethod
    def _split_origins(cls, value: object) -> object:
        if not isinstance(value, str):
            return value
        return tuple(origin.strip().rstrip("/").lower() for origin in value.split(",") if origin.strip())

    @field_validator("api_key")
    @classmethod
    def _check_key(cls, value: str) -> str:
        key = value.strip()  # files of secrets often end with a line break
        if not re.fullmatch(r"[ -~]*", key) or (value and not key):
            raise ValueError("must be printable characters of ASCII")
        return key

    @field_validator("root_path")
    @classmethod
    def _check_root_path(cls, value: str) -> str:
        if value and value.split("/")[1] in (*_PAGES, *_OPERATIONS):
            raise ValueError("must not begin with a path of the application's own")
        return value


def load_settings(environment: Mapping[str, str] = os.environ) -> Settings:
    """Read the settings from the environment.

    Raises:
        UserError: a variable is unknown or its value is invalid; the message names it.
    """
    unknown = list(_unknown_variables(environment))
    if unknown:
        raise UserError("; ".join(unknown))
    try:
        return Settings()
    except ValidationError as error:
        raise UserError("; ".join(_explain(error))) from None


def _unknown_variables(environment: Mapping[str, str]) -> Iterator[str]:
    known = {name.upper() for name in Settings.model_fields} | _OTHER_VARIABLES
    for variable in sorted(environment):
        name = variable.removeprefix(PREFIX)
        if name != variable and name not in known:
            (closest,) = difflib.get_close_matches(name, sorted(known), n=1) or [""]
            yield f"unknown variable {variable}" + (f": did you mean {PREFIX}{closest}?" if closest else "")


def _explain(error: ValidationError) -> Iterator[str]:
    for item in error.errors():
        variable = str(item["loc"][0]).upper()
        name = variable if variable.startswith(PREFIX) or variable == "PORT" else PREFIX + variable
        value = "…" if name == f"{PREFIX}API_KEY" else item["input"]  # which must not be logged
        yield f"{name}={value}: {item['msg'][0].lower()}{item['msg'][1:]}"
