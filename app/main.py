"""The application. ``python -m app`` serves it."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import cv2
from fastapi import FastAPI
from starlette.middleware.cors import CORSMiddleware

from facial_expression.recognizer import Recognizer

from . import problems
from .access import HEADER
from .middleware import SECURITY_HEADERS, Counting, Headers, HeadRequests, Prefix
from .recognition import RecognitionService
from .routes import operations, pages, recognition
from .settings import Settings, load_settings

DESCRIPTION = """
Recognizes facial expressions in photos. Photos are processed in memory and not stored.

Errors are problem details (RFC 9457); the page [errors](errors) lists their kinds.
"""


def create_app(settings: Settings | None = None, recognizer: Recognizer | None = None) -> FastAPI:
    """Create the application.

    Args:
        settings: read from the environment by default.
        recognizer: loaded from ``settings.model`` by default.

    Raises:
        UserError: a setting is invalid or the model cannot be loaded.
    """
    settings = settings or load_settings()
    recognizer = recognizer or Recognizer.load(settings.model, settings.detection_side)
    cv2.setNumThreads(1)  # each worker uses one core
    service = RecognitionService(settings, recognizer)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        yield
        service.workers.close()

    app = FastAPI(
        title="Facial expressions",
        description=DESCRIPTION,
        version="1",
        docs_url=None,
        redoc_url=None,
        generate_unique_id_function=lambda route: route.name,  # the names of functions in generated clients
        redirect_slashes=False,  # redirects would repeat the Host that the client claims
        lifespan=lifespan,
    )
    app.include_router(recognition.make_router(settings, service))
    app.include_router(operations.make_router(settings, service))
    app.include_router(pages.make_router())
    pages.mount_files(app)
    problems.install(app, settings.root_path, {**SECURITY_HEADERS, "Cache-Control": "no-store"})
    app.add_middleware(Counting, recognition.RECOGNITION_PATHS, service.monitoring)
    app.add_middleware(HeadRequests)
    if settings.cors_origins:
        app.add_middleware(
            CORSMiddleware,
            allow_origins=settings.cors_origins,
            allow_methods=["GET", "POST"],
            allow_headers=["Content-Type", HEADER],
            expose_headers=["Retry-After"],
        )
    app.add_middleware(Headers)
    app.add_middleware(Prefix, settings.root_path)
    return app
