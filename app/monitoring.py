"""Prometheus metrics. They count requests and faces; none of them depends on what an image shows."""

from collections.abc import Callable

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, PlatformCollector, ProcessCollector
from prometheus_client.exposition import generate_latest

MEDIA_TYPE = "text/plain; version=0.0.4; charset=utf-8"


class Monitoring:
    """The metrics of one application.

    Args:
        requests_in_progress: returns the number of requests being queued or processed.
        uploads_in_progress: returns the number of request bodies that are arriving.
    """

    def __init__(self, requests_in_progress: Callable[[], int], uploads_in_progress: Callable[[], int]):
        self._registry = CollectorRegistry()
        ProcessCollector(registry=self._registry)
        PlatformCollector(registry=self._registry)
        self._requests = Counter(
            "facial_expression_requests", "Recognition requests by status.", ["status"], registry=self._registry
        )
        self._faces = Counter("facial_expression_faces", "Faces found.", registry=self._registry)
        self._seconds = Histogram(
            "facial_expression_seconds", "Time to decode an image and recognize its faces.", registry=self._registry
        )
        gauge = Gauge(
            "facial_expression_requests_in_progress",
            "Recognition requests being queued or processed.",
            registry=self._registry,
        )
        gauge.set_function(requests_in_progress)
        uploads = Gauge(
            "facial_expression_uploads_in_progress", "Request bodies that are arriving.", registry=self._registry
        )
        uploads.set_function(uploads_in_progress)

    def count_request(self, status: int) -> None:
        """Count a response to a recognition request."""
        self._requests.labels(str(status)).inc()

    def count_image(self, faces: int, seconds: float) -> None:
        """Count a processed image; may be called from any thread."""
        self._faces.inc(faces)
        self._seconds.observe(seconds)

    def exposition(self) -> bytes:
        """Return all metrics in Prometheus's text format."""
        return generate_latest(self._registry)
