"""Errors that the API reports, as problem details (RFC 9457)."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from http import HTTPStatus

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException

MEDIA_TYPE = "application/problem+json"


@dataclass(frozen=True)
class Kind:
    """A kind of problem; ``name`` is its anchor on the page ``/errors``, which shows ``explanation``."""

    name: str
    status: int
    title: str
    explanation: str


EMPTY = Kind("empty", 400, "No image in the request", "The request has no image, or an empty one.")
SEVERAL_IMAGES = Kind(
    "several-images",
    400,
    "Several images in the request",
    "The form has several images, which /api/v1/recognize-batch accepts, or too many even for that.",
)
MALFORMED = Kind(
    "malformed",
    400,
    "Malformed request body",
    "The body is not the form that its Content-Type declares, or it is incomplete.",
)
API_KEY = Kind("api-key", 401, "API key missing or wrong", "This server answers only requests with its API key.")
SLOW_UPLOAD = Kind("slow-upload", 408, "Upload timed out", "The body took too long to arrive, or arrived too slowly.")
TOO_LARGE = Kind("too-large", 413, "File too large", "The request exceeds the limit in bytes.")
TOO_MANY_PIXELS = Kind(
    "too-many-pixels",
    413,
    "Too many pixels",
    "The image exceeds the limit on width times height, which is checked in the file's header before decoding.",
)
UNSUPPORTED = Kind(
    "unsupported",
    415,
    "Unsupported file format",
    "The file is not an image in a supported format, or the Content-Type is not that of an image or a form, or the "
    "body is compressed.",
)
DAMAGED = Kind("damaged", 422, "Damaged image", "The file looks like an image but cannot be decoded.")
INVALID_PARAMETER = Kind(
    "invalid-parameter", 422, "Invalid query parameter", "A query parameter is unknown, or its value is not allowed."
)
NO_FACE = Kind(
    "no-face",
    422,
    "No face found",
    "No face was found. Make sure the face is upright, well lit, and looking at the camera. Only the deprecated "
    "/api/recognize reports this as an error.",
)
RATE_LIMITED = Kind(
    "rate-limited", 429, "Too many requests", "Your address sent too many requests. Retry-After says when to try again."
)
INTERNAL = Kind("internal", 500, "Internal server error", "Unexpected server error. Please report it.")
BUSY = Kind("busy", 503, "Server busy", "The server is at capacity. Retry-After says when to try again.")
TIMEOUT = Kind("timeout", 504, "Processing timed out", "Queueing and processing the image took too long.")

KINDS = (
    EMPTY,
    SEVERAL_IMAGES,
    MALFORMED,
    API_KEY,
    SLOW_UPLOAD,
    TOO_LARGE,
    TOO_MANY_PIXELS,
    UNSUPPORTED,
    DAMAGED,
    INVALID_PARAMETER,
    NO_FACE,
    RATE_LIMITED,
    INTERNAL,
    BUSY,
    TIMEOUT,
)


class Problem(Exception):
    """A request that cannot be fulfilled.

    Args:
        kind: one of ``KINDS``.
        detail: message for people: what is wrong with this request and how to fix it.
        headers: additional response headers.
    """

    def __init__(self, kind: Kind, detail: str, headers: Mapping[str, str] | None = None):
        super().__init__(detail)
        self.kind, self.detail, self.headers = kind, detail, headers


class ProblemDetails(BaseModel):
    """The body of every error response (RFC 9457)."""

    type: str = Field(description="where this kind of problem is documented", examples=["/errors#damaged"])
    title: str = Field(description="summary, the same for all problems of this kind", examples=[DAMAGED.title])
    status: int = Field(description="HTTP status", examples=[DAMAGED.status])
    detail: str = Field(description="what is wrong with this request and how to fix it")


def describe(problem: Problem, root_path: str = "") -> ProblemDetails:
    """The problem details of a problem; ``root_path`` is where a proxy has the application."""
    kind = problem.kind
    return ProblemDetails(
        type=f"{root_path}/errors#{kind.name}", title=kind.title, status=kind.status, detail=problem.detail
    )


def install(app: FastAPI, root_path: str, internal_headers: Mapping[str, str]) -> None:
    """Turn every error of the application into problem details.

    Args:
        app: the application.
        root_path: where a proxy has it.
        internal_headers: headers for status 500, whose response bypasses all middleware.
    """

    @app.exception_handler(Problem)
    async def on_problem(request: Request, problem: Problem) -> JSONResponse:
        return _respond(describe(problem, root_path), problem.headers)

    @app.exception_handler(RequestValidationError)
    async def on_invalid_parameter(request: Request, error: RequestValidationError) -> JSONResponse:
        details = (f"{_name(item['loc'])}: {item['msg'].lower()}" for item in error.errors())
        return _respond(describe(Problem(INVALID_PARAMETER, "; ".join(details) + "."), root_path))

    @app.exception_handler(HTTPException)
    async def on_http_exception(request: Request, error: HTTPException) -> JSONResponse:
        title = HTTPStatus(error.status_code).phrase
        detail = f"{request.method} {request.url.path}: {title.lower()}. See {root_path}/docs for the API."
        problem = ProblemDetails(type="about:blank", title=title, status=error.status_code, detail=detail)
        return _respond(problem, error.headers)

    @app.exception_handler(Exception)
    async def on_error(request: Request, error: Exception) -> JSONResponse:
        problem = Problem(INTERNAL, "Unexpected server error. Please report it.")
        return _respond(describe(problem, root_path), internal_headers)


def documentation(kinds: Iterable[Kind]) -> dict[int | str, dict]:
    """Describe an endpoint's problems in the form of FastAPI's argument ``responses``."""
    titles: dict[int, list[str]] = {}
    for kind in kinds:
        titles.setdefault(kind.status, []).append(kind.title)
    content = {MEDIA_TYPE: {"schema": ProblemDetails.model_json_schema()}}
    return {status: {"description": "; ".join(names), "content": content} for status, names in titles.items()}


def _name(location: tuple[str | int, ...]) -> str:
    """The name of a query parameter, shortened, since it may be anything."""
    return ".".join(str(part)[:40] for part in location[1:])


def _respond(problem: ProblemDetails, headers: Mapping[str, str] | None = None) -> JSONResponse:
    return JSONResponse(problem.model_dump(), problem.status, headers=dict(headers or {}), media_type=MEDIA_TYPE)
