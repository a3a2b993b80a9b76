"""Receive request bodies, so that slow or large ones cannot keep others from being received.

Bodies occupy none of the workers' slots while they arrive. They are bounded by time, by a minimum rate, by the bytes of
all of them together, and by their number for each address. Where a bound on several bodies is exceeded, the oldest one
that is still arriving gives way: ordinary bodies arrive within moments, so it is most likely a stalled one.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import anyio
from starlette.requests import ClientDisconnect, Request

from .forms import File, FormBody, RawBody, make_body, too_large
from .problems import BUSY, MALFORMED, SLOW_UPLOAD, UNSUPPORTED, Problem
from .settings import Settings

GRACE = 5.0
"""Seconds before the minimum rate counts, for connections that start slowly."""


@dataclass(eq=False)
class _Upload:
    """A body that is arriving or held."""

    client: str
    started: float
    received: int = 0
    gives_way: bool = False
    scope: anyio.CancelScope = field(default_factory=anyio.CancelScope)


class Uploads:
    """The request bodies that the server holds. Call all methods from the event loop's thread."""

    def __init__(self, settings: Settings):
        self._settings = settings
        self._arriving: list[_Upload] = []  # oldest first
        self._held = 0

    @property
    def arriving(self) -> int:
        """Number of bodies that are arriving."""
        return len(self._arriving)

    @asynccontextmanager
    async def receive(self, request: Request) -> AsyncIterator[list[File]]:
        """Hold the image files in a request: the form's fields ``image``, or the whole body if it is not a form.

        Raises:
            Problem: the body is too large, too slow, malformed, compressed, or of another media type.
        """
        encoding = request.headers.get("content-encoding", "identity").strip().lower()
        if encoding not in ("", "identity"):
            detail = f"The body has the Content-Encoding {encoding[:40]!r}. Send it uncompressed."
            raise Problem(UNSUPPORTED, detail, {"Accept-Encoding": "identity"})
        body = make_body(request.headers.get("content-type"), self._settings.max_bytes)
        if _declared_length(request) > body.limit:
            raise too_large(self._settings.max_bytes)
        upload = _Upload(request.client.host if request.client else "", anyio.current_time())
        self._arriving.append(upload)
        self._limit_number(upload.client)
        try:
            files = await self._read(request, upload, body)
            self._arriving.remove(upload)
            yield files
        finally:
            self._forget(upload)

    async def _read(self, request: Request, upload: _Upload, body: FormBody | RawBody) -> list[File]:
        with upload.scope:
            try:
                await self._fill(request, upload, body)
            except ClientDisconnect:
                raise Problem(MALFORMED, "The connection was closed before the image was complete.") from None
        if upload.gives_way:
            raise Problem(BUSY, "Too many images are being sent. Try again in a second.", {"Retry-After": "1"})
        if upload.scope.cancelled_caught:
            limits = self._settings
            raise Problem(
                SLOW_UPLOAD,
                f"The image must arrive within {limits.upload_timeout:g} seconds, and at "
                f"{limits.min_upload_rate / 1000:g} kB per second or faster. Send a smaller one.",
            )
        return body.files()

    async def _fill(self, request: Request, upload: _Upload, body: FormBody | RawBody) -> None:
        self._set_deadline(upload)
        async for chunk in request.stream():
            upload.received += len(chunk)
            self._held += len(chunk)
            if upload.received > body.limit:
                raise too_large(self._settings.max_bytes)
            body.write(chunk)
            self._set_deadline(upload)
            self._limit_memory()

    def _set_deadline(self, upload: _Upload) -> None:
        """Allow for the timeout, or as long as the bytes received so far may take at the minimum rate."""
        allowed = self._settings.upload_timeout
        if self._settings.min_upload_rate:
            allowed = min(allowed, GRACE + upload.received / self._settings.min_upload_rate)
        upload.scope.deadline = upload.started + allowed

    def _limit_number(self, client: str) -> None:
        theirs = [upload for upload in self._arriving if upload.client == client]
        if len(theirs) > self._settings.max_client_uploads:
            self._cancel(theirs[0])

    def _limit_memory(self) -> None:
        limit = max(self._settings.max_upload_memory, self._settings.max_bytes)
        while self._held > limit and self._arriving:
            self._cancel(self._arriving[0])

    def _cancel(self, upload: _Upload) -> None:
        upload.gives_way = True
        self._forget(upload)
        upload.scope.cancel()

    def _forget(self, upload: _Upload) -> None:
        if upload in self._arriving:
            self._arriving.remove(upload)
        self._held -= upload.received
        upload.received = 0


def _declared_length(request: Request) -> int:
    declared = request.headers.get("content-length", "")
    return int(declared[:20]) if declared.isascii() and declared.isdigit() else 0
