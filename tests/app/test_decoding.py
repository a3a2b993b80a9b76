"""Images of requests: which problem reports which error, and crops as data URLs."""

import base64
import io

import numpy as np
import pytest
from PIL import Image

from app.images import decode_picture, encode_data_url
from app.problems import DAMAGED, TOO_MANY_PIXELS, UNSUPPORTED, Problem
from helpers.photos import draw, encode

GRAY = draw()


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (b"%PDF-1.7", UNSUPPORTED),
        (encode(GRAY, "TIFF"), UNSUPPORTED),
        (encode(GRAY)[:-100], DAMAGED),
        (encode(Image.new("L", (101, 100))), TOO_MANY_PIXELS),
    ],
)
def test_reports_what_cannot_be_decoded_as_a_problem(data, kind):
    with pytest.raises(Problem) as caught:
        decode_picture(data, max_pixels=10_000)
    assert caught.value.kind is kind
    assert caught.value.detail


def test_data_url_contains_crop():
    url = encode_data_url(GRAY)
    kind, content = url.split(",")
    assert kind == "data:image/png;base64"
    np.testing.assert_array_equal(np.asarray(Image.open(io.BytesIO(base64.b64decode(content)))), GRAY)
