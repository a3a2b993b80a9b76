"""Take a screenshot of the web application that shows the result for a sample image. Needs Chromium on the PATH.

python -m tools.screenshot docs/images/page.png
python -m tools.screenshot page.png --model DIRECTORY    # instead of models/serving
"""

import argparse
import shutil
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import uvicorn
from starlette.types import ASGIApp

from app.main import create_app
from app.settings import Settings

if TYPE_CHECKING:
    from playwright.sync_api import Browser

BROWSERS = ("chromium", "chromium-browser", "google-chrome")
CHROMIUM_FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
WIDTH, HEIGHT = 1280, 900


def find_chromium() -> str | None:
    """Path of the installed browser, if there is one."""
    return next(filter(None, map(shutil.which, BROWSERS)), None)


@contextmanager
def serve(app: ASGIApp) -> Iterator[str]:
    """Serve the application on a free port and yield its address."""
    server = uvicorn.Server(uvicorn.Config(app, port=0, log_level="warning"))
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        while not server.started:
            if not thread.is_alive():
                raise RuntimeError("the server did not start")
            time.sleep(0.02)
        yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join()


@contextmanager
def launch_chromium(executable: str, *flags: str) -> "Iterator[Browser]":
    from playwright.sync_api import sync_playwright  # here, because the tests must be importable without Playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=executable, args=[*CHROMIUM_FLAGS, *flags])
        yield browser
        browser.close()


def take_screenshot(browser: "Browser", address: str, destination: Path) -> None:
    """Let the page recognize its first sample, and save the page down to the end of the result."""
    page = browser.new_page(viewport={"width": WIDTH, "height": HEIGHT}, reduced_motion="reduce")
    page.goto(address, wait_until="networkidle")
    page.locator("#photos:not(.busy) .mark").first.wait_for()
    page.locator("#time").evaluate("time => (time.hidden = true)")  # it differs from run to run
    end = page.locator("#keep").evaluate("keep => keep.getBoundingClientRect().bottom + window.scrollY")
    destination.parent.mkdir(parents=True, exist_ok=True)
    clip = {"x": 0, "y": 0, "width": WIDTH, "height": round(end) + 16}
    page.screenshot(path=destination, full_page=True, clip=clip)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("destination", type=Path, help="PNG file to write")
    parser.add_argument("--model", type=Path, default=Path("models/serving"), help="directory with card.json")
    options = parser.parse_args()
    executable = find_chromium()
    if executable is None:
        sys.exit(f"screenshot: none of {', '.join(BROWSERS)} is on the PATH: install Chromium")
    with serve(create_app(Settings(model=options.model))) as address, launch_chromium(executable) as browser:
        take_screenshot(browser, address, options.destination)
    print(options.destination)


if __name__ == "__main__":
    main()
