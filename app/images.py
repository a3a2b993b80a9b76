"""A picture file as gray levels, upright, and gray levels as a picture file."""

import base64
import contextlib
import io
import warnings

import numpy as np
from PIL import ExifTags, Image, UnidentifiedImageError

from app.problems import DAMAGED, TOO_MANY_PIXELS, UNSUPPORTED, Problem

FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP")

_MOST_SCANS = 100  # of a progressive JPEG, ten of which are usual; each makes libjpeg walk the whole picture
_MOST_EXIF = 16  # blocks of EXIF data, one of which is usual; Pillow's time grows with their square

warnings.filterwarnings("ignore", module="PIL")  # they would tell the log about pictures

_UPRIGHT = {  # what to do with a picture by its EXIF orientation
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


def decode_gray(data: bytes, max_pixels: int) -> np.ndarray:
    """The gray levels of a picture file: uint8, shape (height, width).

    Of an animation, the first frame; what is transparent is taken to lie on white; the EXIF orientation is followed.

    Args:
        data: a file in one of ``FORMATS``.
        max_pixels: the largest picture, width times height. It is looked up in the file's header, before any pixel is
            decoded.

    Raises:
        Problem: the file is of another format, damaged or too large.
    """
    _check_segments(data)
    try:
        with Image.open(io.BytesIO(data), formats=FORMATS) as image:
            _check_pixels(image.size, max_pixels)
            image.draft("L", image.size)  # a JPEG holds its gray levels apart from its colours
            gray = _to_gray(image)
            return np.asarray(gray.transpose(_UPRIGHT[orientation]) if (orientation := _orientation(image)) else gray)
    except UnidentifiedImageError:
        raise Problem(UNSUPPORTED, f"This is not a picture in one of the formats {', '.join(FORMATS)}.") from None
    except Image.DecompressionBombError:
        raise _too_many_pixels(max_pixels) from None
    except Problem:
        raise
    except Exception as error:  # Pillow raises a dozen types, from struct.error to SyntaxError, for damaged files
        raise Problem(DAMAGED, "The file begins like a picture but cannot be decoded. Is it complete?") from error


def encode_data_url(gray: np.ndarray) -> str:
    """A PNG of gray levels (uint8, shape (height, width)) as a ``data:`` URL."""
    file = io.BytesIO()
    Image.fromarray(gray).save(file, "PNG")
    return "data:image/png;base64," + base64.b64encode(file.getvalue()).decode("ascii")


def _check_segments(data: bytes) -> None:
    """A small file must not be much work: the limit on pixels does not bound how often they are decoded."""
    is_jpeg = data.startswith(b"\xff\xd8")
    if is_jpeg and (data.count(b"\xff\xda") > _MOST_SCANS or data.count(b"Exif\0\0") > _MOST_EXIF):
        raise Problem(DAMAGED, "The JPEG has far more parts than a picture needs. Save it anew and try again.")


def _check_pixels(size: tuple[int, int], max_pixels: int) -> None:
    if size[0] * size[1] > max_pixels:
        raise _too_many_pixels(max_pixels)


def _too_many_pixels(max_pixels: int) -> Problem:
    return Problem(
        TOO_MANY_PIXELS,
        f"A picture may have {max_pixels / 1e6:g} million pixels at most. Make it smaller and try again.",
    )


def _to_gray(image: Image.Image) -> Image.Image:
    if image.mode.startswith("I"):  # 16 bits, which Pillow would clip and not scale
        return Image.fromarray((np.asarray(image).astype(np.uint32) // 257).astype(np.uint8))
    if image.has_transparency_data:
        picture = image.convert("RGBA")
        return Image.alpha_composite(Image.new("RGBA", picture.size, "white"), picture).convert("L")
    # By way of RGB, because not every mode can become gray at once.
    return image if image.mode == "L" else image.convert("RGB").convert("L")


def _orientation(image: Image.Image) -> int | None:
    """The EXIF orientation if the picture has to be turned; damaged metadata is no reason to refuse a picture."""
    with contextlib.suppress(Exception):
        orientation = image.getexif().get(ExifTags.Base.Orientation)
        return orientation if orientation in _UPRIGHT else None
    return None
