"""The page in a real browser, which all tests of a module share."""

import pytest

from app.main import create_app
from app.settings import Settings
from helpers.films import write_camera_film
from helpers.photos import draw, encode
from tools.screenshot import BROWSERS, find_chromium, launch_chromium, serve

playwright_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
playwright_api.expect.set_options(timeout=30_000)

SMALL = encode(draw("happy", 0))


@pytest.fixture(scope="module")
def address(recognizer):
    with serve(create_app(Settings(max_bytes=300_000, max_pixels=5_000_000, workers=2), recognizer)) as address:
        yield address + "/"


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    chromium = find_chromium()
    if chromium is None:
        pytest.skip(f"none of {', '.join(BROWSERS)} is on the PATH")
    film = write_camera_film(tmp_path_factory.mktemp("camera") / "film.mjpeg")
    flags = ("--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream")
    with launch_chromium(chromium, *flags, f"--use-file-for-fake-video-capture={film}") as browser:
        yield browser


@pytest.fixture
def open_page(browser, address):
    """Opens the page in a new context; afterwards, checks for errors and for requests to other hosts.

    ``script`` runs before the page's own, ``routes`` maps patterns of addresses to handlers, and ``at`` is an address
    instead of the module's. A tiny face takes the place of the first sample, unless ``first_sample`` is true, and its
    result is awaited, unless ``settles`` is false.
    """
    contexts, requests, errors, allowed = [], [], [], [address, "blob:", "data:"]

    def open_page(mode="", script="", routes=None, at=address, first_sample=False, settles=True, **options):
        context = browser.new_context(reduced_motion="reduce", **options)
        contexts.append(context)
        allowed.append(at)
        page = context.new_page()
        page.set_default_timeout(30_000)
        page.add_init_script(script)
        page.on("request", lambda request: requests.append(request.url))
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.on("console", lambda message: errors.append(message.text) if "Security Policy" in message.text else None)
        if not first_sample:
            small = {"body": SMALL, "content_type": "image/png"}
            page.route("**/samples/friends.jpg", lambda route: route.fulfill(**small))
        for pattern, handler in (routes or {}).items():
            page.route(pattern, handler)
        page.goto(at + (f"#/{mode}" if mode else ""))
        if settles:
            playwright_api.expect(page.locator("#result-title")).not_to_have_text("Looking for faces…")
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert errors == []
    assert requests
    assert [url for url in requests if not url.startswith(tuple(allowed))] == []
