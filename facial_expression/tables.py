"""The results beside the published figures, for the terminal and for the README."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from rich import box
from rich.console import Group
from rich.table import Table
from rich.text import Text

from facial_expression.atomic import replacing
from facial_expression.emotions import NAMES
from facial_expression.params import Download

FER2013_MD5 = "f8428a1edbd21e88f42c73edd2a14f95"
"""Of fer2013.csv as its publisher ships it."""

BEGIN, END = "<!-- results:begin -->", "<!-- results:end -->"

_DASH = "—"
_COLUMNS = ("contender", "published", "ours (95 %)", "Δ", "macro-F1", "ECE", "iterations")
_NOTE = (
    "Accuracy with its 95 % interval, macro-F1 and expected calibration error (ECE) in percent. "
    "Δ: ours minus published, in percentage points; ▲ or ▼: the published figure lies below or above our interval. "
    "≈: the study gives a round figure."
)


@dataclass(frozen=True)
class PublishedFigure:
    """An accuracy that the reproduced study reports under its own protocol.

    Attributes:
        accuracy: 0 to 1.
        approximate: whether the study gives it as a round figure ("about", "near").
        source: what it is and how it came about in the study.
    """

    accuracy: float
    approximate: bool
    source: str


PUBLISHED = {
    "shallow": PublishedFigure(0.62, True, "shallow CNN, level between 3,000 and 10,000 iterations"),
    "shallow_ensemble": PublishedFigure(0.637, False, "soft vote of nine snapshots, one every 1,000 iterations"),
    "wide": PublishedFigure(0.636, True, "wide CNN"),
    "wide_ensemble": PublishedFigure(0.659, False, "soft vote of the wide CNN's snapshots"),
    "resnet": PublishedFigure(0.66, True, "ResNet-34, level after 14,000 iterations (figure 9)"),
}
"""Contender -> figure of the study for six classes; it gives none for ``resnet_ensemble`` and ``ensemble``."""


def published_accuracy(report: str) -> dict[str, float]:
    """Contender -> the study's accuracy, 0 to 1, where it is comparable: in ``published``, and nowhere else."""
    return {name: figure.accuracy for name, figure in PUBLISHED.items()} if report == "published" else {}


def is_comparable(download: Download, classes: Sequence[str]) -> bool:
    """Whether results are about what the study measured: FER2013's own bytes, all classes but disgust."""
    is_fer2013 = download.dataset == "fer2013" and download.md5 == FER2013_MD5
    return is_fer2013 and tuple(classes) == tuple(name for name in NAMES if name != "disgust")


def results_table(results: Mapping[str, Mapping[str, Mapping]], comparable: bool = True) -> Group:
    """The results for the terminal: one table per report, 80 columns wide, and a note.

    Args:
        results: report -> contender -> metrics as :mod:`facial_expression.evaluation` writes them.
        comparable: whether they are about the study's data and classes; if not, its figures are left out.
    """
    tables = []
    for report, metrics in results.items():
        faces = next(iter(metrics.values()))["n"]
        title = f"{report}, {faces:,} test faces"
        table = Table(title=title, box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=0)
        for heading in _COLUMNS:
            table.add_column(heading, justify="left" if heading == "contender" else "right")
        for cells in _rows(metrics, published_accuracy(report) if comparable else {}):
            table.add_row(*(Text(cell, style=_style(cell)) for cell in cells))
        tables += [table, ""]
    note = _NOTE if comparable else "Not the study's data and classes, so its figures do not stand here."
    return Group(*tables, Text(note, style="dim"))


def results_markdown(results: Mapping[str, Mapping[str, Mapping]]) -> str:
    """The same table as GitHub Markdown, ending in a line feed; ``results`` as for :func:`results_table`."""
    rows = [("report", *_COLUMNS, "n"), ("---", "---", *["---:"] * len(_COLUMNS))]
    for report, metrics in results.items():
        cells = zip(_rows(metrics, published_accuracy(report)), metrics.values(), strict=True)
        rows += [(report, *row, f"{entry['n']:,}") for row, entry in cells]
    return "\n".join(["| " + " | ".join(row) + " |" for row in rows] + ["", _NOTE, ""])


def served_markdown(card: Mapping) -> str:
    """The served network's figures as Markdown, ending in a line feed; ``card`` is the content of ``card.json``."""
    metrics, model = card["metrics"], card["model"]
    low, high = metrics["accuracy_low"], metrics["accuracy_high"]
    lines = [
        "| | |",
        "| --- | --- |",
        f"| network | {card['family']}, snapshot {card['snapshot']:,}, protocol `{card['protocol']}` |",
        f"| it sees | {card['preprocessing']['pictures']} faces |",
        f"| file | `{model['file']}`, {model['variant']}, {model['bytes']:,} bytes, sha256 `{model['sha256'][:16]}…` |",
        f"| accuracy | {_percent(metrics['accuracy'])} % (95 % interval {_percent(low)}–{_percent(high)}) "
        f"on {metrics['n']:,} test faces |",
        f"| macro-F1 | {_percent(metrics['macro_f1'])} % |",
        f"| expected calibration error | {_percent(metrics['ece'])} %, temperature {card['temperature']:.2f} |",
        f"| shown as uncertain | answers below {_percent(card['uncertain_below'])} % |",
        "",
        "| class | recall |",
        "| --- | ---: |",
        *(
            f"| {name} | {_DASH if recall is None else _percent(recall) + ' %'} |"
            for name, recall in metrics["recall"].items()
        ),
        "",
        "| variant | bytes | validation accuracy | test accuracy | largest difference from Keras |",
        "| --- | ---: | ---: | ---: | ---: |",
        *(
            f"| {name} | {variant['bytes']:,} | {100 * variant['validation_accuracy']:.2f} % | "
            f"{100 * variant['accuracy']:.2f} % | {variant['largest_difference']:.1e} |"
            for name, variant in card["variants"].items()
        ),
    ]
    return "\n".join(lines) + "\n"


def replace_results(path: str | Path, markdown: str) -> None:
    """Replace what stands between the lines ``BEGIN`` and ``END`` of a Markdown document by ``markdown``.

    Raises:
        FileNotFoundError: there is no such document.
        ValueError: the two marks do not each stand in it once, in this order; the document stays as it is.
    """
    path = Path(path)
    document = path.read_text(encoding="utf-8")
    before, begin, rest = document.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end or BEGIN in rest or END in before + after:
        raise ValueError(f"{path} must hold the line {BEGIN} once and after it the line {END} once")
    with replacing(path) as temporary:
        temporary.write_text(f"{before}{BEGIN}\n\n{markdown.strip()}\n\n{END}{after}", encoding="utf-8", newline="\n")


def _rows(metrics: Mapping[str, Mapping], published: Mapping[str, float]) -> list[tuple[str, ...]]:
    """One tuple of cells per contender."""
    rows = []
    for name, entry in metrics.items():
        low, high = entry["accuracy_low"], entry["accuracy_high"]
        rows.append(
            (
                name.replace("_", " "),
                _published(published, name),
                f"{_percent(entry['accuracy'])} ({_percent(low)}–{_percent(high)})",
                _delta(entry, published[name]) if name in published else _DASH,
                _percent(entry["macro_f1"]),
                _percent(entry["ece"]),
                f"{entry['iterations']:,}",
            )
        )
    return rows


def _percent(fraction: float) -> str:
    return f"{100 * fraction:.1f}"


def _published(published: Mapping[str, float], name: str) -> str:
    if name not in published:
        return _DASH
    return ("≈ " if PUBLISHED[name].approximate else "") + _percent(published[name])


def _delta(entry: Mapping, published: float) -> str:
    """Signed difference in percentage points, marked where the published figure is outside the interval."""
    mark = " ▲" if published < entry["accuracy_low"] else " ▼" if published > entry["accuracy_high"] else ""
    points = round(100 * (entry["accuracy"] - published), 1) + 0.0  # no negative zero
    return f"{points:+.1f}".replace("-", "−") + mark


def _style(cell: str) -> str:
    return "bold green" if "▲" in cell else "bold red" if "▼" in cell else ""
