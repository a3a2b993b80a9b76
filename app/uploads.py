"""The bytes of a picture out of a request's body, in bounded memory and never on disk.

The body is counted while it streams in, so that one that is too large is refused after the first byte too many.
"""

import asyncio
import logging

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header
from starlette.requests import ClientDisconnect, Request

from app.problems import EMPTY, MALFORMED, SLOW_UPLOAD, TOO_LARGE, UNSUPPORTED, Problem

FIELD = "image"
_FRAME = 16_384  # what a form may add to its picture in bytes: boundaries, headers and other fields

_MOST_PARTS = 16  # of a form: reading their headers is work for the event loop

logging.getLogger("python_multipart").setLevel(logging.CRITICAL)  # it would log bytes of malformed bodies


async def read_picture(request: Request, max_bytes: int, seconds: float) -> bytes:
    """The picture in a request: the field ``image`` of a form, or else the body as it is.

    Args:
        request: of the media type ``multipart/form-data``, ``image/*``, ``application/octet-stream`` or none.
        max_bytes: the largest picture.
        seconds: how long the body may take to arrive.

    Raises:
        Problem: the body is too large, too slow, empty, malformed or of another media type.
    """
    media_type, options = parse_options_header(request.headers.get("content-type"))
    if media_type == b"multipart/form-data":
        sink, limit = _Form(options.get(b"boundary", b""), max_bytes), max_bytes + _FRAME
    elif not media_type or media_type.startswith(b"image/") or media_type == b"application/octet-stream":
        sink, limit = _Raw(), max_bytes
    else:
        raise Problem(
            UNSUPPORTED,
            f"Send a form (multipart/form-data) with the field {FIELD!r}, or the picture itself under its own media "
            "type such as image/jpeg.",
        )
    try:
        await asyncio.wait_for(_receive(request, sink, limit, max_bytes), seconds)
    except asyncio.TimeoutError:
        raise Problem(SLOW_UPLOAD, f"The picture must arrive within {seconds:g} seconds.") from None
    except ClientDisconnect:
        raise Problem(MALFORMED, "The connection broke before the picture was complete.") from None
    picture = sink.picture()
    if not picture:
        raise Problem(EMPTY, "The picture has no bytes. Was a file chosen?")
    return picture


async def _receive(request: Request, sink: "_Raw | _Form", limit: int, max_bytes: int) -> None:
    announced = request.headers.get("content-length", "")
    received = int(announced) if announced.isascii() and announced.isdigit() else 0
    if received <= limit:
        received = 0
        async for chunk in request.stream():
            received += len(chunk)
            if received > limit:
                break
            sink.write(chunk)
    if received > limit:
        raise _too_large(max_bytes)


def _too_large(max_bytes: int) -> Problem:
    return Problem(TOO_LARGE, f"A picture may have {max_bytes / 1e6:g} MB at most. Save it smaller and try again.")


class _Raw:
    """A body that is the picture."""

    def __init__(self):
        self._picture = bytearray()

    def write(self, chunk: bytes) -> None:
        self._picture += chunk

    def picture(self) -> bytes:
        return bytes(self._picture)


class _Form:
    """A form of which one field is the picture; what else it holds is read over."""

    def __init__(self, boundary: bytes, max_bytes: int):
        self._max_bytes = max_bytes
        self._pictures: list[bytearray] = []
        self._current: bytearray | None = None
        self._header, self._value = b"", b""
        self._complete, self._parts = False, 0
        callbacks = {
            "on_part_begin": self._begin_part,
            "on_header_field": lambda data, start, end: setattr(self, "_header", self._header + data[start:end]),
            "on_header_value": lambda data, start, end: setattr(self, "_value", self._value + data[start:end]),
            "on_header_end": self._end_header,
            "on_part_data": self._add,
            "on_end": lambda: setattr(self, "_complete", True),
        }
        try:
            self._parser = MultipartParser(boundary, callbacks)
        except FormParserError as error:
            raise _malformed() from error

    def write(self, chunk: bytes) -> None:
        try:
            self._parser.write(chunk)
        except FormParserError as error:
            raise _malformed() from error

    def picture(self) -> bytes:
        if not self._complete:
            raise Problem(MALFORMED, "The form ends before its last boundary.")
        if len(self._pictures) != 1:
            raise Problem(EMPTY, f"The form must have one field {FIELD!r}; it has {len(self._pictures)}.")
        return bytes(self._pictures[0])

    def _begin_part(self) -> None:
        self._parts += 1
        if self._parts > _MOST_PARTS:
            raise Problem(MALFORMED, f"A form may have {_MOST_PARTS} fields at most; the picture is {FIELD!r}.")
        self._current, self._header, self._value = None, b"", b""

    def _end_header(self) -> None:
        if self._header.lower() == b"content-disposition":
            _, options = parse_options_header(self._value)
            if options.get(b"name") == FIELD.encode():
                self._current = bytearray()
                self._pictures.append(self._current)
        self._header, self._value = b"", b""

    def _add(self, data: bytes, start: int, end: int) -> None:
        if self._current is None:
            return
        self._current += data[start:end]
        if len(self._current) > self._max_bytes:
            raise _too_large(self._max_bytes)


def _malformed() -> Problem:
    return Problem(MALFORMED, f"The body is not a form as its Content-Type says; the picture is its field {FIELD!r}.")
