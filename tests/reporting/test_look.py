"""The committed report in a real browser."""

import pytest

from helpers.project import ROOT
from tools.screenshot import BROWSERS, find_chromium, launch_chromium

pytest.importorskip("playwright.sync_api", reason="playwright is not installed")

ADDRESS = (ROOT / "reports/report.html").as_uri()


@pytest.fixture(scope="module")
def browser():
    chromium = find_chromium()
    if chromium is None:
        pytest.skip(f"none of {', '.join(BROWSERS)} is on the PATH")
    with launch_chromium(chromium) as browser:
        yield browser


@pytest.fixture
def open_page(browser):
    """Opens the page; afterwards, checks for errors and for requests to any host."""
    pages, errors, requests = [], [], []

    def open_page(**options):
        page = browser.new_page(**options)
        pages.append(page)
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.on("request", lambda request: requests.append(request.url))
        page.goto(ADDRESS)
        return page

    yield open_page
    for page in pages:
        page.close()
    assert not errors
    assert {address for address in requests if not address.startswith("data:")} == {ADDRESS}


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1280])
def test_fits_the_screen(open_page, width, scheme):
    page = open_page(viewport={"width": width, "height": 900}, color_scheme=scheme)
    assert page.evaluate("document.documentElement.scrollWidth") == width
    paper = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert (paper == "rgb(25, 19, 16)") == (scheme == "dark")
    assert page.evaluate("document.fonts.check('16px \"Bricolage Grotesque\"')")


def test_heading_sorts_its_table(open_page):
    page = open_page()
    table = page.locator('table[data-report="official-6"]')
    accuracies = table.locator("tbody tr td:nth-child(3)")

    def shown() -> list[float]:
        return [float(cell.get_attribute("data-value")) for cell in accuracies.all()]

    before = shown()
    heading = table.get_by_role("button", name="accuracy")
    heading.click()
    assert shown() == sorted(before, reverse=True) != before
    heading.click()
    assert shown() == sorted(before)
    assert heading.locator("xpath=..").get_attribute("aria-sort") == "ascending"


def test_point_says_its_value_when_hovered(open_page):
    page = open_page()
    assert page.locator("#tip").is_hidden()
    point = page.locator("#results svg .dot").first
    point.hover()
    assert "%" in page.locator("#tip").inner_text()
    assert page.locator("#tip").inner_text() == point.locator("title").text_content()


def test_nothing_is_folded_on_paper(open_page):
    page = open_page()
    assert page.locator("details:not([open])").count() > 0
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    assert page.locator("details:not([open])").count() == 0
    page.emulate_media(media="print")
    assert page.locator("nav").is_hidden()
