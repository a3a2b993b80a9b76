"""Photos: choosing them, the queue, the result on the photo and beside it, and what can be saved."""

import base64
import csv
import io
import json
import re
from urllib.parse import parse_qs, urlsplit

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import expect

from app.main import create_app
from app.settings import Settings
from facial_expression.recognizer import Recognizer
from helpers.photos import draw, encode, photograph
from helpers.served_model import CLASSES, write_model
from tools.screenshot import serve

FACES = (draw("happy", 0), draw("surprise", 2), draw("sad", 3))
RECOGNIZE = re.compile(r"/api/v1/recognize")


def file(name: str, content: bytes, media_type: str = "image/png") -> dict:
    return {"name": name, "mimeType": media_type, "buffer": content}


PHOTO = photograph(*FACES, side=160, size=(240, 560))
THREE = file("three.png", encode(PHOTO))
ONE = file("one.png", encode(photograph(FACES[0], side=160, size=(240, 320))))
NONE = file("none.png", encode(Image.new("RGB", (300, 200), "teal")))
BAD = file("bad.jpg", b"not a photo", "image/jpeg")


def show(page, *files) -> None:
    page.set_input_files("#file", list(files))


def title(page):
    return page.locator("#result-title")


def change_response(page, change) -> None:
    """Apply `change` to the body of every response for the photo with three faces."""

    def handle(route):
        response = page.request.post(route.request.url, multipart={"image": THREE})
        body = response.json()
        change(body, route.request)
        route.fulfill(response=response, json=body)

    page.route(RECOGNIZE, handle)


def save(page, button: str) -> tuple[str, bytes]:
    with page.expect_download() as download:
        page.locator(button).click()
    return download.value.suggested_filename, download.value.path().read_bytes()


def test_first_screen_shows_result_of_sample(open_page):
    page = open_page(first_sample=True)
    expect(title(page)).to_contain_text("5 faces:")
    expect(page.locator("#stage .mark")).to_have_count(5)
    for sample in page.locator(".sample").all()[1:]:
        sample.click()
        expect(title(page)).to_contain_text("1 face:")
        expect(page.locator("#stage img")).to_have_js_property("naturalWidth", 800)


def test_marks_and_lists_faces_from_left_to_right(open_page):
    page = open_page()
    show(page, THREE)
    expect(title(page)).to_contain_text("3 faces: ")
    tiles = page.locator(".tile")
    expect(tiles).to_have_count(3)
    image = page.locator("#stage img").bounding_box()
    places = [mark.bounding_box() for mark in page.locator("#stage .mark").all()]
    assert places == sorted(places, key=lambda place: place["x"])
    for place, label, tile in zip(places, page.locator(".mark .words").all(), tiles.all(), strict=True):
        assert image["x"] <= place["x"] <= place["x"] + place["width"] <= image["x"] + image["width"]
        assert 60 < place["width"] * 560 / image["width"] < 160
        emotion, share = label.text_content().replace("?", "").split()
        assert emotion in tile.get_attribute("aria-label")
        assert share in tile.inner_text()


def test_bars_keep_their_order_and_match_shares(open_page):
    page = open_page()
    show(page, THREE)
    expect(page.locator(".tile")).to_have_count(3)
    detail = page.locator("#detail")
    for tile in page.locator(".tile").all():
        tile.click()
        names = [name.split()[-1] for name in detail.locator("th").all_inner_texts()]
        shares = [int(text.removesuffix("%")) for text in detail.locator(".percent").all_inner_texts()]
        track = detail.locator(".bar").first.bounding_box()["width"]
        widths = [bar.bounding_box()["width"] / track for bar in detail.locator(".bar span").all()]
        assert tuple(name.lstrip("😠😨😄😢😮😐") for name in names) == CLASSES
        assert sum(shares) == pytest.approx(100, abs=3)
        assert widths == pytest.approx([share / 100 for share in shares], abs=0.025)
        assert detail.locator(".highest .percent").inner_text() == f"{max(shares)}%"


def test_selects_face_with_pointer_and_keys(open_page):
    page = open_page()
    show(page, THREE)
    expect(page.locator(".tile")).to_have_count(3)
    detail, selected = page.locator("#detail"), page.locator(".tile[aria-pressed=true]")
    page.locator("#stage .mark").nth(1).click()
    expect(detail).to_contain_text("Face 2 of 3")
    expect(selected).to_have_attribute("aria-label", re.compile("Face 2: "))
    expect(page.locator("#stage .landmarks")).to_have_count(1)
    expect(page.locator("#stage .landmarks circle")).to_have_count(68)
    page.locator("#stage").press("ArrowRight")
    expect(detail).to_contain_text("Face 3 of 3")
    selected.press("ArrowRight")
    expect(detail).to_contain_text("Face 1 of 3")
    assert page.evaluate("document.activeElement.getAttribute('aria-pressed')") == "true"


def test_marks_uncertain_prediction(open_page):
    def make_second_uncertain(body, request):
        for number, face in enumerate(sorted(body["faces"], key=lambda face: face["box"][0]), start=1):
            face["uncertain"] = number == 2

    page = open_page()
    change_response(page, make_second_uncertain)
    show(page, THREE)
    expect(page.locator(".tile")).to_have_count(3)
    assert ["?" in words for words in page.locator(".mark .words").all_text_contents()] == [False, True, False]
    expect(page.get_by_role("status")).to_contain_text("Face 2: uncertain, possibly")
    page.locator(".tile").nth(1).click()
    expect(page.locator("#detail")).to_contain_text("Uncertain")


def test_takes_whole_picture_as_face_on_request(open_page):
    page = open_page()
    show(page, NONE)
    expect(title(page)).to_have_text("No face found")
    with page.expect_request(RECOGNIZE) as request:
        page.get_by_role("button", name="The whole picture is one face").click()
    assert parse_qs(urlsplit(request.value.url).query) == {"whole_picture": ["true"]}
    expect(title(page)).to_contain_text("The whole picture: ")
    expect(page.locator("#detail")).to_be_visible()
    assert "whole_picture=true" in page.locator("#curl").text_content()
    page.get_by_role("button", name="Search for faces instead").click()
    expect(title(page)).to_have_text("No face found")


def test_rotate_button_makes_tilted_face_upright(open_page):
    tilted = Image.fromarray(photograph(FACES[0], side=200, size=(500, 500))).rotate(60, fillcolor=150)
    page = open_page()
    show(page, file("tilted.png", encode(tilted)))
    image = page.locator("#stage img")
    expect(image).to_have_js_property("naturalWidth", 500)
    for width in (683, 683):  # 500 (sin 30° + cos 30°), which equals 500 (sin 60° + cos 60°)
        page.locator("#turn-right").click()
        expect(image).to_have_js_property("naturalWidth", width)
        expect(page.locator("#busy")).to_be_hidden()
    expect(title(page)).to_contain_text("1 face: ")
    assert page.locator("#detail h3").inner_text()


def test_shows_turned_photo_upright(open_page):
    page = open_page()
    show(page, file("turned.png", encode(np.rot90(PHOTO).copy())))
    expect(title(page)).to_contain_text("3 faces: ")
    image = page.locator("#stage img")
    expect(image).to_have_js_property("naturalWidth", 560)
    expect(image).to_have_js_property("naturalHeight", 240)
    shown, middle = image.bounding_box(), [mark.bounding_box() for mark in page.locator("#stage .mark").all()]
    for number, place in enumerate(middle):
        center = (place["x"] + place["width"] / 2 - shown["x"]) / shown["width"]
        assert center == pytest.approx((120 + 160 * number) / 560, abs=0.06)


def test_queue_sends_photos_one_at_a_time(open_page):
    page = open_page()
    running, most = [], []
    page.on(
        "request",
        lambda request: (running.append(1), most.append(sum(running))) if RECOGNIZE.search(request.url) else 0,
    )
    page.on("response", lambda response: running.pop() if RECOGNIZE.search(response.url) else 0)
    show(page, ONE, THREE)
    show(page, NONE, BAD)  # while the others are being sent
    frames = page.locator(".frame")
    expect(frames).to_have_count(4)  # without the sample
    expect(page.locator("#queue-text")).to_have_text("4 photos")
    labels = [frame.get_attribute("aria-label") for frame in frames.all()]
    for label, words in zip(labels, ("one.png: 1 face", "3 faces", "no face found", "bad.jpg: no result"), strict=True):
        assert words in label
    assert max(most) == 1
    frames.nth(0).click()
    expect(title(page)).to_contain_text("1 face: ")
    frames.nth(1).press("Enter")
    expect(title(page)).to_contain_text("3 faces: ")
    frames.nth(3).click()
    expect(page.locator("#problem")).to_contain_text("JPEG")


def test_saves_json_and_csv_of_all_photos(open_page):
    page = open_page()
    show(page, ONE, THREE)
    expect(page.locator("#queue-text")).to_have_text("2 photos")
    name, content = save(page, "#save-json")
    photos = json.loads(content)
    assert name == "photos.json"
    assert [(photo["name"], len(photo["response"]["faces"])) for photo in photos] == [("one.png", 1), ("three.png", 3)]
    name, content = save(page, "#save-csv")
    rows = list(csv.DictReader(io.StringIO(content.decode(), newline="")))
    assert name == "photos.csv"
    assert [(row["photo"], row["face"]) for row in rows] == [("one.png", "1")] + [
        ("three.png", f"{n}") for n in (1, 2, 3)
    ]
    lefts = [float(row["left"]) for row in rows[1:]]
    assert lefts == sorted(lefts)  # numbered as on the page
    for row, photo in zip(rows[:2], photos, strict=True):
        size = photo["response"]["width"], photo["response"]["height"]
        assert (int(row["picture_width"]), int(row["picture_height"])) == size
    for row in rows:
        assert sum(float(row[name]) for name in CLASSES) == pytest.approx(1, abs=1e-3)


def test_saves_photo_with_labels(open_page):
    page = open_page()
    show(page, THREE)
    expect(page.locator(".tile")).to_have_count(3)
    name, content = save(page, "#save-picture")
    picture = np.asarray(Image.open(io.BytesIO(content)).convert("RGB")).astype(int)
    assert name == "three-expressions.png"
    assert picture.shape[1] == 560
    assert picture.shape[0] > 240  # and the line below the photo
    is_colored = np.ptp(picture[:240], axis=2) > 60  # the photo itself is gray
    assert is_colored.mean() > 0.02
    assert is_colored[:, :200].any()
    assert is_colored[:, 360:].any()


def test_cancels_transfer_and_sends_again(open_page):
    page = open_page()
    held = []
    page.route(RECOGNIZE, lambda route: held.append(route), times=1)
    show(page, ONE, THREE)
    expect(page.locator("#cancel")).to_be_visible()
    page.locator("#cancel").click()
    expect(title(page)).to_have_text("Canceled")
    expect(page.locator(".frame").nth(1)).to_have_attribute("aria-label", re.compile("3 faces"))  # the queue goes on
    page.get_by_role("button", name="Send it again").click()
    expect(title(page)).to_contain_text("1 face: ")


def test_shrinks_large_photo_before_upload(open_page):
    page = open_page()
    large = encode(photograph(*FACES, side=900, size=(1500, 3000)), "BMP")
    assert len(large) > 4_000_000
    show(page, file("large.bmp", large, "image/bmp"))
    expect(title(page)).to_contain_text("3 faces: ")
    expect(page.locator("#time")).to_contain_text("2048 × 1024 sent")


def test_reencodes_what_server_cannot_read(open_page):
    data = base64.b64encode(THREE["buffer"]).decode()
    image = f'<image href="data:image/png;base64,{data}"/>'
    drawing = f'<svg xmlns="http://www.w3.org/2000/svg" width="560" height="240">{image}</svg>'
    page = open_page()
    show(page, file("drawing.svg", drawing.encode(), "image/svg+xml"))
    expect(title(page)).to_contain_text("3 faces: ")


def test_loads_faces_beyond_limit(open_page):
    def leave_out(body, request):
        if "max_faces=100" not in request.url:
            body["faces"] = body["faces"][:1]

    page = open_page()
    change_response(page, leave_out)
    show(page, THREE)
    page.get_by_role("button", name="Show all 3 faces").click()
    expect(page.locator(".tile")).to_have_count(3)
    expect(page.locator("#more-faces")).to_be_hidden()


@pytest.mark.parametrize("status", [429, 503])
def test_tries_again_while_server_is_busy(open_page, status):
    page = open_page()
    problem = {"status": status, "json": {"title": "Busy"}, "headers": {"Retry-After": "1"}}
    page.route(RECOGNIZE, lambda route: route.fulfill(**problem), times=1)
    show(page, THREE)
    expect(title(page)).to_contain_text("3 faces: ")


def test_cancels_while_it_waits_for_a_busy_server(open_page):
    page = open_page()
    page.route(RECOGNIZE, lambda route: route.fulfill(status=503, headers={"Retry-After": "60"}, json={"status": 503}))
    with page.expect_response(RECOGNIZE):
        show(page, ONE)
    page.locator("#cancel").click()
    expect(title(page)).to_have_text("Canceled", timeout=3000)


def test_says_why_a_photo_cannot_be_sent(open_page):
    page = open_page(script="HTMLCanvasElement.prototype.toBlob = (done) => done(null);")
    show(page, {"name": "large.png", "mimeType": "image/png", "buffer": encode(photograph(draw(), size=(2100, 2800)))})
    expect(page.locator("#problem")).to_contain_text("This photo cannot be sent")
    expect(page.locator("#problem")).to_contain_text("The browser cannot encode this picture.")


def test_names_of_files_are_no_formulas_in_a_csv(open_page):
    page = open_page()
    show(page, ONE | {"name": '=HYPERLINK("http:evil").png'})
    expect(title(page)).to_contain_text("1 face: ")
    _, content = save(page, "#save-csv")
    (row,) = csv.DictReader(io.StringIO(content.decode(), newline=""))
    assert row["photo"] == '\'=HYPERLINK("http:evil").png'


def test_reports_unreachable_server(open_page):
    page = open_page()
    page.route(RECOGNIZE, lambda route: route.abort(), times=1)
    show(page, THREE)
    expect(page.locator("#problem")).to_contain_text("Server unreachable")
    page.get_by_role("button", name="Try again").click()
    expect(title(page)).to_contain_text("3 faces: ")


def test_requests_settings_again_after_failure(open_page):
    settings = re.compile("/api/v1/settings")
    refused = []

    def refuse_once(route):
        refused.append(1)
        route.fulfill(status=503, json={}) if len(refused) == 1 else route.continue_()

    page = open_page(routes={settings: refuse_once})
    show(page, THREE)
    expect(title(page)).to_contain_text("3 faces: ")
    assert len(refused) == 2


def test_asks_for_api_key(open_page, recognizer):
    with serve(create_app(Settings(api_key="open sesame", workers=1), recognizer)) as address:
        page = open_page(at=address + "/", settles=False)
        for key in ("open barley", "open sesame"):
            page.get_by_label("This server asks for an API key").fill(key)
            page.get_by_role("button", name="Use it").click()
            expect(page.locator("#key-form")).to_be_hidden()
            show(page, THREE)
            if key == "open barley":
                expect(page.locator("#problem")).to_contain_text("API key missing or wrong")
        expect(title(page)).to_contain_text("3 faces: ")
        expect(page.locator("#curl")).to_contain_text("-H 'X-API-Key: YOUR-KEY'")
        expect(page.locator("#python")).to_contain_text('headers={"X-API-Key": "YOUR-KEY"}')


def test_works_below_a_prefix(open_page, recognizer):
    app = create_app(Settings(workers=1), recognizer)

    async def proxy(scope, receive, send):
        if scope["type"] == "http":
            assert scope["path"].startswith("/faces/"), scope["path"]
            scope = {**scope, "path": scope["path"].removeprefix("/faces")}
        await app(scope, receive, send)

    with serve(proxy) as address:
        page = open_page(at=address + "/faces/")  # requests elsewhere fail the test
        show(page, THREE)
        expect(title(page)).to_contain_text("3 faces: ")


def test_shows_classes_of_ones_own(open_page, tmp_path):
    """Without an emoji, its name stands for a class; a class without test faces has no recall."""
    classes = ["calm", "bored", "tired", "low", "high", "happy"]
    recall = dict.fromkeys(classes, 0.5) | {"low": None}
    metrics = {"accuracy": 0.5, "accuracy_low": 0.4, "accuracy_high": 0.6, "n": 90, "recall": recall}
    own = write_model(tmp_path / "own", classes=classes, trained_classes=classes, dataset="party", metrics=metrics)
    with serve(create_app(Settings(workers=1), Recognizer.load(own))) as address:
        page = open_page(at=address + "/")
        expect(page.locator("#chorus li")).to_have_text([*classes[:-1], "😄happy"])
        expect(page.locator("#model-what")).to_contain_text("trained on party to distinguish 6 expressions: calm, ")
        expect(page.locator("#model-recall tr")).to_have_count(5)
        show(page, THREE)
        expect(title(page)).to_contain_text("3 faces: ")
        for part in page.locator("#summary .part").all_inner_texts():
            assert re.fullmatch(r"(calm|bored|tired|low|high|😄)\s*\d?", part)


def test_first_sample_never_replaces_chosen_photo(open_page):
    held = []

    def hold(route):  # but not the thumbnail
        held.append(route) if route.request.resource_type == "fetch" else route.continue_()

    page = open_page(routes={"**/samples/friends.jpg": hold}, settles=False)
    while not held:
        page.wait_for_timeout(10)
    show(page, THREE)
    expect(title(page)).to_contain_text("3 faces: ")
    held[0].fulfill(body=ONE["buffer"], content_type="image/png")
    page.wait_for_timeout(300)
    expect(title(page)).to_contain_text("3 faces: ")


def test_offers_request_as_curl_and_python(open_page, address):
    page = open_page(permissions=["clipboard-read", "clipboard-write"])
    show(page, THREE)
    page.get_by_text("The same with curl or Python").click()
    page.get_by_role("button", name="Copy as curl").click()
    expect(page.get_by_role("status")).to_have_text("Copied")
    assert page.evaluate("navigator.clipboard.readText()") == f"curl -F image=@photo.jpg '{address}api/v1/recognize'"
    compile(page.locator("#python").text_content(), "snippet", "exec")


def test_works_by_keyboard(open_page):
    page = open_page()
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.id") == "tab-photos"
    assert page.evaluate("getComputedStyle(document.activeElement).outlineStyle") == "solid"
    page.keyboard.press("ArrowRight")
    expect(page.locator("#live")).to_be_visible()
    page.keyboard.press("Home")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.id") == "choose"
    choosers = []
    page.on("filechooser", lambda chooser: choosers.append(chooser))
    page.wait_for_timeout(500)  # until the browser intercepts file dialogs, which it does not report
    page.keyboard.press("Enter")
    while not choosers:
        page.wait_for_timeout(50)
    choosers[0].set_files(THREE)
    expect(page.locator(".tile")).to_have_count(3)


@pytest.mark.parametrize("kind", ["drop", "paste"])
def test_accepts_dropped_or_pasted_photos(open_page, kind):
    page = open_page()
    page.evaluate(
        """async ([kind, data]) => {
            const transfer = new DataTransfer();
            const content = Uint8Array.from(atob(data), (letter) => letter.charCodeAt(0));
            for (const name of ["a.png", "b.png"]) transfer.items.add(new File([content], name, { type: "image/png" }));
            const event = kind === "drop"
                ? new DragEvent("drop", { dataTransfer: transfer, bubbles: true, cancelable: true })
                : new ClipboardEvent("paste", { clipboardData: transfer, bubbles: true });
            document.querySelector("#stage").dispatchEvent(event);
        }""",
        [kind, base64.b64encode(THREE["buffer"]).decode()],
    )
    expect(page.locator("#queue-text")).to_have_text("2 photos")
    expect(page.locator(".tile")).to_have_count(3)
