"""The page: sections, templates, style and script in one HTML file that asks no host for anything."""

import base64
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from facial_expression.reporting.evidence import Evidence
from facial_expression.reporting.figure import STYLE, Figure
from facial_expression.reporting.pictures import Gallery
from facial_expression.reporting.sections import SECTIONS

_FOLDER = Path(__file__).parent


@dataclass(frozen=True)
class Section:
    """One section with what its template shows.

    Attributes:
        name: of its module, its template and its anchor.
        title, question: its heading and the line below.
        content: figures and facts by name.
    """

    name: str
    title: str
    question: str
    content: dict[str, Any]

    @property
    def figures(self) -> list[Figure]:
        """All figures, in order."""
        return list(_figures_in(self.content))


def build_sections(evidence: Evidence) -> list[Section]:
    """All sections in the order of the page."""
    return [_build(module, evidence) for module in SECTIONS]


def render(evidence: Evidence, sections: list[Section], gallery: Gallery, font: bytes) -> str:
    """The page as HTML.

    Args:
        evidence: the figures.
        sections: the result of :func:`build_sections`.
        gallery: pictures of faces.
        font: WOFF2 file of the page's font.
    """
    environment = Environment(
        loader=FileSystemLoader(_FOLDER / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters |= {
        "percent": percent,
        "points": points,
        "count": count,
        "interval": interval,
        "p_value": p_value,
        "words": words,
    }
    return environment.get_template("page.html").render(
        evidence=evidence,
        sections=sections,
        content={section.name: section.content for section in sections},
        gallery=gallery,
        font=base64.b64encode(font).decode(),
        style=Markup(_read("page.css") + STYLE.read_text(encoding="utf-8")),
        script=Markup(_read("page.js")),
    )


def percent(fraction: float | None, decimals: int = 1) -> str:
    """A fraction in percent, such as 70.7%; a dash for None."""
    return "—" if fraction is None else f"{100 * fraction:.{decimals}f}%"


def points(fraction: float) -> str:
    """A difference in percentage points with its sign, such as +1.2."""
    rounded = round(100 * fraction, 1) + 0.0  # no negative zero
    return f"{rounded:+.1f}".replace("-", "−")


def count(number: int) -> str:
    """A number with separators, such as 35,887."""
    return f"{number:,.0f}"


def interval(share: dict[str, float] | None) -> str:
    """The ends of an interval in percent, such as 69.2–72.1; a dash for None."""
    return "—" if share is None else f"{100 * share['low']:.1f}–{100 * share['high']:.1f}"


def p_value(value: float) -> str:
    """A p-value with as many digits as matter, such as 0.031."""
    return "< 0.001" if value < 0.001 else f"{value:.3f}" if value < 0.1 else f"{value:.2f}"


def words(names: list[str]) -> str:
    """Names as a list in a sentence, such as "shallow, wide and small"."""
    return " and ".join(filter(None, [", ".join(names[:-1]), *names[-1:]]))


def _build(module: ModuleType, evidence: Evidence) -> Section:
    return Section(module.__name__.rpartition(".")[2], module.TITLE, module.QUESTION, module.content(evidence))


def _figures_in(value: Any) -> Iterator[Figure]:
    if isinstance(value, Figure):
        yield value
    elif isinstance(value, dict):
        for one in value.values():
            yield from _figures_in(one)
    elif isinstance(value, list):
        for one in value:
            yield from _figures_in(one)


def _read(name: str) -> str:
    return _FOLDER.joinpath(name).read_text(encoding="utf-8")
