"""Read an image from a request body, in bounded memory and never on disk.

Bytes are counted as they arrive, so a body that is too large is rejected as soon as it exceeds the limit.
"""

import asyncio
import logging

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header
from starlette.requests import ClientDisconnect, Request

from app.problems import EMPTY, MALFORMED, SLOW_UPLOAD, TOO_LARGE, UNSUPPORTED, Problem

FIELD = "image"

_FORM_OVERHEAD = 16_384  # bytes a form may add to its image: boundaries, headers and other fields
_MAX_FIELDS = 16  # in a form, because their headers are parsed in the event loop

logging.getLogger("python_multipart").setLevel(logging.CRITICAL)  # it would log bytes of malformed bodies


async def read_image(request: Request, max_bytes: int, timeout: float) -> bytes:
    """Return the image file in a request: the form field ``image``, or the whole body if it is not a form.

    Args:
        request: its media type must be ``multipart/form-data``, ``image/*``, ``application/octet-stream`` or absent.
        max_bytes: limit on the image file.
        timeout: seconds allowed for the body to arrive.

    Raises:
        Problem: the body is too large, too slow, empty, malformed or of another media type.
    """
    media_type, options = parse_options_header(request.headers.get("content-type"))
    if media_type == b"multipart/form-data":
        body: _FormBody | _RawBody = _FormBody(options.get(b"boundary", b""), max_bytes)
        limit = max_bytes + _FORM_OVERHEAD
    elif not media_type or media_type.startswith(b"image/") or media_type == b"application/octet-stream":
        body = _RawBody()
        limit = max_bytes
    else:
        raise Problem(
            UNSUPPORTED,
            f"Send a form (multipart/form-data) with the field {FIELD!r}, or an image with its own media type, such as "
            "image/jpeg.",
        )
    try:
        await asyncio.wait_for(_receive(request, body, limit, max_bytes), timeout)
    except asyncio.TimeoutError:
        raise Problem(SLOW_UPLOAD, f"The image must arrive within {timeout:g} seconds.") from None
    except ClientDisconnect:
        raise Problem(MALFORMED, "The connection was closed before the image was complete.") from None
    image = body.image()
    if not image:
        raise Problem(EMPTY, "The image is empty. Did you select a file?")
    return image


async def _receive(request: Request, body: "_FormBody | _RawBody", limit: int, max_bytes: int) -> None:
    declared = request.headers.get("content-length", "")
    received = int(declared) if declared.isascii() and declared.isdigit() else 0
    if received <= limit:
        received = 0
        async for chunk in request.stream():
            received += len(chunk)
            if received > limit:
                break
            body.write(chunk)
    if received > limit:
        raise _too_large(max_bytes)


def _too_large(max_bytes: int) -> Problem:
    return Problem(TOO_LARGE, f"The limit is {max_bytes / 1e6:g} MB. Reduce the image and try again.")


class _RawBody:
    """A body that is the image itself."""

    def __init__(self) -> None:
        self._image = bytearray()

    def write(self, chunk: bytes) -> None:
        self._image += chunk

    def image(self) -> bytes:
        return bytes(self._image)


class _FormBody:
    """A form with the image in one of its fields; other fields are skipped."""

    def __init__(self, boundary: bytes, max_bytes: int):
        self._max_bytes = max_bytes
        self._images: list[bytearray] = []
        self._current: bytearray | None = None
        self._header, self._value = b"", b""
        self._complete, self._fields = False, 0
        try:
            self._parser = MultipartParser(
                boundary,
                {
                    "on_part_begin": self._begin_field,
                    "on_header_field": self._add_header,
                    "on_header_value": self._add_value,
                    "on_header_end": self._end_header,
                    "on_part_data": self._add_data,
                    "on_end": self._end_form,
                },
            )
        except FormParserError as error:
            raise _malformed() from error

    def write(self, chunk: bytes) -> None:
        try:
            self._parser.write(chunk)
        except FormParserError as error:
            raise _malformed() from error

    def image(self) -> bytes:
        if not self._complete:
            raise Problem(MALFORMED, "The form ends before its final boundary.")
        if len(self._images) != 1:
            raise Problem(EMPTY, f"The form must have one field {FIELD!r}; it has {len(self._images)}.")
        return bytes(self._images[0])

    def _begin_field(self) -> None:
        self._fields += 1
        if self._fields > _MAX_FIELDS:
            raise Problem(MALFORMED, f"A form may have at most {_MAX_FIELDS} fields; the image goes in {FIELD!r}.")
        self._current, self._header, self._value = None, b"", b""

    def _add_header(self, data: bytes, start: int, end: int) -> None:
        self._header += data[start:end]

    def _add_value(self, data: bytes, start: int, end: int) -> None:
        self._value += data[start:end]

    def _end_header(self) -> None:
        if self._header.lower() == b"content-disposition":
            _, options = parse_options_header(self._value)
            if options.get(b"name") == FIELD.encode():
                self._current = bytearray()
                self._images.append(self._current)
        self._header, self._value = b"", b""

    def _add_data(self, data: bytes, start: int, end: int) -> None:
        if self._current is None:
            return
        self._current += data[start:end]
        if len(self._current) > self._max_bytes:
            raise _too_large(self._max_bytes)

    def _end_form(self) -> None:
        self._complete = True


def _malformed() -> Problem:
    return Problem(MALFORMED, f"The body is not the form its Content-Type declares; the image goes in {FIELD!r}.")
