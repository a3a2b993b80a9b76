"""The API, version 1, and the paths that it had before."""

from collections.abc import Iterable
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response
from pydantic import BaseModel

from facial_expression.emotions import EMOTIONS

from .. import problems
from ..access import access_rules
from ..forms import FIELD
from ..images import MEDIA_TYPES
from ..problems import API_KEY, INTERNAL, INVALID_PARAMETER, KINDS, NO_FACE, RATE_LIMITED, SEVERAL_IMAGES, Problem
from ..recognition import RecognitionService
from ..schemas import (
    BatchResponse,
    DeprecatedRecognitionResponse,
    DeprecatedServerSettings,
    Emotion,
    ModelCard,
    RecognitionOptions,
    RecognitionResponse,
    ServerSettings,
)
from ..settings import Settings

RECOGNITION_PATHS = ("/api/v1/recognize", "/api/v1/recognize-batch", "/api/recognize")

_FILE = {"type": "string", "format": "binary"}
_ALWAYS = tuple(kind for kind in KINDS if kind not in (NO_FACE, INVALID_PARAMETER, API_KEY, RATE_LIMITED))

Options = Annotated[RecognitionOptions, Query()]


def make_router(settings: Settings, service: RecognitionService) -> APIRouter:
    dependencies, kinds = access_rules(settings)
    current, deprecated = APIRouter(tags=["recognition"]), APIRouter(tags=["deprecated"], deprecated=True)
    _add_recognition(current, service, dependencies, kinds)
    _add_descriptions(current, settings, service)
    _add_deprecated(deprecated, settings, service, dependencies, kinds)
    router = APIRouter()
    router.include_router(current)
    router.include_router(deprecated)
    return router


def _add_recognition(
    router: APIRouter, service: RecognitionService, dependencies: Any, kinds: tuple[problems.Kind, ...]
) -> None:
    @router.post(
        "/api/v1/recognize",
        dependencies=dependencies,
        response_model=RecognitionResponse,
        openapi_extra=_body(several=False),
        responses=problems.documentation((*_ALWAYS, INVALID_PARAMETER, *kinds)),
    )
    async def recognize(request: Request, options: Options) -> Response:
        """Find the faces in an image and recognize their expressions.

        The body is a form with the field `image`, or the image itself. An image without a face is no error.
        """
        return _respond(await service.recognize(request, options))

    @router.post(
        "/api/v1/recognize-batch",
        dependencies=dependencies,
        response_model=BatchResponse,
        openapi_extra=_body(several=True),
        responses=problems.documentation(
            (*(kind for kind in _ALWAYS if kind is not SEVERAL_IMAGES), INVALID_PARAMETER, *kinds)
        ),
    )
    async def recognize_batch(request: Request, options: Options) -> Response:
        """Recognize the faces of several images: a form with several fields `image`.

        The limits on bytes and time are those of a single image. An image that cannot be used gets a problem of its
        own, and the others their results.
        """
        return _respond(await service.recognize_batch(request, options))


def _add_descriptions(router: APIRouter, settings: Settings, service: RecognitionService) -> None:
    @router.get("/api/v1/model", response_model_exclude_unset=True, responses=problems.documentation((INTERNAL,)))
    def describe_model() -> ModelCard:
        """Return the model card: classes, preprocessing, accuracy on the test set, and provenance."""
        return ModelCard.model_validate(service.card)

    @router.get("/api/v1/settings")
    def describe_settings() -> ServerSettings:
        """Return the server's limits, the emoji of each emotion, and whether an API key is needed."""
        return _describe_settings(settings, service.card)


def _add_deprecated(
    router: APIRouter,
    settings: Settings,
    service: RecognitionService,
    dependencies: Any,
    kinds: tuple[problems.Kind, ...],
) -> None:
    @router.post(
        "/api/recognize",
        dependencies=dependencies,
        response_model=DeprecatedRecognitionResponse,
        openapi_extra=_body(several=False),
        responses=problems.documentation((*_ALWAYS, NO_FACE, *kinds)),
    )
    async def recognize_deprecated(request: Request) -> Response:
        """Find the faces in an image and recognize their expressions; an image without a face is an error."""
        found = await service.recognize(request, RecognitionOptions())
        if not found.faces:
            raise Problem(NO_FACE, "Make sure the face is upright, well lit, and looking at the camera.")
        more = found.faces_found > len(found.faces)
        return _respond(DeprecatedRecognitionResponse(**dict(found), more_faces=more))

    @router.get("/api/model", response_model_exclude_unset=True, responses=problems.documentation((INTERNAL,)))
    def describe_model_deprecated() -> ModelCard:
        """Return the model card."""
        return ModelCard.model_validate(service.card)

    @router.get("/api/settings", response_model=DeprecatedServerSettings)
    def describe_settings_deprecated() -> ServerSettings:
        """Return the server's limits and the emoji of each emotion."""
        return _describe_settings(settings, service.card)


def _describe_settings(settings: Settings, card: dict[str, Any]) -> ServerSettings:
    limits = settings.model_dump(include={"max_bytes", "max_pixels", "max_faces"})
    emoji = {emotion.name: emotion.emoji for emotion in EMOTIONS}
    classes = card.get("classes", ())
    shown = emoji if emoji.keys() >= set(classes) else classes  # beside its own classes, others would only confuse
    emotions = [Emotion(name=name, emoji=emoji.get(name)) for name in shown]
    return ServerSettings(**limits, emotions=emotions, api_key_required=bool(settings.api_key))


def _respond(body: BaseModel) -> Response:
    """The response for a body that is valid already, which FastAPI would validate again."""
    return Response(body.model_dump_json(), media_type="application/json")


def _body(several: bool) -> dict[str, Any]:
    """The description of a request's body, which FastAPI cannot infer, because the endpoints read it themselves."""
    image = {**_FILE, "minLength": 1}
    images = {"type": "array", "items": _FILE, "minItems": 1} if several else image
    schema = {"type": "object", "required": [FIELD], "properties": {FIELD: images}}
    form = {"schema": schema, "encoding": {FIELD: {"contentType": ", ".join(MEDIA_TYPES)}}}
    raw: Iterable[str] = () if several else MEDIA_TYPES
    content = {"multipart/form-data": form, **{media_type: {"schema": image} for media_type in raw}}
    return {"requestBody": {"required": True, "content": content}}
