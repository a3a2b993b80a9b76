"""Damaged files and forms by the thousand: whatever arrives, the server answers and makes no mistake."""

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pictures import draw, encode
from PIL import Image
from served_model import StandIn
from starlette.testclient import TestClient

from app.main import create_app
from app.problems import KINDS
from app.settings import Settings

pytestmark = pytest.mark.filterwarnings("ignore")  # Pillow warns of what it finds odd

EXAMPLES = 420  # of each of five formats
EXPECTED = {200, *(int(kind.status) for kind in KINDS if kind.status < 500)}

COLOURS = Image.merge("RGB", [Image.fromarray(channel) for channel in (draw(), draw("sad"), draw("angry"))])
FILES = {
    "JPEG": [encode(COLOURS, "JPEG"), encode(COLOURS, "JPEG", progressive=True, exif=b"Exif\0\0MM\0*\0\0\0\x08\0\0")],
    "PNG": [encode(COLOURS), encode(COLOURS.convert("P")), encode(Image.fromarray(draw().astype(np.uint16) * 257))],
    "WEBP": [encode(COLOURS, "WEBP"), encode(COLOURS.convert("RGBA"), "WEBP", lossless=True)],
    "GIF": [encode(COLOURS, "GIF", save_all=True, append_images=[COLOURS.rotate(90)])],
    "BMP": [encode(COLOURS.resize((16, 16)), "BMP"), encode(COLOURS.convert("1"), "BMP")],
}
FORM = (
    b'--b\r\nContent-Disposition: form-data; name="image"; filename="x.png"\r\nContent-Type: image/png\r\n\r\n'
    + FILES["PNG"][0][:300]
    + b"\r\n--b--\r\n"
)

# Headers are short and matter most, so that half of the edits are made there.
PLACES = st.one_of(st.floats(0, 1), st.floats(0, 0.03))
EDITS = st.lists(
    st.tuples(st.sampled_from(["overwrite", "insert", "delete", "cut", "repeat"]), PLACES, st.binary(max_size=8)),
    min_size=1,
    max_size=4,
)


def mutate(data: bytes, edits) -> bytes:
    for kind, place, content in edits:
        start = int(place * len(data))
        head, tail = data[:start], data[start:]
        size = len(content)
        data = {
            "overwrite": head + content + tail[size:],
            "insert": head + content + tail,
            "delete": head + tail[1 + size :],
            "cut": head,
            "repeat": head + tail[: 4 * size] + tail,
        }[kind]
    return data


@pytest.fixture(scope="module")
def sturdy():
    """A client of an application that decodes for real and then finds one face at once."""
    with TestClient(create_app(Settings(max_pixels=100_000), StandIn())) as client:
        yield client


def assert_answered(response) -> None:
    assert response.status_code in EXPECTED, response.text
    if response.status_code != 200:
        assert response.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize("file_format", FILES)
def test_mutated_files_never_cause_a_server_error(sturdy, file_format):
    statuses = set()

    @settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck))
    @given(st.sampled_from(FILES[file_format]), EDITS)
    def check(data, edits):
        response = sturdy.post("/api/recognize", content=mutate(data, edits))
        assert_answered(response)
        statuses.add(response.status_code)

    check()
    assert {200, 415, 422} <= statuses  # otherwise the mutations are too tame or too wild


@settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck))
@given(EDITS, st.sampled_from(["multipart/form-data; boundary=b", 'multipart/form-data; boundary="b"; charset=x']))
def test_mutated_forms_never_cause_a_server_error(sturdy, edits, media_type):
    headers = {"content-type": media_type}
    assert_answered(sturdy.post("/api/recognize", content=mutate(FORM, edits), headers=headers))


@settings(max_examples=100, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=40))
def test_no_media_type_causes_a_server_error(sturdy, media_type):
    for value in (media_type, f"multipart/form-data; {media_type}", f"image/{media_type}"):
        assert_answered(sturdy.post("/api/recognize", content=FORM, headers={"content-type": value}))
