"""The application: its endpoints and how they are put together.

Serve it with::

    uvicorn --factory app.main:create_app
"""

import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import cv2
from fastapi import FastAPI, Request, Response
from fastapi.responses import FileResponse
from fastapi.staticfiles import StaticFiles
from pydantic import ValidationError

from app import problems
from app.answers import Answer, EmotionName, PageSettings, describe_face
from app.images import FORMATS, decode_gray
from app.middleware import SECURITY_HEADERS, Counting, Headers
from app.monitoring import MEDIA_TYPE, Monitoring
from app.problems import BUSY, INTERNAL, KINDS, NO_FACE, Problem
from app.settings import Settings
from app.uploads import FIELD, read_picture
from app.workers import Workers
from facial_expression.emotions import EMOTIONS
from facial_expression.recognizer import Recognizer

STATIC = Path(__file__).with_name("static")
RECOGNIZE = "/api/recognize"
STUCK_AFTER = 6
"""How many times its time a picture may be worked on before the server says that it is not well."""

_BODY = {  # what FastAPI cannot see, because the body is read by hand
    "requestBody": {
        "required": True,
        "content": {
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "required": [FIELD],
                    "properties": {FIELD: {"type": "string", "format": "binary"}},
                }
            },
            **{f"image/{name.lower()}": {"schema": {"type": "string", "format": "binary"}} for name in FORMATS},
        },
    }
}


def create_app(settings: Settings | None = None, recognizer: Recognizer | None = None) -> FastAPI:
    """The application, ready to answer.

    Args:
        settings: limits and the model's place; from the environment if left out.
        recognizer: what finds the faces; loaded from ``settings.model`` if left out.

    Raises:
        SystemExit: a setting is wrong or the model cannot be loaded; the message says what would help.
    """
    try:
        settings = settings or Settings()
        recognizer = recognizer or Recognizer.load(settings.model, settings.detection_side)
    except (ValidationError, FileNotFoundError, ValueError) as error:
        sys.exit(f"app: {error}")
    cv2.setNumThreads(1)  # every worker has one core to itself
    workers = Workers(settings.workers, settings.waiting)
    monitoring = Monitoring(lambda: workers.admitted)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        yield
        workers.close()

    app = FastAPI(
        title="Facial expressions",
        description="Recognizes the expressions of faces in photos. Photos are processed in memory and not stored.",
        version="1",
        docs_url=None,
        redoc_url=None,
        lifespan=lifespan,
    )
    app.add_middleware(Counting, RECOGNIZE, monitoring)
    app.add_middleware(Headers)
    problems.install(app, SECURITY_HEADERS)
    _add_recognition(app, settings, recognizer, workers, monitoring)
    _add_operation(app, settings, workers, monitoring)
    _add_pages(app)
    return app


def _add_recognition(
    app: FastAPI, settings: Settings, recognizer: Recognizer, workers: Workers, monitoring: Monitoring
) -> None:
    def answer(data: bytes) -> Answer:
        start = time.perf_counter()
        picture = decode_gray(data, settings.max_pixels)
        found = recognizer.recognize(picture, settings.max_faces + 1)
        faces = [describe_face(face) for face in found[: settings.max_faces]]
        seconds = time.perf_counter() - start
        monitoring.count_picture(len(faces), seconds)
        if not faces:
            raise Problem(NO_FACE, "Faces are found when they look at the camera, upright and well lit.")
        height, width = picture.shape
        more = len(found) > len(faces)
        return Answer(width=width, height=height, faces=faces, more_faces=more, milliseconds=round(1000 * seconds, 1))

    @app.post(RECOGNIZE, openapi_extra=_BODY, responses=problems.documentation(KINDS))
    async def recognize(request: Request) -> Answer:
        """Find the faces in a picture (JPEG, PNG, WebP, GIF or BMP) and recognize their expressions."""
        with workers.admit():
            data = await read_picture(request, settings.max_bytes, settings.upload_seconds)
            return await workers.run(answer, data, seconds=settings.answer_seconds)

    @app.get("/api/model", responses=problems.documentation((INTERNAL,)))
    def describe_model() -> dict:
        """The model's card: classes, preprocessing, accuracy on test faces, and where it comes from."""
        return recognizer.card

    @app.get("/api/settings")
    def describe_settings() -> PageSettings:
        """The limits of this server, and how emotions are shown."""
        emotions = [EmotionName(name=emotion.name, emoji=emotion.emoji) for emotion in EMOTIONS]
        limits = settings.model_dump(include={"max_bytes", "max_pixels", "max_faces"})
        return PageSettings(emotions=emotions, **limits)


def _add_operation(app: FastAPI, settings: Settings, workers: Workers, monitoring: Monitoring) -> None:
    @app.get("/healthz", responses=problems.documentation((BUSY,)))
    async def is_alive() -> dict[str, str]:
        """The server runs, and none of its threads has been lost to a picture."""
        if workers.longest > STUCK_AFTER * settings.answer_seconds:
            raise Problem(BUSY, "A picture has kept a thread for far too long. Start the server anew.")
        return {"status": "alive"}

    @app.get("/readyz", responses=problems.documentation((BUSY,)))
    async def is_ready() -> dict[str, str]:
        """The model is loaded and there is room for another picture."""
        with workers.admit():
            return {"status": "ready"}

    @app.get("/metrics", response_class=Response)
    async def metrics() -> Response:
        """Figures for Prometheus."""
        return Response(monitoring.exposition(), media_type=MEDIA_TYPE)


def _add_pages(app: FastAPI) -> None:
    @app.get("/", include_in_schema=False)
    async def page() -> FileResponse:
        return FileResponse(STATIC / "index.html")

    @app.get("/docs", include_in_schema=False)
    async def documentation() -> FileResponse:
        return FileResponse(STATIC / "docs.html")

    app.mount("/static", StaticFiles(directory=STATIC), name="static")
