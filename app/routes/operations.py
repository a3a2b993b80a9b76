"""What operators need: health, readiness and metrics."""

from fastapi import APIRouter, Response

from .. import problems
from ..monitoring import MEDIA_TYPE
from ..problems import BUSY, Problem
from ..recognition import RecognitionService
from ..settings import Settings

STUCK_AFTER = 6
"""Multiple of the response timeout after which a running job makes the health check fail."""


def make_router(settings: Settings, service: RecognitionService) -> APIRouter:
    router = APIRouter(tags=["operations"])

    @router.get("/healthz", responses=problems.documentation((BUSY,)))
    async def check_health() -> dict[str, str]:
        """Check that the server is running and no thread is stuck."""
        if service.workers.longest_runtime > STUCK_AFTER * settings.response_timeout:
            raise Problem(BUSY, "A thread is stuck processing an image. Restart the server.")
        return {"status": "alive"}

    @router.get("/readyz", responses=problems.documentation((BUSY,)))
    async def check_readiness() -> dict[str, str]:
        """Check that the server can accept another image."""
        service.workers.refuse_if_full()
        return {"status": "ready"}

    @router.get("/metrics", response_class=Response, responses={200: {"content": {"text/plain": {}}}})
    async def metrics() -> Response:
        """Return metrics in Prometheus's text format."""
        return Response(service.monitoring.exposition(), media_type=MEDIA_TYPE)

    return router
