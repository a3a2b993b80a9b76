"""How the page looks: phones, dark, print, forced colors, contrast; and what it says about the model."""

import re

import pytest
from playwright.sync_api import expect

from facial_expression.emotions import NAMES
from helpers.project import ROOT

COLORS = """(names) => {
    const canvas = new OffscreenCanvas(1, 1).getContext("2d", { willReadFrequently: true });
    const style = getComputedStyle(document.documentElement);
    const luminance = (name) => {
        canvas.fillStyle = style.getPropertyValue(name);
        canvas.fillRect(0, 0, 1, 1);
        const [red, green, blue] = [...canvas.getImageData(0, 0, 1, 1).data].map((value) => {
            const share = value / 255;
            return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
        });
        return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
    };
    return Object.fromEntries(names.map((name) => [name, luminance(name)]));
}"""
HUES = [*NAMES, *(f"spare-{number}" for number in range(1, 5))]


def contrast(one: float, other: float) -> float:
    """WCAG 2.2, from relative luminances."""
    return (max(one, other) + 0.05) / (min(one, other) + 0.05)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_colors_have_enough_contrast(open_page, scheme):
    page = open_page(color_scheme=scheme)
    papers, texts = ["--paper", "--card"], ["--ink", "--soft", "--accent"]
    deep, bright = [f"--{hue}" for hue in HUES], [f"--bright-{hue}" for hue in HUES]
    light = page.evaluate(COLORS, [*papers, *texts, *deep, *bright, "--track", "--problem"])
    assert (light["--paper"] > 0.5) == (scheme == "light")
    too_close = [(hue, paper) for hue in deep for paper in papers if contrast(light[hue], light[paper]) < 3]
    too_close += [(text, paper) for text in texts for paper in papers if contrast(light[text], light[paper]) < 4.5]
    ink = 0.0164  # of #2b2119, on labels
    too_close += [hue for hue in bright if contrast(light[hue], ink) < 4.5]
    assert too_close == []
    assert contrast(light["--ink"], light["--problem"]) >= 4.5
    assert contrast(light["--soft"], light["--track"]) >= 4.5


@pytest.mark.parametrize("mode", ["photos", "live", "game", "video"])
def test_fits_narrow_screen(open_page, mode):
    page = open_page("" if mode == "photos" else mode, viewport={"width": 320, "height": 640}, settles=mode == "photos")
    expect(page.locator(f"#{mode}")).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth") <= 320
    for tab in page.get_by_role("tab").all():
        box = tab.bounding_box()
        assert box["x"] >= 0
        assert box["x"] + box["width"] <= 320


def test_twenty_faces_stay_short_on_phone(open_page):
    probabilities = {"happy": 0.9, "sad": 0.1}
    face = {"box": [10, 10, 20, 20], "score": 1, "landmarks": [], "crop": "data:,", "uncertain": False}
    face |= {"emotion": "happy", "probabilities": probabilities}
    body = {"width": 48, "height": 48, "turn": 0, "faces": [face] * 20, "faces_found": 20, "milliseconds": 1}
    routes = {re.compile("/api/v1/recognize"): lambda route: route.fulfill(json=body)}
    page = open_page(viewport={"width": 390, "height": 844}, routes=routes)
    expect(page.locator("#result-title")).to_have_text("20 faces: 20 happy")
    assert page.locator("#tiles").bounding_box()["height"] < 844


def test_print_keeps_bars_and_hides_controls(open_page):
    page = open_page()
    page.emulate_media(media="print")
    expect(page.locator("#detail .bars")).to_be_visible()
    expect(page.locator("#stage img")).to_be_visible()
    for control in ("#modes", "#choose", "#turn-left", "#keep", ".snippets"):
        expect(page.locator(control)).to_be_hidden()
    adjust = "bar => getComputedStyle(bar).printColorAdjust"
    assert page.locator("#detail .bar span").first.evaluate(adjust) == "exact"


def test_bars_are_visible_in_forced_colors(open_page):
    page = open_page(forced_colors="active")
    bar = page.locator("#detail .bar").first
    expect(bar).to_be_visible()
    color = "element => getComputedStyle(element).backgroundColor"
    assert bar.evaluate(color) != bar.locator("span").evaluate(color)


def test_announces_result_to_screen_readers(open_page):
    page = open_page()
    expect(page.get_by_role("status")).to_contain_text("1 face: ")
    expect(page.get_by_role("status")).to_contain_text("Face 1: ")
    expect(page.get_by_role("table", name="Probabilities for face 1")).to_be_visible()
    expect(page.get_by_role("img", name="Face 1 as the network saw it")).to_be_visible()
    assert page.locator("img:not([alt])").count() == 0
    name = "node.ariaLabel || node.textContent.trim() || node.querySelector('img')?.alt"
    assert page.locator("button:not([hidden])").evaluate_all(f"nodes => nodes.filter((node) => !({name})).length") == 0


def test_describes_model(open_page):
    page = open_page()
    about = page.locator(".about")
    expect(about).to_contain_text("This is a linear model with fixed weights, trained on FER2013")
    expect(about).to_contain_text("About 34 of 100 predictions are wrong")
    expect(about).to_contain_text("3,534 test images of FER2013")
    expect(about).to_contain_text("64.5–67.5%")
    expect(about).to_contain_text("Out-of-scope use")
    expect(about).to_contain_text("Disgust is not known to this model")
    expect(page.locator("#chorus .unknown")).to_contain_text("disgust")
    expect(page.locator("#promise")).to_contain_text("66 times in 100")
    assert about.locator(".percent").all_inner_texts() == ["58%", "41%", "86%", "50%", "79%", "66%"]
    expect(page.locator("#privacy")).to_contain_text("in memory and not stored")


def test_files_name_no_other_host():
    for path in (ROOT / "app/static").rglob("*"):
        if path.suffix in (".html", ".css", ".js"):
            addresses = re.findall(r"https?://[\w.]+", path.read_text(encoding="utf-8"))
            assert set(addresses) <= {"http://www.w3.org"}, path
