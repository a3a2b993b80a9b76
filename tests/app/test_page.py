"""The page in a real browser: with mouse and keyboard, and on a phone."""

import pytest
from PIL import Image

from app.main import create_app
from app.settings import Settings
from facial_expression.emotions import EMOTIONS
from helpers.photos import draw, encode, photograph
from helpers.served_model import CLASSES
from tools.screenshot import BROWSERS, find_chromium, launch_chromium, serve

playwright_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
expect = playwright_api.expect
expect.set_options(timeout=30_000)

CHROMIUM = find_chromium()
if CHROMIUM is None:
    pytest.skip(f"none of {', '.join(BROWSERS)} is on the PATH", allow_module_level=True)

FACES = (draw("happy", 0), draw("surprise", 2), draw("sad", 3))
THREE = {"name": "three.png", "mimeType": "image/png", "buffer": encode(photograph(*FACES, side=160, size=(240, 560)))}
NONE = {"name": "none.png", "mimeType": "image/png", "buffer": encode(Image.new("RGB", (300, 200), "teal"))}
BAD = {"name": "bad.jpg", "mimeType": "image/jpeg", "buffer": b"not a photo"}


@pytest.fixture(scope="module")
def address(recognizer):
    app = create_app(Settings(max_bytes=300_000, max_pixels=2_000_000, workers=2), recognizer)
    with serve(app) as address:
        yield address


@pytest.fixture(scope="module")
def browser():
    fake_camera = ("--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream")
    with launch_chromium(CHROMIUM, *fake_camera) as browser:
        yield browser


@pytest.fixture
def open_page(browser, address):
    """Opens the page in a new context; afterwards, checks for script errors and requests to other hosts."""
    contexts, requests, errors = [], [], []

    def open_page(**options):
        context = browser.new_context(reduced_motion="reduce", **options)
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(30_000)
        page.on("request", lambda request: requests.append(request.url))
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.goto(address)
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert errors == []
    outside = [url for url in requests if not url.startswith((address, "blob:", "data:"))]
    assert requests
    assert outside == []


def show(page, file) -> None:
    page.set_input_files("#file", file)


def widths(card) -> list[float]:
    return [bar.bounding_box()["width"] for bar in card.locator(".bar span").all()]


def percentages(card) -> list[int]:
    return [int(text.removesuffix("%")) for text in card.locator(".percent").all_inner_texts()]


def test_shows_photo_with_three_faces(open_page):
    page = open_page()
    show(page, THREE)
    cards = page.locator(".face")
    expect(cards).to_have_count(3)
    expect(page.locator("#result-title")).to_have_text("3 faces")
    assert page.locator(".face-number").all_text_contents() == ["1", "2", "3"]
    assert page.locator(".face-point").count() == 3 * 68
    image = page.locator(".stage img").bounding_box()
    places = [box.bounding_box() for box in page.locator(".face-box").all()]
    assert places == sorted(places, key=lambda place: place["x"])  # numbered from left to right
    for place in places:
        assert image["x"] <= place["x"] <= place["x"] + place["width"] <= image["x"] + image["width"]
        assert 60 < place["width"] * 560 / image["width"] < 160
    for card in cards.all():
        shown = percentages(card)
        assert len(shown) == len(CLASSES)
        assert sum(shown) == pytest.approx(100, abs=3)
        assert shown == sorted(shown, reverse=True)
        assert widths(card) == sorted(widths(card), reverse=True)
        assert card.locator("tr").first.get_attribute("class") == "highest"
        assert card.locator(".emoji").count() == len(CLASSES) + 1
        highest = card.locator(".highest th").inner_text().strip("".join(emotion.emoji for emotion in EMOTIONS) + " ")
        assert highest in card.locator("h3").inner_text()
        crop = card.locator(".face-head img")
        assert crop.evaluate("image => [image.naturalWidth, image.naturalHeight]") == [48, 48]


def test_bar_lengths_match_probabilities(open_page):
    page = open_page()
    show(page, THREE)
    card = page.locator(".face").first
    track = card.locator(".bar").first.bounding_box()["width"]
    for width, share in zip(widths(card), percentages(card), strict=True):
        assert width / track == pytest.approx(share / 100, abs=0.02)


def test_marks_uncertain_prediction(open_page):
    def make_second_uncertain(route):
        response = route.fetch()
        body = response.json()
        from_left = sorted(body["faces"], key=lambda face: face["box"][0])
        for number, face in enumerate(from_left, start=1):
            face["uncertain"] = number == 2
        route.fulfill(response=response, json=body)

    page = open_page()
    page.route("**/api/recognize", make_second_uncertain)
    show(page, THREE)
    expect(page.locator(".face")).to_have_count(3)
    assert [card.locator(".tag").count() for card in page.locator(".face").all()] == [0, 1, 0]
    expect(page.locator(".face").nth(1)).to_contain_text("Low confidence.")
    expect(page.get_by_role("status")).to_contain_text("Face 2: uncertain, possibly")


def test_announces_result_to_screen_readers(open_page):
    page = open_page()
    show(page, THREE)
    expect(page.get_by_role("status")).to_contain_text("3 faces. Face 1:")
    expect(page.get_by_role("table", name="Probabilities for face 2")).to_be_visible()
    expect(page.get_by_role("rowheader", name="happy")).not_to_have_count(0)
    expect(page.get_by_role("img", name="Face 3 as the network saw it")).to_be_visible()
    assert page.locator("img:not([alt])").count() == 0
    assert page.evaluate("document.activeElement.id") == "result-title"


def test_hides_landmarks(open_page):
    page = open_page()
    show(page, THREE)
    marks = page.locator(".face-landmarks").first
    expect(marks).to_be_visible()
    page.get_by_label("Show landmarks").uncheck()
    expect(marks).to_be_hidden()


@pytest.mark.parametrize(
    ("file", "title", "advice"),
    [(NONE, "No face found", "looking at the camera"), (BAD, "Unsupported file format", "JPEG")],
    ids=["no face", "no image"],
)
def test_explains_problem_until_next_photo(open_page, file, title, advice):
    page = open_page()
    show(page, file)
    problem = page.get_by_role("alert")
    expect(problem).to_contain_text(title)
    expect(problem).to_contain_text(advice)
    expect(page.locator(".face")).to_have_count(0)
    show(page, THREE)
    expect(page.locator(".face")).to_have_count(3)
    expect(page.locator("#problem")).to_be_hidden()


def test_reports_unreachable_server(open_page):
    page = open_page()
    page.route("**/api/recognize", lambda route: route.abort())
    show(page, THREE)
    expect(page.get_by_role("alert")).to_contain_text("Server unreachable")


def test_requests_settings_again_after_failure(open_page, address):
    page = open_page()
    refused = []
    page.route("**/api/settings", lambda route: (refused.append(1), route.fulfill(status=503, json={}))[1], times=1)
    page.goto(address)
    show(page, THREE)
    expect(page.locator(".face")).to_have_count(3)
    assert refused == [1]


@pytest.mark.parametrize("failure", ["absent", "unreachable"])
def test_reports_unavailable_sample(open_page, failure):
    page = open_page()
    lose = {"absent": lambda route: route.fulfill(status=404, json={}), "unreachable": lambda route: route.abort()}
    page.route("**/samples/*", lose[failure])
    page.locator(".sample").first.click()
    expect(page.get_by_role("alert")).to_contain_text("Server unreachable")


def test_mentions_faces_not_shown(open_page):
    def leave_out(route):
        response = route.fetch()
        route.fulfill(response=response, json=response.json() | {"more_faces": True})

    page = open_page()
    page.route("**/api/recognize", leave_out)
    show(page, THREE)
    expect(page.locator("#result-title")).to_have_text("3 faces (more not shown)")


def test_shrinks_large_photo_before_upload(open_page):
    page = open_page()
    large = encode(photograph(*FACES, side=900, size=(1500, 2800)), "BMP")
    assert len(large) > 4_000_000
    show(page, {"name": "large.bmp", "mimeType": "image/bmp", "buffer": large})
    expect(page.locator(".face")).to_have_count(3)


@pytest.mark.parametrize("number", range(3))
def test_finds_face_in_every_sample(open_page, number):
    page = open_page()
    page.locator(".sample").nth(number).click()
    expect(page.locator(".face")).to_have_count(1)


def test_works_by_keyboard(open_page):
    page = open_page()
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.id") == "drop"
    style = page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
    assert style == "solid"
    choosers = []
    page.on("filechooser", lambda chooser: choosers.append(chooser))
    page.wait_for_timeout(500)  # until the browser intercepts file dialogs, which it does not report
    page.keyboard.press("Enter")
    while not choosers:
        page.wait_for_timeout(50)
    choosers[0].set_files(THREE)
    expect(page.locator(".face")).to_have_count(3)
    page.locator("#camera").focus()
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(page.locator(".face")).to_have_count(1)


@pytest.mark.parametrize("kind", ["drop", "paste"])
def test_accepts_dropped_or_pasted_photo(open_page, kind):
    page = open_page()
    page.evaluate(
        """async ([kind, url]) => {
            const content = await (await fetch(url)).blob();
            const transfer = new DataTransfer();
            transfer.items.add(new File([content], "photo.png", { type: "image/png" }));
            const event = kind === "drop"
                ? new DragEvent("drop", { dataTransfer: transfer, bubbles: true, cancelable: true })
                : new ClipboardEvent("paste", { clipboardData: transfer, bubbles: true });
            document.querySelector("#drop").dispatchEvent(event);
        }""",
        [kind, "/static/samples/happy.png"],
    )
    expect(page.locator(".face")).to_have_count(1)


def test_takes_photo_with_camera(open_page):
    page = open_page(permissions=["camera"])
    page.get_by_role("button", name="Use the camera").click()
    take = page.get_by_role("button", name="Take photo")
    expect(take).to_be_enabled()
    take.click()
    expect(page.get_by_role("dialog")).to_be_hidden()
    expect(page.get_by_role("alert")).to_contain_text("No face found")  # the fake camera shows a test pattern
    assert page.locator("#camera-video").evaluate("video => video.srcObject") is None


def test_stops_camera_opened_twice(open_page):
    page = open_page(permissions=["camera"])
    page.evaluate(
        """() => {
            const { mediaDevices } = navigator;
            const ask = mediaDevices.getUserMedia.bind(mediaDevices);
            window.streams = [];
            mediaDevices.getUserMedia = async (wanted) => {
                const stream = await ask(wanted);
                window.streams.push(stream);
                await new Promise((done) => setTimeout(done, 600));
                return stream;
            };
        }"""
    )
    button = page.get_by_role("button", name="Use the camera")
    button.click()
    page.get_by_role("button", name="Cancel").click()  # during the permission prompt
    button.click()
    expect(page.get_by_role("button", name="Take photo")).to_be_enabled()
    page.wait_for_timeout(700)
    page.get_by_role("button", name="Cancel").click()
    page.wait_for_function("window.streams.every((stream) => stream.getTracks()[0].readyState === 'ended')")
    assert page.evaluate("window.streams.length") == 2


def test_bars_are_visible_in_forced_colors(open_page):
    page = open_page(forced_colors="active")
    show(page, THREE)
    bar = page.locator(".face .bar").first
    expect(bar).to_be_visible()
    color = "element => getComputedStyle(element).backgroundColor"
    assert bar.evaluate(color) != bar.locator("span").evaluate(color)


def test_describes_model(open_page):
    page = open_page()
    about = page.locator(".about")
    expect(about).to_contain_text("This is a linear model with fixed weights, trained on FER2013")
    expect(about).to_contain_text("About 34 of 100 predictions are wrong")
    expect(about).to_contain_text("3,534 test images of FER2013")
    expect(about).to_contain_text("64.5–67.5%")
    expect(about).to_contain_text("Out-of-scope use")
    assert percentages(about) == [58, 41, 86, 50, 79, 66]
    expect(page.locator("#privacy")).to_contain_text("in memory and not stored")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_fits_phone_screen(open_page, scheme):
    page = open_page(viewport={"width": 360, "height": 740}, color_scheme=scheme)
    show(page, THREE)
    expect(page.locator(".face")).to_have_count(3)
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    for number in page.locator(".face-number").all():
        assert float(number.evaluate("text => text.getBoundingClientRect().height")) >= 12
    light = page.evaluate("getComputedStyle(document.body).backgroundColor").removeprefix("rgb(").split(",")[0]
    assert (int(light) > 128) == (scheme == "light")
    page.goto(page.url + "docs")
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
