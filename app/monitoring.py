"""Figures for Prometheus. They count requests and faces; nothing in them comes from a picture."""

from collections.abc import Callable

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, PlatformCollector, ProcessCollector
from prometheus_client.exposition import generate_latest

MEDIA_TYPE = "text/plain; version=0.0.4; charset=utf-8"


class Monitoring:
    """The figures of one application.

    Args:
        admitted: says how many requests are being worked on or wait.
    """

    def __init__(self, admitted: Callable[[], int]):
        self._registry = CollectorRegistry()
        ProcessCollector(registry=self._registry)
        PlatformCollector(registry=self._registry)
        self._requests = Counter(
            "facial_expression_requests", "Requests to recognize, by status.", ["status"], registry=self._registry
        )
        self._faces = Counter("facial_expression_faces", "Faces found.", registry=self._registry)
        self._seconds = Histogram(
            "facial_expression_seconds", "Time to decode a picture and to recognize its faces.", registry=self._registry
        )
        gauge = Gauge("facial_expression_admitted", "Requests in work or waiting.", registry=self._registry)
        gauge.set_function(admitted)

    def count_request(self, status: int) -> None:
        """One more request to recognize was answered."""
        self._requests.labels(str(status)).inc()

    def count_picture(self, faces: int, seconds: float) -> None:
        """One more picture was worked on; callable from any thread."""
        self._faces.inc(faces)
        self._seconds.observe(seconds)

    def exposition(self) -> bytes:
        """All figures in Prometheus's text format."""
        return generate_latest(self._registry)
