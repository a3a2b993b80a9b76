"""Decode image files to upright grayscale arrays, and encode such arrays as data URLs."""

import base64
import contextlib
import io
import warnings

import numpy as np
from PIL import ExifTags, Image, UnidentifiedImageError

from app.problems import DAMAGED, TOO_MANY_PIXELS, UNSUPPORTED, Problem

FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP")

_MAX_SCANS = 100  # in a progressive JPEG; ten are typical, and libjpeg decodes the whole image for each
_MAX_EXIF_BLOCKS = 16  # one is typical, and Pillow's time grows with the square of their number

warnings.filterwarnings("ignore", module="PIL")  # Pillow's warnings would put details of uploads in the log

_TRANSPOSE = {  # by EXIF orientation
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


def decode_gray(data: bytes, max_pixels: int) -> np.ndarray:
    """Decode an image file to gray levels (uint8, shape (height, width)).

    Uses the first frame of an animation, composites transparency onto white and applies the EXIF orientation.

    Args:
        data: a file in one of ``FORMATS``.
        max_pixels: limit on width times height, checked in the file's header before any pixel is decoded.

    Raises:
        Problem: the format is not supported, or the file is damaged or too large.
    """
    _check_jpeg_segments(data)
    try:
        with Image.open(io.BytesIO(data), formats=FORMATS) as image:
            _check_pixels(image.size, max_pixels)
            image.draft("L", image.size)  # JPEG stores luma separately, so color need not be decoded
            gray = _to_gray(image)
            return np.asarray(gray.transpose(_TRANSPOSE[turned]) if (turned := _orientation(image)) else gray)
    except UnidentifiedImageError:
        raise Problem(UNSUPPORTED, f"Supported formats: {', '.join(FORMATS)}.") from None
    except Image.DecompressionBombError:
        raise _too_many_pixels(max_pixels) from None
    except Problem:
        raise
    except Exception as error:  # for damaged files, Pillow raises a dozen types, from struct.error to SyntaxError
        raise Problem(DAMAGED, "The file looks like an image but cannot be decoded. Is it complete?") from error


def encode_data_url(gray: np.ndarray) -> str:
    """Encode gray levels (uint8, shape (height, width)) as the ``data:`` URL of a PNG."""
    file = io.BytesIO()
    Image.fromarray(gray).save(file, "PNG")
    return "data:image/png;base64," + base64.b64encode(file.getvalue()).decode("ascii")


def _check_jpeg_segments(data: bytes) -> None:
    """Refuse small files that take very long to decode; the limit on pixels does not bound the number of scans."""
    is_jpeg = data.startswith(b"\xff\xd8")
    if is_jpeg and (data.count(b"\xff\xda") > _MAX_SCANS or data.count(b"Exif\0\0") > _MAX_EXIF_BLOCKS):
        raise Problem(DAMAGED, "The JPEG has too many scans or metadata blocks. Save it again and retry.")


def _check_pixels(size: tuple[int, int], max_pixels: int) -> None:
    if size[0] * size[1] > max_pixels:
        raise _too_many_pixels(max_pixels)


def _too_many_pixels(max_pixels: int) -> Problem:
    detail = f"The limit is {max_pixels / 1e6:g} million pixels. Resize the image and try again."
    return Problem(TOO_MANY_PIXELS, detail)


def _to_gray(image: Image.Image) -> Image.Image:
    if image.mode.startswith("I"):  # 16 bits, which Pillow would clip instead of scaling
        return Image.fromarray((np.asarray(image).astype(np.uint32) // 257).astype(np.uint8))
    if image.has_transparency_data:
        transparent = image.convert("RGBA")
        return Image.alpha_composite(Image.new("RGBA", transparent.size, "white"), transparent).convert("L")
    # Not every mode converts directly to gray, so convert to RGB first.
    return image if image.mode == "L" else image.convert("RGB").convert("L")


def _orientation(image: Image.Image) -> int | None:
    """EXIF orientation if the image has to be transposed; damaged metadata is ignored."""
    with contextlib.suppress(Exception):
        orientation = image.getexif().get(ExifTags.Base.Orientation)
        return orientation if orientation in _TRANSPOSE else None
    return None
