"""Figures: SVG drawings whose colors follow the page, with a name, a caption and a text alternative."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from html import escape
from pathlib import Path

Point = tuple[float, float]

STYLE = Path(__file__).with_name("figure.css")


@dataclass(frozen=True)
class Figure:
    """One figure of the page.

    Attributes:
        name: unique on the page; also the name of its file.
        alternative: what it shows, in words, for those who cannot see it.
        caption: what to read from it.
        width, height: of the drawing, in pixels.
        body: SVG elements.
    """

    name: str
    alternative: str
    caption: str
    width: float
    height: float
    body: str

    @property
    def svg(self) -> str:
        """For the page, whose style sheet colors it."""
        return (
            f'<svg role="img" viewBox="0 0 {self.width:g} {self.height:g}" aria-label="{escape(self.alternative)}">'
            f"{self.body}</svg>"
        )

    @property
    def file(self) -> str:
        """A file of its own, with its style."""
        size = f'width="{self.width:g}" height="{self.height:g}" viewBox="0 0 {self.width:g} {self.height:g}"'
        return (
            f'<svg xmlns="http://www.w3.org/2000/svg" {size} role="img">\n<title>{escape(self.alternative)}</title>\n'
            f"<style>\n{STYLE.read_text(encoding='utf-8')}</style>\n"
            f'<rect class="ground" width="100%" height="100%"/>\n{self.body}\n</svg>\n'
        )


@dataclass
class Plot:
    """A plotting area: data coordinates to pixels, and the elements drawn so far.

    Attributes:
        x, y: lowest and highest value of each axis.
        width, height: of the whole drawing.
        left, right, top, bottom: margins.
    """

    x: Point
    y: Point
    width: float = 360
    height: float = 240
    left: float = 44
    right: float = 20
    top: float = 10
    bottom: float = 26
    elements: list[str] = field(default_factory=list)

    def at(self, x: float, y: float) -> Point:
        """Pixels of a point."""
        share_x = (x - self.x[0]) / ((self.x[1] - self.x[0]) or 1)
        share_y = (y - self.y[0]) / ((self.y[1] - self.y[0]) or 1)
        across, down = self.width - self.left - self.right, self.height - self.top - self.bottom
        return round(self.left + share_x * across, 2), round(self.top + (1 - share_y) * down, 2)

    def add(self, element: str) -> None:
        self.elements.append(element)

    def line(self, points: Sequence[Point], style: str) -> None:
        path = " ".join(f"{x:g},{y:g}" for x, y in (self.at(*point) for point in points))
        self.add(f'<polyline class="line {style}" points="{path}"/>')

    def segment(self, start: Point, end: Point, style: str) -> None:
        (x1, y1), (x2, y2) = self.at(*start), self.at(*end)
        self.add(f'<line class="{style}" x1="{x1:g}" y1="{y1:g}" x2="{x2:g}" y2="{y2:g}"/>')

    def dot(self, point: Point, style: str, tip: str, radius: float = 3.5) -> None:
        """A point with a text that shows when it is hovered."""
        x, y = self.at(*point)
        self.add(
            f'<circle class="dot {style}" cx="{x:g}" cy="{y:g}" r="{radius:g}"><title>{escape(tip)}</title></circle>'
        )

    def rectangle(self, low: Point, high: Point, style: str, tip: str = "") -> None:
        (x1, y2), (x2, y1) = self.at(*low), self.at(*high)
        title = f"<title>{escape(tip)}</title>" if tip else ""
        size = f'width="{max(x2 - x1, 0):g}" height="{max(y2 - y1, 0):g}"'
        self.add(f'<rect class="{style}" x="{x1:g}" y="{y1:g}" {size}>{title}</rect>')

    def text(self, point: Point, words: str, style: str = "label", dx: float = 0, dy: float = 0) -> None:
        x, y = self.at(*point)
        self.add(f'<text class="{style}" x="{x + dx:g}" y="{y + dy:g}">{escape(words)}</text>')

    def x_axis(self, ticks: Iterable[tuple[float, str]], title: str = "") -> None:
        for value, words in ticks:
            self.segment((value, self.y[0]), (value, self.y[1]), "rule")
            self.text((value, self.y[0]), words, "tick middle", dy=15)
        if title:
            middle = (self.left + self.width - self.right) / 2
            self.add(f'<text class="label middle" x="{middle:g}" y="{self.height - 6:g}">{escape(title)}</text>')

    def y_axis(self, ticks: Iterable[tuple[float, str]]) -> None:
        for value, words in ticks:
            self.segment((self.x[0], value), (self.x[1], value), "rule")
            self.text((self.x[0], value), words, "tick end", dx=-6, dy=4)

    def figure(self, name: str, alternative: str, caption: str = "") -> Figure:
        return Figure(name, alternative, caption, self.width, self.height, "\n".join(self.elements))
