"""The kinds of charts on the page, each a function of data that returns a :class:`Figure`."""

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from facial_expression.reporting.figure import Figure, Plot, Point

SERIES = 6
_ROW = 22


def series(number: int) -> str:
    """Style of the n-th line or group of points; after the last color, the first follows again, dashed."""
    return f"s{number % SERIES}" + (" dash" if number >= SERIES else "")


def line_styles(names: Iterable[str], prominent: str) -> dict[str, str]:
    """Name -> style of its line: one stands out, and the others have the series in turn."""
    others = [name for name in names if name != prominent]
    return {prominent: "prominent"} | {name: series(number) for number, name in enumerate(others)}


def percent_ticks(low: float, high: float, most: int = 6) -> list[tuple[float, str]]:
    """Round fractions between two, with their labels in percent."""
    step = next((step for step in (0.01, 0.02, 0.05, 0.1, 0.2, 0.25) if (high - low) / step <= most), 0.5)
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return [(number * step, f"{100 * number * step:.0f}%") for number in range(first, last + 1)]


def count_ticks(high: float, most: int = 5) -> list[tuple[float, str]]:
    """Round numbers from 0, with thousands as k."""
    steps = (factor * 10**power for power in range(9) for factor in (1, 2, 5))
    step = next(step for step in steps if high / step <= most)
    values = range(0, int(high) + 1, step)
    return [(value, f"{value / 1000:g}k" if value >= 1000 else str(value)) for value in values]


def interval_chart(
    name: str,
    rows: Mapping[str, Mapping[str, float]],
    alternative: str,
    caption: str,
    marks: Mapping[str, float] | None = None,
    groups: Sequence[int] | None = None,
) -> Figure:
    """Fractions with their intervals, one per row.

    Args:
        rows: label -> ``value``, ``low`` and ``high``, 0 to 1.
        marks: label -> a second figure to compare with, drawn as a diamond.
        groups: number of the series of each row; all the first by default.
    """
    marks = marks or {}
    ends = [row[key] for row in rows.values() for key in ("low", "high", "value")] + list(marks.values())
    low, high = max(0.0, min(ends) - 0.02), min(1.0, max(ends) + 0.02)
    height = 34 + _ROW * len(rows)
    plot = Plot((low, high), (len(rows), 0), height=height, left=136, right=52, top=6, bottom=28)
    plot.x_axis(percent_ticks(low, high, 4))
    for number, (label, row) in enumerate(rows.items()):
        style = series(groups[number] if groups else 0)
        middle = number + 0.5
        plot.text((low, middle), label, "name end", dx=-8, dy=4)
        plot.segment((row["low"], middle), (row["high"], middle), f"whisker {style}")
        plot.dot((row["value"], middle), style, f"{label}: {_interval(row)}", 4.5)
        if label in marks:
            x, y = plot.at(marks[label], middle)
            title = f"<title>the study: {marks[label]:.1%}</title>"
            plot.add(f'<path class="study" d="M{x:g} {y - 6:g}l6 6-6 6-6-6z">{title}</path>')
        plot.text((high, middle), f"{row['value']:.1%}", "value", dx=6, dy=4)
    return plot.figure(name, alternative, caption)


def line_chart(
    name: str,
    lines: Mapping[str, Sequence[Point]],
    alternative: str,
    caption: str,
    *,
    x_title: str,
    x_ticks: Sequence[tuple[float, str]],
    y: Point,
    y_ticks: Sequence[tuple[float, str]],
    styles: Sequence[str] | None = None,
    form: str = "{y:.1%}",
    width: float = 360,
) -> Figure:
    """Lines over a common x axis; what lies outside the y axis is left out.

    Args:
        lines: label -> points.
        styles: of the lines; the series in turn by default.
        form: text of a point, with ``x`` and ``y``.
        width: of the drawing; as wide as it is shown, so that its text is as large as other text.
    """
    xs = [x for points in lines.values() for x, _ in points] + [x for x, _ in x_ticks]
    plot = Plot((min(xs), max(xs)), y, width, 130 + 0.3 * width, bottom=40 if x_title else 26)
    plot.y_axis(y_ticks)
    plot.x_axis(x_ticks, x_title)
    for number, (label, points) in enumerate(lines.items()):
        style = styles[number] if styles else series(number)
        inside = [(x, value) for x, value in points if y[0] <= value <= y[1]]
        plot.line(inside, style)
        for x, value in inside:
            plot.dot((x, value), style, f"{label}: {form.format(x=x, y=value)}", 3)
    return plot.figure(name, alternative, caption)


def heat_map(
    name: str,
    matrix: Sequence[Sequence[int]],
    classes: Sequence[str],
    alternative: str,
    caption: str,
    tip: str = "{row} taken for {column}",
) -> Figure:
    """A confusion matrix: true classes down, predicted classes across, as fractions of each true class.

    Args:
        tip: what a cell says, with ``row`` and ``column``.
    """
    counts = np.asarray(matrix)
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    size = len(classes)
    plot = Plot((0, size), (size, 0), width=340, height=312, left=62, right=6, top=6, bottom=58)
    for (row, column), share in np.ndenumerate(shares):
        said = tip.format(row=classes[row], column=classes[column])
        _cell(plot, row, column, share, f"{said}: {share:.1%} ({_faces(int(counts[row, column]))})")
        plot.text((column + 0.5, row + 0.5), f"{100 * share:.0f}", _on(share), dy=4)
    for number, one in enumerate(classes):
        plot.text((0, number + 0.5), one, "name end", dx=-6, dy=4)
        x, y = plot.at(number + 0.5, size)
        plot.add(f'<text class="name end" transform="translate({x + 4:g} {y + 12:g}) rotate(-35)">{one}</text>')
    return plot.figure(name, alternative, caption)


def _faces(count: int) -> str:
    return f"{count:,} {'face' if count == 1 else 'faces'}"


def pair_bars(
    name: str, pairs: Mapping[str, tuple[float, float]], names: tuple[str, str], alternative: str, caption: str
) -> Figure:
    """Two bars for each label, such as before and after.

    Args:
        pairs: label -> two fractions.
        names: of the first and the second of each pair.
    """
    highest = max(max(pair) for pair in pairs.values())
    plot = Plot((0, highest), (len(pairs), 0), height=30 + 34 * len(pairs), left=72, right=50, top=4, bottom=26)
    plot.x_axis(percent_ticks(0, highest, 5))
    for number, (label, pair) in enumerate(pairs.items()):
        plot.text((0, number + 0.5), label, "name end", dx=-8, dy=4)
        for place, (share, moment) in enumerate(zip(pair, names, strict=True)):
            top = number + 0.12 + 0.38 * place
            style = f"bar {series(place)}"
            plot.rectangle((0, top + 0.34), (share, top), style, f"{label} {moment}: {share:.2%}")
            plot.text((share, top + 0.17), f"{share:.1%}", "value", dx=5, dy=4)
    return plot.figure(name, alternative, caption)


def reliability_chart(
    name: str, curves: Mapping[str, Sequence[Mapping[str, Any]]], alternative: str, caption: str
) -> Figure:
    """Accuracy against confidence; the diagonal is perfect. The size of a point says how many faces it holds."""
    plot = Plot((0, 1), (0, 1), width=320, height=300, bottom=40)
    plot.y_axis(percent_ticks(0, 1))
    plot.x_axis(percent_ticks(0, 1), "confidence")
    plot.segment((0, 0), (1, 1), "axis dash")
    most = max(one["n"] for bins in curves.values() for one in bins)
    for number, (label, bins) in enumerate(curves.items()):
        plot.line([(one["confidence"], one["accuracy"]) for one in bins], f"{series(number)} faint")
        for one in bins:
            tip = f"{label}: confidence {one['confidence']:.1%}, accuracy {one['accuracy']:.1%}, {_faces(one['n'])}"
            point = one["confidence"], one["accuracy"]
            plot.dot(point, series(number), tip, round(2 + 6 * math.sqrt(one["n"] / most), 2))
    return plot.figure(name, alternative, caption)


def signed_maps(
    name: str,
    maps: Mapping[str, np.ndarray],
    alternative: str,
    caption: str,
    outline: Sequence[np.ndarray] = (),
    columns: int = 4,
    titled: bool = True,
) -> Figure:
    """Small matrices as colored cells, all on one scale: orange above zero, blue below, white at zero.

    Args:
        maps: label -> float, shape (rows, columns).
        outline: lines to draw on top of each, each of shape (points, 2), x and y in fractions of the side.
        columns: maps in a row.
        titled: whether labels are written below the maps.
    """
    limit = max((float(np.abs(values).max()) for values in maps.values()), default=1.0) or 1.0
    gap, text = 6, 18 if titled else 0
    side = (360 - gap * (columns - 1)) / columns
    elements = []
    for number, (label, values) in enumerate(maps.items()):
        row, column = divmod(number, columns)
        x, y = column * (side + gap), row * (side + gap + text)
        elements.append(f'<g transform="translate({x:g} {y:g}) scale({side:g})">')
        elements += [_map_cell(place, values, limit) for place in np.ndindex(values.shape)]
        elements += [_map_line(line) for line in outline]
        elements.append("</g>")
        if titled:
            elements.append(f'<text class="name middle" x="{x + side / 2:g}" y="{y + side + 13:g}">{label}</text>')
    rows = -(-len(maps) // columns)
    return Figure(name, alternative, caption, 360, rows * (side + gap + text) - gap, "\n".join(elements))


def _map_cell(place: tuple[int, ...], values: np.ndarray, limit: float) -> str:
    """One cell in the unit square; cells overlap a little, or gaps would show."""
    (row, column), (rows, columns) = place, values.shape
    value = float(values[row, column])
    color = _mix((194, 87, 12) if value > 0 else (11, 103, 168), min(abs(value) / limit, 1))
    size = f'width="{1.02 / columns:.4g}" height="{1.02 / rows:.4g}"'
    title = f"<title>{value:+.3f}</title>"
    return f'<rect fill="rgb({color})" x="{column / columns:.4g}" y="{row / rows:.4g}" {size}>{title}</rect>'


def _map_line(line: np.ndarray) -> str:
    return f'<polyline class="outline" points="{" ".join(f"{x:.3f},{y:.3f}" for x, y in line)}"/>'


def _cell(plot: Plot, row: int, column: int, share: float, tip: str) -> None:
    (x1, y1), (x2, y2) = plot.at(column, row), plot.at(column + 1, row + 1)
    color = _mix((11, 78, 130), share)
    plot.add(
        f'<rect class="cell" fill="rgb({color})" x="{x1:g}" y="{y1:g}" width="{x2 - x1:g}" height="{y2 - y1:g}">'
        f"<title>{tip}</title></rect>"
    )


def _on(share: float) -> str:
    return "middle on-dark" if share > 0.45 else "middle on-light"


def _mix(color: tuple[int, int, int], strength: float) -> str:
    """A color between near white and ``color``."""
    return " ".join(f"{249 + (part - 249) * strength:.0f}" for part in color)


def _interval(row: Mapping[str, float]) -> str:
    return f"{row['value']:.1%} ({row['low']:.1%} to {row['high']:.1%})"
