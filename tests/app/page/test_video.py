"""Video: sampled in the browser, with a timeline."""

import csv
import io
import re

import pytest
from playwright.sync_api import expect

from helpers.films import write_video


@pytest.fixture(scope="module")
def video(tmp_path_factory):
    return write_video(tmp_path_factory.mktemp("video") / "film.webm")  # three seconds


def test_samples_video_and_draws_timeline(open_page, video):
    page = open_page()
    page.set_input_files("#file", video)  # a video among the photos opens its own mode
    expect(page.locator("#video")).to_be_visible()
    expect(page.locator("#video-progress-text")).to_have_text("6 of 6 frames")
    expect(page.locator("#video-busy")).to_be_hidden()
    expect(page.locator("#video-ribbon rect")).to_have_count(6 * 6)
    slider = page.locator("#video-slider")
    slider.focus()
    slider.press("Home")
    expect(page.locator("#video-moment")).to_contain_text("0.3 s: 1 face")
    slider.press("ArrowRight")
    expect(slider).to_have_attribute("aria-valuetext", re.compile(r"0\.8 s: 1 face"))
    expect(page.locator("#video-player")).to_have_js_property("currentTime", 0.75)
    expect(page.locator("#video-marks .mark")).to_have_count(1)
    with page.expect_download() as download:
        page.locator("#video-csv").click()
    rows = list(csv.DictReader(io.StringIO(download.value.path().read_text())))
    assert [float(row["seconds"]) for row in rows] == [0.25, 0.75, 1.25, 1.75, 2.25, 2.75]
    assert {row["faces"] for row in rows} == {"1"}


def test_cancels_video(open_page, video):
    page = open_page("video")
    page.route(re.compile(r"/api/v1/recognize"), lambda route: None)
    page.set_input_files("#video-file", video)
    page.locator("#video-cancel").click()
    expect(page.locator("#video-busy")).to_be_hidden()


def test_says_that_video_cannot_be_played(open_page):
    page = open_page("video")
    page.set_input_files("#video-file", {"name": "v.mp4", "mimeType": "video/mp4", "buffer": b"not a video"})
    expect(page.locator("#video-problem")).to_contain_text("cannot be played")
