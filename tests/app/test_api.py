"""The HTTP API: responses for real images and problems for everything else."""

import base64
import gzip
import io
import json
import logging
import re

import numpy as np
import pytest
from PIL import Image
from starlette.testclient import TestClient

from app.main import create_app
from app.middleware import SECURITY_HEADERS
from app.problems import KINDS
from app.settings import Settings
from facial_expression.emotions import EMOTIONS
from facial_expression.errors import UserError
from helpers.photos import draw, encode, photograph
from helpers.served_model import CLASSES

PHOTO = photograph(draw("happy", 0), draw("surprise", 2), draw("sad", 3), side=160, size=(240, 560))
FORM = "multipart/form-data; boundary=b"


def post(client, data: bytes, media_type: str = "application/octet-stream"):
    return client.post("/api/recognize", content=data, headers={"content-type": media_type})


def form(*parts: tuple[str, bytes]) -> bytes:
    """The body of a form with the boundary ``b``."""
    heads = [f'--b\r\nContent-Disposition: form-data; name="{name}"; filename="x"\r\n\r\n' for name, _ in parts]
    return b"".join(head.encode() + data + b"\r\n" for head, (_, data) in zip(heads, parts, strict=True)) + b"--b--\r\n"


def assert_problem(response, status: int, kind: str | None = None) -> dict:
    """Check that the response is a complete problem of this kind (RFC 9457) that reveals nothing of the code."""
    assert response.status_code == status
    assert response.headers["content-type"] == "application/problem+json"
    problem = response.json()
    assert set(problem) == {"type", "title", "status", "detail"}
    assert problem["status"] == status
    assert problem["type"] == (f"/errors#{kind}" if kind else "about:blank")
    assert problem["title"]
    assert problem["detail"]
    assert not re.search(r"Traceback|File \"|\.py|Error\b", response.text)
    return problem


@pytest.mark.parametrize("file_format", ["JPEG", "PNG", "WEBP", "GIF", "BMP"])
def test_recognizes_three_faces_in_every_format(client, recognizer, file_format):
    response = post(client, encode(PHOTO, file_format), f"image/{file_format.lower()}")
    assert response.status_code == 200
    body = response.json()
    assert (body["width"], body["height"]) == (560, 240)
    assert body["milliseconds"] > 0
    expected = recognizer.recognize(PHOTO)
    assert len(body["faces"]) == len(expected) == 3
    lossless = file_format in ("PNG", "GIF", "BMP")
    for face, other in zip(body["faces"], expected, strict=True):
        assert face["emotion"] in CLASSES
        assert list(face["probabilities"]) == list(CLASSES)
        assert sum(face["probabilities"].values()) == pytest.approx(1, abs=1e-5)
        assert np.shape(face["landmarks"]) == (68, 2)
        if lossless:
            np.testing.assert_allclose(face["box"], other.box, atol=1e-3)
            np.testing.assert_allclose(face["landmarks"], other.landmarks, atol=1e-3)
            assert face["probabilities"] == pytest.approx(other.probabilities)
            assert face["uncertain"] == other.uncertain
            crop = Image.open(io.BytesIO(base64.b64decode(face["crop"].partition(",")[2])))
            np.testing.assert_array_equal(np.asarray(crop), other.crop)


def test_form_and_raw_body_get_same_response(client):
    data = encode(PHOTO)
    raw, sent = post(client, data, "image/png"), client.post("/api/recognize", files={"image": ("me.png", data)})
    by_hand = post(client, form(("comment", b"hello"), ("image", data), ("other", data)), FORM)
    without_type = client.post("/api/recognize", content=data)
    assert raw.status_code == 200
    for response in (sent, by_hand, without_type):
        assert response.json()["faces"] == raw.json()["faces"]


def test_recognizes_image_of_training_size(client, recognizer):
    body = post(client, encode(draw("happy", 0))).json()
    (expected,) = recognizer.recognize(draw("happy", 0))
    (face,) = body["faces"]
    assert face["probabilities"] == pytest.approx(expected.probabilities)
    assert face["box"] == pytest.approx(expected.box)


def test_boxes_follow_exif_orientation(client):
    exif = Image.Exif()
    exif[0x0112] = 6
    stored = np.ascontiguousarray(np.rot90(PHOTO))
    body = post(client, encode(stored, exif=exif)).json()
    assert (body["width"], body["height"]) == (560, 240)
    assert len(body["faces"]) == 3


def test_version_1_counts_faces_that_it_leaves_out(client):
    body = client.post("/api/v1/recognize?max_faces=1", content=encode(PHOTO)).json()
    everything = client.post("/api/v1/recognize", content=encode(PHOTO)).json()
    assert (len(body["faces"]), body["faces_found"]) == (1, 3)
    assert body["faces"] == everything["faces"][:1]
    assert everything["faces_found"] == len(everything["faces"]) == 3
    assert everything["turn"] == 0


def test_version_1_answers_for_photo_without_face(client):
    response = client.post("/api/v1/recognize", content=encode(np.full((300, 400), 120, np.uint8)))
    assert response.status_code == 200
    body = response.json()
    assert (body["faces"], body["faces_found"], body["turn"]) == ([], 0, 0)
    assert (body["width"], body["height"]) == (400, 300)


def test_passes_options_to_recognizer(make_app, stand_in):
    calls = []
    recognize = stand_in.recognize
    stand_in.recognize = lambda image, **options: calls.append(options) or recognize(image, **options)
    client = TestClient(make_app(stand_in))
    for query in ("", "?whole_picture=true&min_score=0.5"):
        assert client.post("/api/v1/recognize" + query, content=encode(PHOTO)).status_code == 200
    assert calls == [{"whole_picture": False, "min_score": None}, {"whole_picture": True, "min_score": 0.5}]


def test_coordinates_are_those_of_large_jpeg_as_sent(client, make_app, recognizer):
    photo = photograph(draw("happy", 0), draw("surprise", 2), side=400, size=(600, 1200))
    data = encode(photo, "JPEG", quality=95)
    full = client.post("/api/v1/recognize", content=data).json()
    halved = TestClient(make_app(recognizer, max_pixels=200_000)).post("/api/v1/recognize", content=data).json()
    assert (halved["width"], halved["height"]) == (1200, 600)
    assert len(full["faces"]) == len(halved["faces"]) == 2
    for one, other in zip(
        *(sorted(body["faces"], key=lambda face: face["box"]) for body in (full, halved)), strict=True
    ):
        np.testing.assert_allclose(one["box"], other["box"], atol=40)
        np.testing.assert_allclose(one["landmarks"], other["landmarks"], atol=20)


@pytest.mark.parametrize("query", ["max_faces=0", "max_faces=101", "whole_picture=perhaps", "min_score=nan", "size=3"])
def test_rejects_wrong_query_parameter_by_name(client, query):
    response = client.post(f"/api/v1/recognize?{query}", content=encode(PHOTO))
    assert query.partition("=")[0] in assert_problem(response, 422, "invalid-parameter")["detail"]


def test_batch_returns_results_in_order_sent(client):
    files = [
        ("image", ("three.png", encode(PHOTO))),
        ("image", ("text.png", b"just text")),
        ("image", ("empty.png", b"")),
        ("image", ("happy.png", encode(draw("happy", 0)))),
    ]
    body = client.post("/api/v1/recognize-batch", files=files).json()
    assert [item["file"] for item in body["results"]] == ["three.png", "text.png", "empty.png", "happy.png"]
    alone = client.post("/api/v1/recognize", content=encode(PHOTO)).json()
    assert body["results"][0]["recognition"]["faces"] == alone["faces"]
    assert len(body["results"][3]["recognition"]["faces"]) == 1
    problems = [item["problem"]["type"] for item in body["results"][1:3]]
    assert problems == ["/errors#unsupported", "/errors#empty"]
    assert [item["recognition"] is None for item in body["results"]] == [False, True, True, False]


def test_batch_is_bounded_like_single_request(make_app):
    client = TestClient(make_app(max_bytes=20_000))
    image = encode(np.random.default_rng(0).integers(0, 256, (100, 150)).astype(np.uint8))
    assert 10_000 < len(image) < 20_000
    files = [("image", ("a.png", image)), ("image", ("b.png", image))]
    assert client.post("/api/v1/recognize-batch", files=files[:1]).status_code == 200
    assert_problem(client.post("/api/v1/recognize-batch", files=files), 413, "too-large")


@pytest.mark.parametrize(("data", "media_type"), [(b"", ""), (encode(PHOTO), "image/png")])
def test_batch_must_be_a_form(client, data, media_type):
    response = client.post("/api/v1/recognize-batch", content=data, headers={"content-type": media_type})
    assert_problem(response, 415, "unsupported")


def test_batch_needs_file_names(client):
    data = form(("image", encode(PHOTO))).replace(b'; filename="x"', b"")
    assert (
        "file name"
        in assert_problem(
            client.post("/api/v1/recognize-batch", content=data, headers={"content-type": FORM}), 400, "malformed"
        )["detail"]
    )
    assert post(client, data, FORM).status_code == 200


def test_several_images_are_pointed_to_batch(client):
    response = post(client, form(("image", b"abc"), ("image", b"abc")), FORM)
    assert "2 images" in (detail := assert_problem(response, 400, "several-images")["detail"])
    assert "/api/v1/recognize-batch" in detail


def test_names_the_fields_that_came_instead(client):
    detail = assert_problem(post(client, form(("photo", b"abc"), ("file", b"abc")), FORM), 400, "empty")["detail"]
    assert "'image'" in detail
    assert "'photo', 'file'" in detail


@pytest.mark.parametrize("chunk", [1, 7, 10_000])
def test_skips_preamble_and_epilogue_of_form(client, chunk):
    data = b"This is a form.\r\n--not the boundary\r\n" + form(("image", encode(draw("happy", 0)))) + b"The end."
    chunks = (data[start : start + chunk] for start in range(0, len(data), chunk))
    response = client.post("/api/recognize", content=chunks, headers={"content-type": FORM})
    assert response.status_code == 200, response.text


def test_rejects_endless_preamble(client):
    assert_problem(post(client, b"x" * 100_000 + form(("image", b"abc")), FORM), 400, "malformed")


def test_names_the_encoding_of_compressed_body(client):
    headers = {"content-type": "image/png", "content-encoding": "gzip"}
    response = client.post("/api/recognize", content=gzip.compress(encode(PHOTO)), headers=headers)
    detail = assert_problem(response, 415, "unsupported")["detail"]
    assert "Content-Encoding" in detail
    assert "gzip" in detail
    assert response.headers["accept-encoding"] == "identity"


def test_leaves_out_faces_beyond_limit(recognizer):
    client = TestClient(create_app(Settings(max_faces=1), recognizer))
    body = post(client, encode(PHOTO)).json()
    assert (len(body["faces"]), body["more_faces"]) == (1, True)
    best = max(face.score for face in recognizer.recognize(PHOTO))
    assert body["faces"][0]["score"] == pytest.approx(best, abs=1e-4)


def test_returns_all_faces_at_limit(recognizer):
    client = TestClient(create_app(Settings(max_faces=3), recognizer))
    body = post(client, encode(PHOTO)).json()
    assert (len(body["faces"]), body["more_faces"]) == (3, False)


@pytest.mark.parametrize("shape", [(1, 1), (48, 48), (300, 400)])
def test_reports_image_without_face(client, shape):
    assert_problem(post(client, encode(np.full(shape, 120, np.uint8))), 422, "no-face")


@pytest.mark.parametrize(
    ("data", "media_type", "status", "kind"),
    [
        (b"", "image/png", 400, "empty"),
        (form(("image", b"")), FORM, 400, "empty"),
        (form(("photo", b"abc")), FORM, 400, "empty"),
        (form(("image", b"abc"), ("image", b"abc")), FORM, 400, "several-images"),
        (b"abc", FORM, 400, "malformed"),
        (b"abc", "multipart/form-data", 400, "malformed"),
        (b"", "multipart/form-data; boundary=" + "b" * 500, 400, "malformed"),
        (form(("image", encode(PHOTO)))[:-9], FORM, 400, "malformed"),
        (encode(PHOTO)[:3000], "image/png", 422, "damaged"),
        (form(("image", encode(PHOTO, "JPEG")[:3000])), FORM, 422, "damaged"),
        (b"just text", "image/jpeg", 415, "unsupported"),
        (form(("image", b"just text")), FORM, 415, "unsupported"),
        (encode(PHOTO, "TIFF"), "image/tiff", 415, "unsupported"),
        (b"{}", "application/json", 415, "unsupported"),
        (encode(PHOTO), "application/x-www-form-urlencoded", 415, "unsupported"),
        (encode(PHOTO), "text/plain", 415, "unsupported"),
    ],
)
def test_explains_rejected_request(client, data, media_type, status, kind):
    assert_problem(post(client, data, media_type), status, kind)


def test_rejects_too_many_pixels(make_app):
    client = TestClient(make_app(max_pixels=10_000))
    assert post(client, encode(Image.new("L", (100, 100)))).status_code == 200
    problem = assert_problem(post(client, encode(Image.new("L", (101, 100)))), 413, "too-many-pixels")
    assert "0.01 million pixels" in problem["detail"]


def test_rejects_too_many_bytes(make_app):
    client = TestClient(make_app(max_bytes=20_000))
    image = encode(np.random.default_rng(0).integers(0, 256, (100, 150)).astype(np.uint8), "BMP")
    assert 15_000 < len(image) < 20_000
    padding = b"\0" * (20_000 - len(image))  # decoders ignore what follows the pixels of a BMP
    for wrap, media_type in ((lambda data: data, "image/bmp"), (lambda data: form(("image", data)), FORM)):
        assert post(client, wrap(image + padding), media_type).status_code == 200
        problem = assert_problem(post(client, wrap(image + padding + b"\0"), media_type), 413, "too-large")
        assert "0.02 MB" in problem["detail"]


def test_counts_bytes_of_other_form_fields(make_app):
    client = TestClient(make_app(max_bytes=20_000))
    data = form(("comment", b"x" * 40_000), ("image", encode(Image.new("L", (10, 10)))))
    assert_problem(post(client, data, FORM), 413, "too-large")


def test_reports_unknown_path_or_method_as_problem(client):
    assert_problem(client.get("/nowhere"), 404)
    assert_problem(client.get("/static/nowhere.css"), 404)
    assert_problem(client.get("/static/%2e%2e/README.md"), 404)
    problem = client.get("/api/recognize")
    assert_problem(problem, 405)
    assert problem.headers["allow"] == "POST"


def test_unexpected_error_reveals_no_internals(make_app, stand_in):
    def fail(image, max_faces):
        raise RuntimeError("internal secret")

    stand_in.recognize = fail
    client = TestClient(make_app(stand_in), raise_server_exceptions=False)
    response = post(client, encode(PHOTO))
    assert_problem(response, 500, "internal")
    assert "secret" not in response.text
    assert response.headers["content-security-policy"] == SECURITY_HEADERS["Content-Security-Policy"]
    assert 'facial_expression_requests_total{status="500"} 1.0' in client.get("/metrics").text


def test_model_endpoint_returns_card(client, model_directory):
    assert client.get("/api/model").json() == json.loads((model_directory / "card.json").read_text())


def test_settings_endpoint_returns_limits_and_emotions(make_app):
    body = TestClient(make_app(max_bytes=5, max_pixels=6, max_faces=7)).get("/api/settings").json()
    assert (body["max_bytes"], body["max_pixels"], body["max_faces"]) == (5, 6, 7)
    assert [(item["name"], item["emoji"]) for item in body["emotions"]] == [(e.name, e.emoji) for e in EMOTIONS]


@pytest.mark.parametrize(
    ("classes", "shown"),
    [
        (["happy", "sad"], [(emotion.name, emotion.emoji) for emotion in EMOTIONS]),
        (["calm", "happy", "bored"], [("calm", None), ("happy", "😄"), ("bored", None)]),
    ],
)
def test_settings_list_classes_of_ones_own_without_emoji(make_app, stand_in, classes, shown):
    stand_in.card = {"classes": classes}
    body = TestClient(make_app(stand_in)).get("/api/v1/settings").json()
    assert [(item["name"], item["emoji"]) for item in body["emotions"]] == shown


def test_missing_model_stops_start(tmp_path):
    with pytest.raises(UserError, match=r"card\.json is missing"):
        create_app(Settings(model=tmp_path))


def test_reports_alive_and_ready(client):
    assert client.get("/healthz").json() == {"status": "alive"}
    assert client.get("/readyz").json() == {"status": "ready"}


def test_metrics_count_requests_and_faces(recognizer):
    client = TestClient(create_app(Settings(), recognizer))
    post(client, encode(PHOTO))
    post(client, b"")
    client.get("/healthz")
    metrics = client.get("/metrics")
    assert metrics.headers["content-type"].startswith("text/plain")
    lines = metrics.text.splitlines()
    for line in (
        'facial_expression_requests_total{status="200"} 1.0',
        'facial_expression_requests_total{status="400"} 1.0',
        "facial_expression_faces_total 3.0",
        "facial_expression_seconds_count 1.0",
        "facial_expression_requests_in_progress 0.0",
    ):
        assert line in lines


@pytest.mark.parametrize(
    "path",
    ["/", "/docs", "/static/favicon.svg", "/swagger/swagger-ui.css", "/errors", "/api/model", "/healthz", "/nowhere"],
)
def test_every_response_has_security_headers(client, path):
    headers = client.get(path).headers
    for name, value in SECURITY_HEADERS.items():
        assert headers[name] == value
    assert "unsafe" not in headers["content-security-policy"]
    assert headers["cache-control"] == ("no-cache" if path.startswith(("/static/", "/swagger/")) else "no-store")


@pytest.mark.parametrize("path", ["/", "/docs", "/static/favicon.svg", "/api/v1/model", "/healthz", "/nowhere"])
def test_head_has_status_and_headers_of_get(client, path):
    got, head = client.get(path), client.head(path)
    assert head.status_code == got.status_code
    assert head.headers == got.headers
    assert not head.content


@pytest.mark.parametrize("path", ["/static", "/docs/", "/api/v1/model/"])
def test_never_redirects_to_host_that_client_claims(client, path):
    response = client.get(path, headers={"host": "elsewhere.example"}, follow_redirects=False)
    assert_problem(response, 404)
    assert "elsewhere" not in str(response.headers)


@pytest.mark.parametrize("prefix", ["", "/faces"], ids=["stripped by proxy", "kept by proxy"])
def test_works_under_prefix(make_app, prefix):
    client = TestClient(make_app(root_path="/faces"))
    for path in ("/", "/docs", "/static/favicon.svg", "/swagger/swagger-ui.css", "/openapi.json", "/healthz"):
        assert client.get(prefix + path).status_code == 200, path
    assert client.post(f"{prefix}/api/v1/recognize", content=encode(PHOTO)).status_code == 200
    problem = client.post(f"{prefix}/api/v1/recognize", content=b"text").json()
    assert problem["type"] == "/faces/errors#unsupported"
    assert client.get(f"{prefix}/openapi.json").json()["servers"] == [{"url": "/faces"}]
    assert 'facial_expression_requests_total{status="415"} 1.0' in client.get("/metrics").text


def test_recognition_responses_are_not_cached(client):
    assert post(client, encode(PHOTO)).headers["cache-control"] == "no-store"


def test_logs_nothing_from_images(client, caplog):
    caplog.set_level(logging.DEBUG)
    for data in (encode(PHOTO), encode(PHOTO)[:3000], b"SECRET"):
        post(client, data)
        post(client, b"--b\r\nSECRET" + data, FORM)
        client.post("/api/recognize", files={"image": ("SECRET.png", data)})
    ours = [record for record in caplog.records if not record.name.startswith(("httpx", "httpcore", "asyncio"))]
    assert not any("SECRET" in record.getMessage() for record in ours)
    assert not any(record.name.startswith("python_multipart") for record in ours)


def test_errors_page_explains_every_problem(client):
    page = client.get("/errors").text
    explained = re.findall(r'<dt id="([\w-]+)">\1 <span>(\d+)</span></dt>', page)
    assert explained == [(kind.name, str(kind.status)) for kind in KINDS]


def test_docs_page_and_what_it_loads_come_from_this_host(client):
    page = client.get("/docs").text
    addresses = re.findall(r'(?:src|href)="([^"]+)"', page)
    assert {"swagger/swagger-ui-bundle.js", "openapi.json"} <= set(addresses)
    for address in addresses:  # relative, so that they also work under a prefix
        assert client.get(f"/{address.removeprefix('./')}").status_code == 200
    assert not re.search(r"<script>|<style|\son\w+=", page)


def test_openapi_describes_body_response_and_problems(client):
    description = client.get("/openapi.json").json()
    operation = description["paths"]["/api/v1/recognize"]["post"]
    assert {"multipart/form-data", "image/jpeg", "image/heic"} <= set(operation["requestBody"]["content"])
    absent = {"no-face", "api-key", "rate-limited"}
    assert set(operation["responses"]) == {"200", *(str(kind.status) for kind in KINDS if kind.name not in absent)}
    (schema,) = operation["responses"]["503"]["content"].items()
    assert schema[0] == "application/problem+json"
    assert set(schema[1]["schema"]["properties"]) == {"type", "title", "status", "detail"}
    operations = {path: next(iter(methods.values())) for path, methods in description["paths"].items()}
    deprecated = {path for path, operation in operations.items() if operation.get("deprecated")}
    assert deprecated == {"/api/recognize", "/api/model", "/api/settings"}
    assert set(operations) - deprecated == {
        "/api/v1/recognize",
        "/api/v1/recognize-batch",
        "/api/v1/model",
        "/api/v1/settings",
        "/healthz",
        "/readyz",
        "/metrics",
    }


def test_openapi_types_are_exact_enough_for_clients(client):
    schemas = client.get("/openapi.json").json()["components"]["schemas"]
    face = schemas["FaceResponse"]["properties"]
    assert (face["emotion"]["type"], face["emotion"]["minLength"]) == ("string", 1)
    assert (face["box"]["minItems"], face["box"]["maxItems"]) == (4, 4)
    assert (face["landmarks"]["minItems"], face["landmarks"]["maxItems"]) == (68, 68)
    assert schemas["RecognitionResponse"]["properties"]["turn"]["enum"] == [0, 90, 180, 270]
    assert schemas["ModelCard"]["properties"]["classes"]["items"]["type"] == "string"
