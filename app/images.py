"""Decode the images of requests, and encode crops as data URLs."""

import base64
import io
import warnings

import numpy as np
from PIL import Image

from facial_expression import images
from facial_expression.images import FORMATS, Picture

from .problems import DAMAGED, TOO_MANY_PIXELS, UNSUPPORTED, Problem

MEDIA_TYPES = (*(f"image/{name.lower()}" for name in FORMATS), "image/heic")

_KINDS = {
    images.UnsupportedImage: UNSUPPORTED,
    images.DamagedImage: DAMAGED,
    images.TooManyPixels: TOO_MANY_PIXELS,
}

warnings.filterwarnings("ignore", module="PIL")  # Pillow's warnings would put details of uploads in the log


def decode_picture(data: bytes, max_pixels: int) -> Picture:
    """Decode an image as :func:`facial_expression.images.decode_picture` does.

    Raises:
        Problem: the format is not supported, or the file is damaged or too large.
    """
    try:
        return images.decode_picture(data, max_pixels)
    except images.ImageError as error:
        raise Problem(_KINDS[type(error)], str(error)) from error


def encode_data_url(gray: np.ndarray) -> str:
    """Encode gray levels (uint8, shape (height, width)) as the ``data:`` URL of a PNG."""
    file = io.BytesIO()
    Image.fromarray(gray).save(file, "PNG")
    return "data:image/png;base64," + base64.b64encode(file.getvalue()).decode("ascii")
