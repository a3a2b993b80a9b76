"""Everything that can go wrong for a client, as problem details (RFC 9457)."""

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
    """One kind of problem: its name in the documentation, its status and what it is called."""

    name: str
    status: HTTPStatus
    title: str


EMPTY = Kind("empty", HTTPStatus.BAD_REQUEST, "No picture in the request")
MALFORMED = Kind("malformed", HTTPStatus.BAD_REQUEST, "The request's body is malformed")
SLOW_UPLOAD = Kind("slow-upload", HTTPStatus.REQUEST_TIMEOUT, "The upload took too long")
TOO_LARGE = Kind("too-large", HTTPStatus(413), "The file is too large")
TOO_MANY_PIXELS = Kind("too-many-pixels", HTTPStatus(413), "The picture has too many pixels")
UNSUPPORTED = Kind("unsupported", HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "Not a picture in a supported format")
DAMAGED = Kind("damaged", HTTPStatus(422), "The picture is damaged")
NO_FACE = Kind("no-face", HTTPStatus(422), "No face found")
BUSY = Kind("busy", HTTPStatus.SERVICE_UNAVAILABLE, "The server is busy")
TIMEOUT = Kind("timeout", HTTPStatus.GATEWAY_TIMEOUT, "The picture took too long")
INTERNAL = Kind("internal", HTTPStatus.INTERNAL_SERVER_ERROR, "The server made a mistake")

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
    """A request that cannot be answered, and why.

    Args:
        kind: one of ``KINDS``.
        detail: what is wrong with this request and what would help, for people.
        headers: further headers of the response.
    """

    def __init__(self, kind: Kind, detail: str, headers: Mapping[str, str] | None = None):
        super().__init__(detail)
        self.kind, self.detail, self.headers = kind, detail, headers


class ProblemDetails(BaseModel):
    """The body of every answer that is an error (RFC 9457)."""

    type: str = Field(description="where this kind of problem is explained", examples=["/docs#no-face"])
    title: str = Field(description="what is wrong, the same for all problems of this kind", examples=[NO_FACE.title])
    status: int = Field(description="the response's status", examples=[NO_FACE.status])
    detail: str = Field(description="what is wrong with this request and what would help")


def install(app: FastAPI, internal_headers: Mapping[str, str]) -> None:
    """Make problem details of every error of the application.

    Args:
        app: the application.
        internal_headers: headers of the answer to an unforeseen error, which no middleware gets to see.
    """

    async def on_problem(request: Request, problem: Problem) -> JSONResponse:
        kind = problem.kind
        return _respond(f"/docs#{kind.name}", kind.title, kind.status, problem.detail, problem.headers)

    async def on_http_exception(request: Request, error: HTTPException) -> JSONResponse:
        title = HTTPStatus(error.status_code).phrase
        detail = f"{request.method} {request.url.path}: {title.lower()}. See /docs for what there is."
        return _respond("about:blank", title, error.status_code, detail, error.headers)

    async def on_error(request: Request, error: Exception) -> JSONResponse:
        detail = "An error that nobody foresaw. It is not the picture's fault; please report it."
        return _respond(f"/docs#{INTERNAL.name}", INTERNAL.title, INTERNAL.status, detail, internal_headers)

    app.add_exception_handler(Problem, on_problem)
    app.add_exception_handler(HTTPException, on_http_exception)
    app.add_exception_handler(Exception, on_error)


def documentation(kinds: tuple[Kind, ...]) -> dict[int | str, dict]:
    """The problems of an endpoint, by status, as FastAPI documents them."""
    titles: dict[int, list[str]] = {}
    for kind in kinds:
        titles.setdefault(int(kind.status), []).append(kind.title)
    content = {MEDIA_TYPE: {"schema": ProblemDetails.model_json_schema()}}
    return {status: {"description": "; ".join(names), "content": content} for status, names in titles.items()}


def _respond(kind: str, title: str, status: int, detail: str, headers: Mapping[str, str] | None) -> JSONResponse:
    content = ProblemDetails(type=kind, title=title, status=status, detail=detail).model_dump()
    return JSONResponse(content, status, headers=dict(headers or {}), media_type=MEDIA_TYPE)
