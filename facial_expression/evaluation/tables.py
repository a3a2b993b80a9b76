"""The results beside the study's figures, for the terminal and for the documents."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich import box
from rich.console import Group
from rich.table import Table
from rich.text import Text

from facial_expression.emotions import NAMES
from facial_expression.errors import UserError
from facial_expression.files import atomic_write
from facial_expression.params import Download

FER2013 = "FER2013"
FER2013_MD5 = "f8428a1edbd21e88f42c73edd2a14f95"
"""MD5 of fer2013.csv as published."""

STUDY_PREFIX = "study-"
"""Runs of the study's protocol have this prefix before the name of the official run of the same network."""

Metrics = Mapping[str, Any]

_DASH = "—"
_NOTE = (
    "Accuracy with its 95% interval, macro-F1 and expected calibration error (ECE) in percent. "
    "Δ: ours minus the study's, in percentage points; ▲ or ▼: the study's figure lies below or above our interval. "
    "≈: the study gives a round figure."
)


@dataclass(frozen=True)
class StudyFigure:
    """An accuracy that the study reports for six classes under its own protocol.

    Attributes:
        accuracy: 0 to 1.
        approximate: whether the study gives a round figure ("about", "near").
    """

    accuracy: float
    approximate: bool


STUDY = {
    "shallow": StudyFigure(0.62, True),  # levels off between 3,000 and 10,000 iterations
    "shallow-ensemble": StudyFigure(0.637, False),  # soft vote of nine snapshots, one every 1,000 iterations
    "wide": StudyFigure(0.636, True),
    "wide-ensemble": StudyFigure(0.659, False),  # soft vote of its snapshots
    "resnet34": StudyFigure(0.66, True),  # levels off after 14,000 iterations (figure 9)
}
"""Model -> the study's figure; it gives none for other ensembles."""


def study_accuracy(models: Iterable[str]) -> dict[str, float]:
    """Model -> the study's accuracy, 0 to 1, for the models of the study's protocol that it reports."""
    names = {name: name.removeprefix(STUDY_PREFIX) for name in models if name.startswith(STUDY_PREFIX)}
    return {name: STUDY[short].accuracy for name, short in names.items() if short in STUDY}


def title_of_data(download: Download) -> str:
    """The data in words: FER2013, if it is that byte for byte, synthetic faces, or a data set of one's own."""
    if download.dataset == "fer2013" and download.md5 == FER2013_MD5:
        return FER2013
    return "synthetic faces" if download.dataset == "synthetic" else "its own data set"


def is_comparable(download: Download, classes: Sequence[str]) -> bool:
    """Whether results are about the study's data and classes: FER2013's own bytes, all classes but disgust."""
    return title_of_data(download) == FER2013 and tuple(classes) == tuple(name for name in NAMES if name != "disgust")


def results_table(reports: Mapping[str, Mapping[str, Metrics]], comparable: bool = True) -> Group:
    """The results for the terminal, one table per report, 80 columns wide, and a note.

    Args:
        reports: report -> model -> record (:attr:`facial_expression.evaluation.models.Model.metrics`).
        comparable: whether they are about the study's data and classes; if not, its figures are left out.
    """
    tables: list[Any] = []
    for report, models in reports.items():
        faces = next(iter(models.values()))["n"]
        title = f"{report}, {faces:,} test faces"
        look: dict[str, Any] = {"box": box.SIMPLE_HEAD, "show_edge": False, "pad_edge": False, "collapse_padding": True}
        table = Table("model", title=title, **look)
        for heading in ("study", "ours (95%)", "Δ", "F1", "ECE", "iter."):
            table.add_column(heading, justify="right")
        for cells in _rows(models, study_accuracy(models) if comparable else {}):
            table.add_row(*(Text(cell, style=_style(cell)) for cell in cells))
        tables += [table, ""]
    note = _NOTE if comparable else "Not the study's data and classes, so its figures are left out."
    return Group(*tables, Text(note, style="dim"))


def results_markdown(reports: Mapping[str, Mapping[str, Metrics]]) -> str:
    """All models of all reports as a Markdown table; ``reports`` as for :func:`results_table`."""
    columns = ("report", "model", "study", "ours (95%)", "Δ", "macro-F1", "ECE", "iterations", "n")
    rows = [columns, ("---", "---", *["---:"] * (len(columns) - 2))]
    for report, models in reports.items():
        cells = zip(_rows(models, study_accuracy(models)), models.values(), strict=True)
        rows += [(report, *row, f"{entry['n']:,}") for row, entry in cells]
    return "\n".join([*(_markdown_row(row) for row in rows), "", _NOTE, ""])


def summary_markdown(
    study: Mapping[str, Metrics], official: Mapping[str, Metrics], core_minutes: Mapping[str, float]
) -> str:
    """The README's table: one row per network, and the ensembles that the study reports or that combine all runs.

    Args:
        study: model -> record of the report under the study's protocol, with ``parameters``.
        official: likewise under FER2013's own split, for the same classes.
        core_minutes: run -> minutes of one core that its training takes; a model takes those of all its runs.
    """
    ours = {name.removeprefix(STUDY_PREFIX): record for name, record in study.items()}
    single = [name for name in [*ours, *official] if not name.endswith("ensemble")]
    names = dict.fromkeys([*STUDY, *single, "ensemble"])
    columns = ("model", "study", "ours (95%)", "official", "MB", "core-minutes")
    rows = [columns, ("---", *["---:"] * (len(columns) - 1))]
    for name in names:
        records = [records[name] for records in (ours, official) if name in records]
        known = [record["weights"] for record in records if record["weights"].keys() <= core_minutes.keys()]
        minutes = [sum(core_minutes[run] for run in runs) for runs in known]
        rows.append(
            (
                f"**{name}**" if name == "ensemble" else name,
                _study(name),
                _interval(ours.get(name)),
                _interval(official.get(name)),
                " / ".join(dict.fromkeys(f"{4e-6 * record['parameters']:.1f}" for record in records)) or _DASH,
                " + ".join(f"{value:.0f}" for value in minutes) if len(minutes) == len(records) > 0 else _DASH,
            )
        )
    return "\n".join(map(_markdown_row, rows)) + "\n"


def served_markdown(card: Mapping[str, Any]) -> str:
    """The served model's figures as Markdown; ``card`` is the content of ``card.json``."""
    metrics, model = card["metrics"], card["model"]
    rows = [
        ("network", f"{card['title']}: {', '.join(map(_member, card['members']))}"),
        ("input", f"{card['preprocessing']['crop']} faces, averaged over views: {_views(card['views'])}"),
        ("file", f"`{model['file']}`, {model['variant']}, {model['bytes']:,} bytes, sha256 `{model['sha256'][:16]}…`"),
        ("accuracy", f"{_interval(metrics)}, with its 95% interval, on {metrics['n']:,} test faces"),
        ("macro-F1", f"{_percent(metrics['macro_f1'])}%"),
        ("expected calibration error", f"{_percent(metrics['ece'])}%, temperature {card['temperature']:.2f}"),
        ("shown as uncertain", f"confidence below {_percent(card['confidence_threshold'])}%"),
    ]
    recalls = [
        (name, _DASH if recall is None else f"{_percent(recall)}%") for name, recall in metrics["recall"].items()
    ]
    variants = [
        (
            name,
            f"{variant['bytes']:,}",
            f"{100 * variant['validation_accuracy']:.2f}%",
            f"{100 * variant['accuracy']:.2f}%",
            f"{variant['max_difference']:.1e}",
        )
        for name, variant in card["variants"].items()
    ]
    headings = ("variant", "bytes", "validation accuracy", "test accuracy", "largest difference from Keras")
    tables = (
        [("", ""), ("---", "---"), *rows],
        [("class", "recall"), ("---", "---:"), *recalls],
        [headings, ("---", *["---:"] * 4), *variants],
    )
    return "\n".join("\n".join(map(_markdown_row, table)) + "\n" for table in tables)


def _member(member: Mapping[str, Any]) -> str:
    return f"run `{member['run']}`, snapshot {member['snapshot']:,}"


def _views(views: Mapping[str, float]) -> str:
    """The views of a card in words, such as "mirror, scale 0.08"."""
    kinds = (kind if value is True else f"{kind} {value:g}" for kind, value in views.items() if value)
    return ", ".join(kinds) or "none"


def replace_block(path: str | Path, name: str, markdown: str) -> None:
    """Replace the lines between ``<!-- name:begin -->`` and ``<!-- name:end -->`` of a Markdown document.

    Raises:
        UserError: the document is missing, or does not have both marks once, in this order.
    """
    path, begin, end = Path(path), f"<!-- {name}:begin -->", f"<!-- {name}:end -->"
    if not path.exists():
        raise UserError(f"{path} is missing")
    document = path.read_text(encoding="utf-8")
    before, found_begin, rest = document.partition(begin)
    _, found_end, after = rest.partition(end)
    if not found_begin or not found_end or begin in rest or end in before + after:
        raise UserError(f"{path} must have the line {begin} once, followed by the line {end} once")
    with atomic_write(path) as temporary:
        temporary.write_text(f"{before}{begin}\n\n{markdown.strip()}\n\n{end}{after}", encoding="utf-8", newline="\n")


def _rows(models: Mapping[str, Metrics], study: Mapping[str, float]) -> list[tuple[str, ...]]:
    """One tuple of cells per model."""
    return [
        (
            name,
            _study(name.removeprefix(STUDY_PREFIX)) if name in study else _DASH,
            _interval(entry),
            _delta(entry, study[name]) if name in study else _DASH,
            _percent(entry["macro_f1"]),
            _percent(entry["ece"]),
            f"{entry['iterations']:,}",
        )
        for name, entry in models.items()
    ]


def _markdown_row(cells: Iterable[str]) -> str:
    return "| " + " | ".join(cells) + " |"


def _percent(fraction: float) -> str:
    return f"{100 * fraction:.1f}"


def _interval(entry: Metrics | None) -> str:
    if entry is None:
        return _DASH
    return f"{_percent(entry['accuracy'])} ({_percent(entry['accuracy_low'])}–{_percent(entry['accuracy_high'])})"


def _study(name: str) -> str:
    if name not in STUDY:
        return _DASH
    return ("≈ " if STUDY[name].approximate else "") + _percent(STUDY[name].accuracy)


def _delta(entry: Metrics, study: float) -> str:
    """Signed difference in percentage points, marked where the study's figure is outside the interval."""
    mark = " ▲" if study < entry["accuracy_low"] else " ▼" if study > entry["accuracy_high"] else ""
    points = round(100 * (entry["accuracy"] - study), 1) + 0.0  # no negative zero
    return f"{points:+.1f}{mark}"


def _style(cell: str) -> str:
    return "bold green" if "▲" in cell else "bold red" if "▼" in cell else ""
