"""Fuzzing: thousands of damaged files and forms must not cause a server error."""

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image
from starlette.testclient import TestClient

from app.main import create_app
from app.problems import KINDS
from app.settings import Settings
from helpers.photos import draw, encode
from helpers.served_model import StandIn

pytestmark = pytest.mark.filterwarnings("ignore")  # Pillow warns about damaged files

EXAMPLES = 420  # for each of five formats
EXPECTED = {200, *(int(kind.status) for kind in KINDS if kind.status < 500)}

COLORS = Image.merge("RGB", [Image.fromarray(channel) for channel in (draw(), draw("sad"), draw("angry"))])
FILES = {
    "JPEG": [encode(COLORS, "JPEG"), encode(COLORS, "JPEG", progressive=True, exif=b"Exif\0\0MM\0*\0\0\0\x08\0\0")],
    "PNG": [encode(COLORS), encode(COLORS.convert("P")), encode(Image.fromarray(draw().astype(np.uint16) * 257))],
    "WEBP": [encode(COLORS, "WEBP"), encode(COLORS.convert("RGBA"), "WEBP", lossless=True)],
    "GIF": [encode(COLORS, "GIF", save_all=True, append_images=[COLORS.rotate(90)])],
    "BMP": [encode(COLORS.resize((16, 16)), "BMP"), encode(COLORS.convert("1"), "BMP")],
}
FORM = (
    b'--b\r\nContent-Disposition: form-data; name="image"; filename="x.png"\r\nContent-Type: image/png\r\n\r\n'
    + FILES["PNG"][0][:300]
    + b"\r\n--b--\r\n"
)

# Headers are short and matter most, so half of the edits go there.
POSITIONS = st.one_of(st.floats(0, 1), st.floats(0, 0.03))
EDITS = st.lists(
    st.tuples(st.sampled_from(["overwrite", "insert", "delete", "cut", "repeat"]), POSITIONS, st.binary(max_size=8)),
    min_size=1,
    max_size=4,
)


def mutate(data: bytes, edits) -> bytes:
    for kind, position, content in edits:
        start = int(position * len(data))
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
def client():
    """A client of an application that decodes images and then returns one face without any work."""
    with TestClient(create_app(Settings(max_pixels=100_000), StandIn())) as client:
        yield client


def assert_no_server_error(response) -> None:
    assert response.status_code in EXPECTED, response.text
    if response.status_code != 200:
        assert response.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize("file_format", FILES)
def test_mutated_files_cause_no_server_error(client, file_format):
    statuses = set()

    @settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck))
    @given(st.sampled_from(FILES[file_format]), EDITS)
    def check(data, edits):
        response = client.post("/api/recognize", content=mutate(data, edits))
        assert_no_server_error(response)
        statuses.add(response.status_code)

    check()
    assert {200, 415, 422} <= statuses  # otherwise the mutations change too little or too much


@settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck))
@given(EDITS, st.sampled_from(["multipart/form-data; boundary=b", 'multipart/form-data; boundary="b"; charset=x']))
def test_mutated_forms_cause_no_server_error(client, edits, media_type):
    headers = {"content-type": media_type}
    assert_no_server_error(client.post("/api/recognize", content=mutate(FORM, edits), headers=headers))


@settings(max_examples=100, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=40))
def test_media_types_cause_no_server_error(client, media_type):
    for value in (media_type, f"multipart/form-data; {media_type}", f"image/{media_type}"):
        assert_no_server_error(client.post("/api/recognize", content=FORM, headers={"content-type": value}))
