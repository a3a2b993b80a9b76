"""Errors that the API reports, as problem details (RFC 9457)."""

from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus

from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException

MEDIA_TYPE = "application/problem+json"


@dataclass(frozen=True)
class Kind:
    """A kind of problem; ``name`` is its anchor on the page ``/docs``."""

    name: str
    status: HTTPStatus
    title: str


EMPTY = Kind("empty", HTTPStatus.BAD_REQUEST, "No image in the request")
MALFORMED = Kind("malformed", HTTPStatus.BAD_REQUEST, "Malformed request body")
SLOW_UPLOAD = Kind("slow-upload", HTTPStatus.REQUEST_TIMEOUT, "Upload timed out")
TOO_LARGE = Kind("too-large", HTTPStatus(413), "File too large")
TOO_MANY_PIXELS = Kind("too-many-pixels", HTTPStatus(413), "Too many pixels")
UNSUPPORTED = Kind("unsupported", HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "Unsupported file format")
DAMAGED = Kind("damaged", HTTPStatus(422), "Damaged image")
NO_FACE = Kind("no-face", HTTPStatus(422), "No face found")
BUSY = Kind("busy", HTTPStatus.SERVICE_UNAVAILABLE, "Server busy")
TIMEOUT = Kind("timeout", HTTPStatus.GATEWAY_TIMEOUT, "Processing timed out")
INTERNAL = Kind("internal", HTTPStatus.INTERNAL_SERVER_ERROR, "Internal server error")

KINDS = (
    EMPTY,
    MALFORMED,
    SLOW_UPLOAD,
    TOO_LARGE,
    TOO_MANY_PIXELS,
    UNSUPPORTED,
    DAMAGED,
    NO_FACE,
    BUSY,
    TIMEOUT,
    INTERNAL,
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

    type: str = Field(description="where this kind of problem is documented", examples=["/docs#no-face"])
    title: str = Field(description="summary, the same for all problems of this kind", examples=[NO_FACE.title])
    status: int = Field(description="HTTP status", examples=[NO_FACE.status])
    detail: str = Field(description="what is wrong with this request and how to fix it")


def install(app: FastAPI, internal_headers: Mapping[str, str]) -> None:
    """Turn every error of the application into problem details.

    Args:
        app: the application.
        internal_headers: headers for status 500, whose response bypasses all middleware.
    """

    @app.exception_handler(Problem)
    async def on_problem(request: Request, problem: Problem) -> JSONResponse:
        kind = problem.kind
        return _respond(f"/docs#{kind.name}", kind.title, kind.status, problem.detail, problem.headers)

    @app.exception_handler(HTTPException)
    async def on_http_exception(request: Request, error: HTTPException) -> JSONResponse:
        title = HTTPStatus(error.status_code).phrase
        detail = f"{request.method} {request.url.path}: {title.lower()}. See /docs for the API."
        return _respond("about:blank", title, error.status_code, detail, error.headers)

    @app.exception_handler(Exception)
    async def on_error(request: Request, error: Exception) -> JSONResponse:
        detail = "Unexpected server error. Please report it."
        return _respond(f"/docs#{INTERNAL.name}", INTERNAL.title, INTERNAL.status, detail, internal_headers)


def documentation(kinds: tuple[Kind, ...]) -> dict[int | str, dict]:
    """Describe an endpoint's problems in the form of FastAPI's argument ``responses``."""
    titles: dict[int, list[str]] = {}
    for kind in kinds:
        titles.setdefault(int(kind.status), []).append(kind.title)
    content = {MEDIA_TYPE: {"schema": ProblemDetails.model_json_schema()}}
    return {status: {"description": "; ".join(names), "content": content} for status, names in titles.items()}


def _respond(kind: str, title: str, status: int, detail: str, headers: Mapping[str, str] | None) -> JSONResponse:
    content = ProblemDetails(type=kind, title=title, status=status, detail=detail).model_dump()
    return JSONResponse(content, status, headers=dict(headers or {}), media_type=MEDIA_TYPE)
