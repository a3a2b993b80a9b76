"""The camera: live mode and the game, with a fake video device that shows a film of synthetic faces."""

import re

import pytest
from playwright.sync_api import expect

RECOGNIZE = re.compile(r"/api/v1/recognize")
KEEP_STREAMS = """
    const { mediaDevices } = navigator;
    const ask = mediaDevices.getUserMedia.bind(mediaDevices);
    window.streams = [];
    mediaDevices.getUserMedia = async (wanted) => {
        const stream = await ask(wanted);
        window.streams.push(stream);
        await new Promise((done) => setTimeout(done, 300));
        return stream;
    };
"""
KEEP_SENT = """
    window.sent = [];
    const send = XMLHttpRequest.prototype.send;
    XMLHttpRequest.prototype.send = function (form) {
        window.sent.push(form.get("image"));
        return send.call(this, form);
    };
"""
CORNERS = """async (mode) => {
    const shades = (source, width, height) => {
        const canvas = new OffscreenCanvas(width, height);
        const context = canvas.getContext("2d");
        context.drawImage(source, 0, 0);
        return [40, width - 40].map((x) => context.getImageData(x, 40, 1, 1).data[0]);
    };
    const preview = document.querySelector("#live-canvas");
    const picture = await createImageBitmap(window.sent.at(-1));
    return {
        sent: [picture.width, picture.height, ...shades(picture, picture.width, picture.height)],
        preview: [preview.width, preview.height, ...shades(preview, preview.width, preview.height)],
    };
}"""
SKIP_ALL = """() => {
    while (document.querySelector("#game-end").hidden) document.querySelector("#game-skip").click();
}"""
ENDED = "window.streams.map((stream) => stream.getTracks()[0].readyState)"


@pytest.fixture
def live_page(open_page):
    def open_live(script="", **options):
        page = open_page(
            "live", script=KEEP_STREAMS + KEEP_SENT + script, permissions=["camera"], settles=False, **options
        )
        page.locator("#live-start").click()
        return page

    return open_live


def test_live_mode_follows_face(live_page):
    page = live_page()
    running, most, sent = [], [], []
    page.on("request", lambda request: (running.append(request), most.append(len(running)), sent.append(request)))
    page.on("requestfinished", lambda request: running.remove(request) if request in running else None)
    expect(page.locator("#live-overlay .sticker")).to_have_count(1)
    expect(page.locator("#live-bars tr.highest")).to_have_count(1)
    expect(page.locator("#live-note")).to_contain_text("Sent: 640 × 480 pixels, mirrored")
    page.wait_for_timeout(2500)
    assert page.locator("#live-ribbon rect").count() >= 2 * 6
    assert len(sent) >= 3
    assert max(most) == 1  # in flight at a time
    page.locator("#live-stop").click()
    expect(page.locator("#live-start")).to_be_visible()
    assert page.evaluate(ENDED) == ["ended"]


def test_preview_shows_what_is_sent(live_page):
    page = live_page()
    for mirrored in (True, False):
        page.locator("#live-mirror").set_checked(mirrored)
        page.evaluate("window.sent.length = 0")
        expect(page.locator("#live-note")).to_contain_text(re.compile("mirrored" if mirrored else "pixels;"))
        page.wait_for_timeout(1500)
        corners = page.evaluate(CORNERS)
        for width, height, left, right in corners.values():
            assert (width, height) == (640, 480)
            assert (right > left + 50) if mirrored else (left > right + 50)  # the film's left corner is white


def test_keeps_moment_as_photo(live_page):
    page = live_page()
    expect(page.locator("#live-overlay .sticker")).to_have_count(1)
    page.locator("#live-keep").click()
    expect(page.locator("#result-title")).to_contain_text("1 face: ")
    expect(page.locator("#stage img")).to_have_js_property("naturalWidth", 640)
    expect(page.locator("#live")).to_be_hidden()
    assert page.evaluate(ENDED) == ["ended"]  # leaving the mode stops the camera


def test_stops_camera_when_left_during_permission_prompt(live_page):
    page = live_page()
    page.get_by_role("tab", name="Photos").click()
    page.get_by_role("tab", name="Live").click()
    page.locator("#live-start").click()
    expect(page.locator("#live-overlay .sticker")).to_have_count(1)
    assert page.evaluate(ENDED) == ["ended", "live"]


@pytest.mark.parametrize(
    ("script", "words"),
    [
        ("mediaDevices.getUserMedia = async () => { throw new DOMException('', 'NotAllowedError'); }", "not allowed"),
        ("mediaDevices.getUserMedia = async () => { throw new DOMException('', 'NotFoundError'); }", "No camera found"),
        (
            "Object.defineProperty(navigator, 'mediaDevices', { value: undefined });"
            "Object.defineProperty(window, 'isSecureContext', { value: false });",
            "over plain HTTP",
        ),
    ],
    ids=["refused", "absent", "plain HTTP"],
)
@pytest.mark.parametrize("mode", ["live", "game"])
def test_says_why_camera_does_not_start(open_page, mode, script, words):
    page = open_page(mode, script="const { mediaDevices } = navigator;" + script, settles=False)
    page.locator(f"#{mode}-start").click()
    expect(page.locator(f"#{mode}-problem")).to_contain_text(words)
    expect(page.locator(f"#{mode}-start")).to_be_enabled()


def test_live_mode_survives_busy_server(live_page):
    problem = {"status": 503, "json": {"title": "Server busy", "detail": "Wait."}, "headers": {"Retry-After": "1"}}
    page = live_page(routes={RECOGNIZE: lambda route: route.fulfill(**problem)})
    expect(page.locator("#live-problem")).to_contain_text("Server busy")
    page.unroute(RECOGNIZE)
    expect(page.locator("#live-problem")).to_be_hidden()
    expect(page.locator("#live-overlay .sticker")).to_have_count(1)


def test_says_that_the_camera_was_unplugged(live_page):
    page = live_page()
    expect(page.locator("#live-overlay .sticker")).to_have_count(1)
    page.evaluate("window.streams[0].getTracks()[0].dispatchEvent(new Event('ended'))")
    expect(page.locator("#live-problem")).to_contain_text("The camera stopped")
    expect(page.locator("#live-start")).to_be_visible()


def test_switches_between_cameras_without_a_side(live_page):
    """Those of a computer that is no phone, by their ids; twice in a row, faster than they start."""
    page = live_page("""
        const devices = ["one", "two"].map((deviceId) => ({ kind: "videoinput", deviceId }));
        mediaDevices.enumerateDevices = async () => devices;
        const patient = mediaDevices.getUserMedia;
        window.asked = [];
        mediaDevices.getUserMedia = async (wanted) => {
            const id = wanted.video.deviceId?.exact ?? "one";
            window.asked.push(id);
            delete wanted.video.deviceId;
            const stream = await patient(wanted);
            stream.getVideoTracks()[0].getSettings = () => ({ deviceId: id });
            return stream;
        };
    """)
    expect(page.locator("#live-overlay .sticker")).to_have_count(1)
    page.locator("#live-switch").click()
    expect(page.locator("#live-overlay .sticker")).to_have_count(1)
    page.locator("#live-switch").click()
    page.wait_for_timeout(350)
    page.locator("#live-switch").click()
    expect(page.locator("#live-overlay .sticker")).to_have_count(1)
    assert page.evaluate("window.asked")[:3] == ["one", "two", "one"]
    expect(page.locator("#live-problem")).to_be_hidden()


def test_game_scores_rise_with_probability(open_page):
    page = open_page("game", permissions=["camera"], settles=False)
    probability = [0.2]

    def answer(route):
        target = page.locator("#game-word").text_content() or "happy"
        others = {name: (1 - probability[0]) / 5 for name in ("angry", "fear", "happy", "sad", "surprise", "neutral")}
        face = {"box": [200, 100, 240, 240], "score": 1, "landmarks": [], "crop": "data:,", "uncertain": False}
        face |= {"emotion": target, "probabilities": others | {target: probability[0]}}
        body = {"width": 640, "height": 480, "turn": 0, "faces": [face], "faces_found": 1, "milliseconds": 1}
        route.fulfill(json=body)

    page.route(RECOGNIZE, answer)
    page.locator("#game-start").click()
    score = page.locator("#game-score")
    expect(score).to_have_text("20")
    probability[0] = 1
    expect(page.locator("#game-round")).to_have_text("Perfect!")
    probability[0] = 0.2
    expect(page.locator("#game-round")).to_have_text(re.compile("Face [2-6] of 6"))
    page.evaluate(SKIP_ALL)
    expect(page.locator("#game-total")).to_contain_text("of 600 points")
    assert int(page.locator("#game-total").text_content().split()[0]) >= 90
    with page.expect_download() as download:
        page.locator("#game-save").click()
    assert download.value.path().read_bytes().startswith(b"\x89PNG")
