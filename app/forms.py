"""Parse the images in a request body as it arrives, in bounded memory and never on disk."""

import logging
from typing import NamedTuple

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header

from .problems import EMPTY, MALFORMED, TOO_LARGE, UNSUPPORTED, Problem

FIELD = "image"

_OVERHEAD = 16_384  # bytes a form may add to its images: boundaries, headers and other fields
_MAX_FIELDS = 32  # in a form, because their headers are parsed in the event loop
_MAX_NAME = 200  # characters of names that a client gives

logging.getLogger("python_multipart").setLevel(logging.CRITICAL)  # it would log bytes of malformed bodies


class File(NamedTuple):
    """An image file in a request, with the name that the form gives it, or none."""

    name: str
    data: bytes


class RawBody:
    """A body that is the image itself."""

    def __init__(self, max_bytes: int):
        self.limit = max_bytes
        self._image = bytearray()

    def write(self, chunk: bytes) -> None:
        self._image += chunk

    def files(self) -> list[File]:
        image, self._image = self._image, bytearray()
        return [File("", bytes(image))]


class FormBody:
    """A form with images in its fields ``image``; other fields are skipped.

    Args:
        boundary: from the media type.
        max_bytes: limit on the images, together.

    Raises:
        Problem: the boundary is missing or too long.
    """

    def __init__(self, boundary: bytes, max_bytes: int):
        self.limit = max_bytes + _OVERHEAD
        self._max_bytes = max_bytes
        self._delimiter, self._preamble = b"--" + boundary, b"\r\n"
        self._files: list[tuple[str, bytearray]] = []
        self._other_fields: list[str] = []
        self._fields = 0
        self._current: bytearray | None = None
        self._header, self._value = b"", b""
        self._started, self._complete = False, False
        callbacks = {
            "on_part_begin": self._begin_field,
            "on_header_field": self._add_header,
            "on_header_value": self._add_value,
            "on_header_end": self._end_header,
            "on_part_data": self._add_data,
            "on_end": self._end_form,
        }
        try:
            self._parser = MultipartParser(boundary, callbacks)  # type: ignore[arg-type]
        except FormParserError as error:
            raise _malformed() from error

    def write(self, chunk: bytes) -> None:
        """Parse the next part of the body.

        Raises:
            Problem: it is not that of a form, or too large.
        """
        try:
            self._parser.write(chunk if self._started else self._skip_preamble(chunk))
        except FormParserError as error:
            raise _malformed() from error

    def files(self) -> list[File]:
        """The images of the complete form, at least one; gives them away, so that no second copy is held.

        Raises:
            Problem: the form is incomplete, or has no field ``image``.
        """
        if not self._complete:
            raise Problem(MALFORMED, "The form ends before its final boundary.")
        if not self._files:
            names = ", ".join(map(repr, self._other_fields)) or "no field at all"
            raise Problem(EMPTY, f"The form must have a field {FIELD!r}; it has {names}.")
        received, self._files, self._current = self._files, [], None
        return [File(name, bytes(data)) for name, data in received]

    def _skip_preamble(self, chunk: bytes) -> bytes:
        """Nothing before the first boundary at the start of a line, which RFC 2046 (section 5.1.1) says to ignore."""
        self._preamble += chunk
        start = self._preamble.find(b"\r\n" + self._delimiter)
        if (len(self._preamble) if start < 0 else start) > _OVERHEAD:
            raise _malformed()
        if start < 0:
            return b""
        form, self._preamble, self._started = self._preamble[start + 2 :], b"", True
        return form

    def _begin_field(self) -> None:
        if self._fields >= _MAX_FIELDS:
            raise Problem(MALFORMED, f"A form may have at most {_MAX_FIELDS} fields; images go in {FIELD!r}.")
        self._fields += 1
        self._current, self._header, self._value = None, b"", b""

    def _add_header(self, data: bytes, start: int, end: int) -> None:
        self._header += data[start:end]

    def _add_value(self, data: bytes, start: int, end: int) -> None:
        self._value += data[start:end]

    def _end_header(self) -> None:
        if self._header.lower() == b"content-disposition":
            _, options = parse_options_header(self._value)
            name = _text(options.get(b"name", b""))
            if name == FIELD:
                self._current = bytearray()
                self._files.append((_text(options.get(b"filename", b"")), self._current))
            else:
                self._other_fields.append(name)
        self._header, self._value = b"", b""

    def _add_data(self, data: bytes, start: int, end: int) -> None:
        if self._current is None:
            return
        self._current += data[start:end]
        if sum(len(data) for _, data in self._files) > self._max_bytes:
            raise too_large(self._max_bytes)

    def _end_form(self) -> None:
        self._complete = True


def make_body(content_type: str | None, max_bytes: int) -> FormBody | RawBody:
    """A parser for a body of this media type.

    Args:
        content_type: ``multipart/form-data``, ``image/*``, ``application/octet-stream`` or None.
        max_bytes: limit on the images, together.

    Raises:
        Problem: the media type is another one.
    """
    media_type, options = parse_options_header(content_type)
    if media_type == b"multipart/form-data":
        return FormBody(options.get(b"boundary", b""), max_bytes)
    if not media_type or media_type.startswith(b"image/") or media_type == b"application/octet-stream":
        return RawBody(max_bytes)
    raise Problem(
        UNSUPPORTED,
        f"Send a form (multipart/form-data) with the field {FIELD!r}, or an image with its own media type, such as "
        "image/jpeg.",
    )


def too_large(max_bytes: int) -> Problem:
    return Problem(TOO_LARGE, f"The limit is {max_bytes / 1e6:g} MB. Reduce the image and try again.")


def _text(name: bytes) -> str:
    return name.decode("utf-8", "replace")[:_MAX_NAME]


def _malformed() -> Problem:
    return Problem(MALFORMED, f"The body is not the form its Content-Type declares; the image goes in {FIELD!r}.")
