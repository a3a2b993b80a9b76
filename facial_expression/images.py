"""Decode image files as people have them to upright gray levels or colors."""

import contextlib
import io
import re
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pi_heif
from PIL import AvifImagePlugin, ExifTags, Image, UnidentifiedImageError

from facial_expression.errors import UserError

FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "AVIF", "HEIF")
"""The formats that browsers and phones use."""
ALL_FORMATS = (*FORMATS, "TIFF", "PPM")
"""With those of older collections of faces."""
MAX_PIXELS = 100_000_000
"""Limit on width times height of files that are not from strangers."""

JPEG_FACTOR = 4
"""How many times the limit on pixels a JPEG may have, since libjpeg can decode it at half its width and height."""

_MAX_SCANS = 100  # in a progressive JPEG; ten are typical, and libjpeg decodes the whole image for each
_MAX_EXIF_BLOCKS = 16  # one is typical, and Pillow's time grows with the square of their number
_MAX_FRAMES = 50  # of an animation that are searched for one that shows something
_UNIFORM_RANGE = 16  # gray levels; lossy formats do not keep a black frame perfectly black
_MIN_PRESENT_ROWS = 0.5  # of a JPEG that ends too early
_BIT_DEPTHS = (8, 10, 12, 14, 16)  # of cameras and scanners, whose levels are stored in 16 bits

pi_heif.register_heif_opener(decode_threads=1)  # callers bring threads or processes of their own
AvifImagePlugin.DEFAULT_MAX_THREADS = 1

_JPEG_MARKER = re.compile(rb"\xff+([^\x00\xff\xd0-\xd7])", re.DOTALL)  # neither a stuffed byte nor a restart
_START_OF_SCAN, _END_OF_IMAGE = 0xDA, 0xD9
_TRANSPOSE = {  # by EXIF orientation
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


class ImageError(UserError):
    """An image file cannot be decoded."""


class UnsupportedImage(ImageError):
    """The file is not an image in a supported format."""


class DamagedImage(ImageError):
    """The file looks like an image but cannot be decoded."""


class TooManyPixels(ImageError):
    """The image exceeds the limit on width times height."""


class Picture(NamedTuple):
    """A decoded image.

    Attributes:
        gray: uint8, shape (rows, columns); smaller than the image if the image is a very large JPEG.
        width: of the upright image in pixels.
        height: of the upright image in pixels.
    """

    gray: np.ndarray
    width: int
    height: int

    @property
    def scale(self) -> np.ndarray:
        """Pixels of the image per pixel of ``gray``, in x and y."""
        return np.array([self.width, self.height]) / self.gray.shape[::-1]


class _Jpeg(NamedTuple):
    """The part of a file up to the end of its first JPEG, and what bounds the work of decoding it."""

    data: bytes
    is_complete: bool
    scans: int
    exif_blocks: int


def read_picture(path: str | Path, max_pixels: int = MAX_PIXELS, formats: Sequence[str] = ALL_FORMATS) -> Picture:
    """Read an image file; arguments and result as in :func:`decode_picture`.

    Raises:
        ImageError: the file is not in one of the formats, or it is damaged or too large.
        OSError: the file cannot be read.

    >>> picture = read_picture("photo.jpg")
    >>> picture.gray.shape, picture.gray.dtype
    ((480, 640), dtype('uint8'))
    """
    return decode_picture(Path(path).read_bytes(), max_pixels, formats)


def decode_gray(data: bytes, max_pixels: int) -> np.ndarray:
    """Decode an image file to gray levels: the attribute ``gray`` of :func:`decode_picture`."""
    return decode_picture(data, max_pixels).gray


def decode_picture(data: bytes, max_pixels: int, formats: Sequence[str] = FORMATS) -> Picture:
    """Decode an image file to gray levels.

    Uses the first frame of an animation that is not of a single color, composites transparency onto white and applies
    the EXIF orientation. What follows the end of a JPEG (the video of a motion photo) is ignored, and a JPEG may lack
    its last part, as long as half of its rows are there.

    Args:
        data: a file in one of the formats.
        max_pixels: limit on width times height, checked in the file's header before any pixel is decoded. JPEG files
            may have ``JPEG_FACTOR`` times as many, and are then decoded at half their width and height. Images with
            transparency may have half as many, since they take twice the time: a few bytes can stand for all of them.
        formats: Pillow's names of the formats.

    Raises:
        UnsupportedImage: the format is not one of these.
        DamagedImage: the file cannot be decoded, or only with far too much work.
        TooManyPixels: the image exceeds the limit.
    """
    return Picture(*_decode(data, max_pixels, formats, "L"))


def decode_color(data: bytes, max_pixels: int, formats: Sequence[str] = FORMATS) -> np.ndarray:
    """Decode an image file to colors: uint8, shape (rows, columns, 3), RGB; rows and columns are those of the gray
    levels. Arguments and errors as in :func:`decode_picture`.
    """
    return _decode(data, max_pixels, formats, "RGB")[0]


def _decode(data: bytes, max_pixels: int, formats: Sequence[str], mode: str) -> tuple[np.ndarray, int, int]:
    """The upright pixels, and width and height of the upright image."""
    jpeg = _read_jpeg(data) if data.startswith(b"\xff\xd8") else None
    try:
        with Image.open(io.BytesIO(jpeg.data if jpeg else data), formats=list(formats)) as image:
            width, height = image.size
            if jpeg:
                _prepare_jpeg(image, jpeg, max_pixels, mode)
            else:
                _check_pixels(image, max_pixels)
            is_upright = image.format == "TIFF"  # Pillow turns these when it decodes them
            orientation = None if is_upright else _orientation(image)
            pixels = np.asarray(_first_frame_with_content(image, max_pixels, mode))
            if is_upright:
                width, height = image.size
    except UnidentifiedImageError:
        raise UnsupportedImage(f"Supported formats: {', '.join(formats)}.") from None
    except Image.DecompressionBombError:
        raise _too_many_pixels(2 * (Image.MAX_IMAGE_PIXELS or max_pixels)) from None  # Pillow's own limit
    except ImageError:
        raise
    except Exception as error:  # for damaged files, Pillow raises a dozen types, from struct.error to SyntaxError
        raise DamagedImage("The file looks like an image but cannot be decoded. Is it complete?") from error
    if jpeg and not jpeg.is_complete:
        _check_rows(pixels)
    if orientation is None:
        return pixels, width, height
    upright = np.asarray(Image.fromarray(pixels).transpose(_TRANSPOSE[orientation]))
    return (upright, height, width) if orientation >= 5 else (upright, width, height)


def _read_jpeg(data: bytes) -> _Jpeg:
    """Walk the markers of a JPEG up to its end, as libjpeg does; without an end, add one."""
    position, scans, exif_blocks = 2, 0, 0
    while match := _JPEG_MARKER.search(data, position):
        position = match.end()
        marker = match[1][0]
        if marker == _END_OF_IMAGE:
            return _Jpeg(data[:position], True, scans, exif_blocks)
        scans += marker == _START_OF_SCAN
        exif_blocks += data.startswith(b"Exif\0\0", position + 2)
        position += int.from_bytes(data[position : position + 2], "big")
    return _Jpeg(data + bytes([0xFF, _END_OF_IMAGE]), False, scans, exif_blocks)


def _prepare_jpeg(image: Image.Image, jpeg: _Jpeg, max_pixels: int, mode: str) -> None:
    """Bound the work of decoding a JPEG, and have libjpeg decode what the mode needs, at half size if very large."""
    width, height = image.size
    if width * height > JPEG_FACTOR * max_pixels:
        raise _too_many_pixels(JPEG_FACTOR * max_pixels)
    if jpeg.scans > min(_MAX_SCANS, _MAX_SCANS * max_pixels / (width * height)):
        raise DamagedImage("The JPEG has too many scans. Save it again and retry.")
    if jpeg.exif_blocks > _MAX_EXIF_BLOCKS:
        raise DamagedImage("The JPEG has too many metadata blocks. Save it again and retry.")
    reduction = 2 if width * height > max_pixels else 1
    image.draft(mode, (width // reduction, height // reduction))


def _check_pixels(image: Image.Image, max_pixels: int) -> None:
    if image.width * image.height > max_pixels:
        raise _too_many_pixels(max_pixels)
    if image.has_transparency_data and image.width * image.height > max_pixels / 2:
        raise _too_many_pixels(max_pixels / 2, " for images with transparency")


def _check_rows(pixels: np.ndarray) -> None:
    """Refuse a JPEG that ends before most of its rows: libjpeg fills the others with the gray level 128."""
    is_present = (pixels != 128).reshape(len(pixels), -1).any(axis=1)
    present = int(np.flatnonzero(is_present)[-1]) + 1 if is_present.any() else 0
    if present < _MIN_PRESENT_ROWS * len(pixels):
        share = present / len(pixels)
        raise DamagedImage(f"The JPEG is cut off: only {share:.0%} of its rows are there. Send or copy it again.")


def _too_many_pixels(max_pixels: float, condition: str = "") -> TooManyPixels:
    detail = f"The limit{condition} is {max_pixels / 1e6:g} million pixels. Resize the image and try again."
    return TooManyPixels(detail)


def _first_frame_with_content(image: Image.Image, max_pixels: int, mode: str) -> Image.Image:
    """The first frame that is not uniform, since animations often fade in; else the first one."""
    first = pixels = _convert(image, mode)
    frames = min(_MAX_FRAMES, JPEG_FACTOR * max_pixels // max(1, image.width * image.height))
    for frame in range(1, frames):
        if not getattr(image, "is_animated", False) or image.format == "HEIF" or not _is_uniform(pixels):
            return pixels
        try:
            image.seek(frame)
        except EOFError:
            return first
        pixels = _convert(image, mode)
    return first if _is_uniform(pixels) else pixels


def _is_uniform(image: Image.Image) -> bool:
    return bool(np.ptp(np.asarray(image.convert("L"))) < _UNIFORM_RANGE)


def _convert(image: Image.Image, mode: str) -> Image.Image:
    """The image in mode L or RGB, on white where it is transparent."""
    if image.mode == "F" or (image.mode == "I" and not _fit_16_bits(np.asarray(image))):
        raise UnsupportedImage("The image has gray levels of more than 16 bits. Save it with 8 or 16 bits.")
    if image.mode.startswith("I"):
        return Image.fromarray(_to_8_bits(np.asarray(image))).convert(mode)
    if image.has_transparency_data:
        transparent = image if image.mode in ("RGBA", "LA") else image.convert("RGBA")
        pixels = transparent.convert(mode)  # compositing one channel takes a fraction of the time for all of them
        return Image.composite(pixels, Image.new(mode, pixels.size, "white"), transparent.getchannel("A"))
    # Not every mode converts directly to gray, so convert to RGB first.
    return image if image.mode == mode else image.convert("RGB").convert(mode)


def _fit_16_bits(levels: np.ndarray) -> bool:
    return levels.min() >= 0 and levels.max() < 2**16


def _to_8_bits(levels: np.ndarray) -> np.ndarray:
    """Scale levels stored in 16 bits, which Pillow would clip; fewer bits may be in use."""
    brightest = int(levels.max())
    maximum = next((2**bits - 1 for bits in _BIT_DEPTHS if brightest < 2**bits), 2**16 - 1)
    return (levels.astype(np.uint32) * 255 // maximum).astype(np.uint8)


def _orientation(image: Image.Image) -> int | None:
    """EXIF orientation if the image has to be transposed; damaged metadata is ignored."""
    with contextlib.suppress(Exception):
        orientation = image.getexif().get(ExifTags.Base.Orientation)
        return orientation if orientation in _TRANSPOSE else None
    return None
