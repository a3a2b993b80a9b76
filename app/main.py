"""The application and its endpoints. Run it with::

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
from app.images import FORMATS, decode_gray
from app.middleware import SECURITY_HEADERS, Counting, Headers
from app.monitoring import MEDIA_TYPE, Monitoring
from app.problems import BUSY, INTERNAL, KINDS, NO_FACE, Problem
from app.schemas import EmotionName, PageSettings, RecognitionResponse, describe_face
from app.settings import Settings
from app.uploads import FIELD, read_image
from app.workers import Workers
from facial_expression.emotions import EMOTIONS
from facial_expression.errors import UserError
from facial_expression.recognizer import Recognizer

STATIC = Path(__file__).with_name("static")
RECOGNIZE = "/api/recognize"
STUCK_AFTER = 6
"""Multiple of the response timeout after which a running job makes the health check fail."""

_REQUEST_BODY = {  # FastAPI cannot infer it, because the endpoint reads the body itself
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
    """Create the application.

    Args:
        settings: read from the environment by default.
        recognizer: loaded from ``settings.model`` by default.

    Raises:
        SystemExit: a setting is invalid or the model cannot be loaded; the message says how to fix it.
    """
    try:
        settings = settings or Settings()
        recognizer = recognizer or Recognizer.load(settings.model, settings.detection_side)
    except (ValidationError, UserError) as error:
        sys.exit(f"app: {error}")
    cv2.setNumThreads(1)  # each worker uses one core
    workers = Workers(settings.workers, settings.queue_size)
    monitoring = Monitoring(lambda: workers.occupied)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        yield
        workers.close()

    app = FastAPI(
        title="Facial expressions",
        description="Recognizes facial expressions in photos. Photos are processed in memory and not stored.",
        version="1",
        docs_url=None,
        redoc_url=None,
        lifespan=lifespan,
    )
    app.add_middleware(Counting, RECOGNIZE, monitoring)
    app.add_middleware(Headers)
    problems.install(app, SECURITY_HEADERS)
    _add_api(app, settings, recognizer, workers, monitoring)
    _add_operations(app, settings, workers, monitoring)
    _add_pages(app)
    return app


def _add_api(
    app: FastAPI, settings: Settings, recognizer: Recognizer, workers: Workers, monitoring: Monitoring
) -> None:
    def process(data: bytes) -> RecognitionResponse:
        start = time.perf_counter()
        image = decode_gray(data, settings.max_pixels)
        found = recognizer.recognize(image, settings.max_faces + 1)
        faces = [describe_face(face) for face in found[: settings.max_faces]]
        seconds = time.perf_counter() - start
        monitoring.count_image(len(faces), seconds)
        if not faces:
            raise Problem(NO_FACE, "Make sure the face is upright, well lit, and looking at the camera.")
        height, width = image.shape
        return RecognitionResponse(
            width=width,
            height=height,
            faces=faces,
            more_faces=len(found) > len(faces),
            milliseconds=round(1000 * seconds, 1),
        )

    @app.post(RECOGNIZE, openapi_extra=_REQUEST_BODY, responses=problems.documentation(KINDS))
    async def recognize(request: Request) -> RecognitionResponse:
        """Find the faces in an image (JPEG, PNG, WebP, GIF or BMP) and recognize their expressions."""
        with workers.acquire():
            data = await read_image(request, settings.max_bytes, settings.upload_timeout)
            return await workers.run(process, data, timeout=settings.response_timeout)

    @app.get("/api/model", responses=problems.documentation((INTERNAL,)))
    def describe_model() -> dict:
        """Return the model card: classes, preprocessing, accuracy on the test set, and provenance."""
        return recognizer.card

    @app.get("/api/settings")
    def describe_settings() -> PageSettings:
        """Return the server's limits and the emoji of each emotion."""
        emotions = [EmotionName(name=emotion.name, emoji=emotion.emoji) for emotion in EMOTIONS]
        limits = settings.model_dump(include={"max_bytes", "max_pixels", "max_faces"})
        return PageSettings(emotions=emotions, **limits)


def _add_operations(app: FastAPI, settings: Settings, workers: Workers, monitoring: Monitoring) -> None:
    @app.get("/healthz", responses=problems.documentation((BUSY,)))
    async def check_health() -> dict[str, str]:
        """Check that the server is running and no thread is stuck."""
        if workers.longest_runtime > STUCK_AFTER * settings.response_timeout:
            raise Problem(BUSY, "A thread is stuck processing an image. Restart the server.")
        return {"status": "alive"}

    @app.get("/readyz", responses=problems.documentation((BUSY,)))
    async def check_readiness() -> dict[str, str]:
        """Check that the server can accept another image."""
        with workers.acquire():
            return {"status": "ready"}

    @app.get("/metrics", response_class=Response)
    async def metrics() -> Response:
        """Return metrics in Prometheus's text format."""
        return Response(monitoring.exposition(), media_type=MEDIA_TYPE)


def _add_pages(app: FastAPI) -> None:
    @app.get("/", include_in_schema=False)
    async def page() -> FileResponse:
        return FileResponse(STATIC / "index.html")

    @app.get("/docs", include_in_schema=False)
    async def documentation() -> FileResponse:
        return FileResponse(STATIC / "docs.html")

    app.mount("/static", StaticFiles(directory=STATIC), name="static")
