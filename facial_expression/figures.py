"""The project's figures, each a function of data and the path of a PNG.

No figure shows a face. The bytes depend on the data and the version of Matplotlib alone: no date, no rc file is read.
Colours are those of Okabe & Ito (2008, "Color Universal Design"), which colour-blind readers can tell apart.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import cycle
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib import style
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator, PercentFormatter

from facial_expression.atomic import replacing

_BLUE, _ORANGE, _GREEN, _VERMILION, _PURPLE, _SKY = "#0072B2", "#E69F00", "#009E73", "#D55E00", "#CC79A7", "#56B4E9"
_INK, _FAINT = "#333333", "#D9D9D9"
_FAMILY_COLOURS = (_BLUE, _ORANGE, _GREEN, _PURPLE, _VERMILION)
_REPORT_COLOURS = (_BLUE, _VERMILION, _GREEN, _PURPLE)

_STYLE = {
    "figure.dpi": 120,
    "figure.constrained_layout.h_pad": 0.1,
    "figure.constrained_layout.w_pad": 0.1,
    "savefig.dpi": 120,
    "font.size": 10,
    "axes.titlesize": 11,
    "axes.edgecolor": _INK,
    "axes.labelcolor": _INK,
    "text.color": _INK,
    "xtick.color": _INK,
    "ytick.color": _INK,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "grid.color": _FAINT,
    "grid.linewidth": 0.8,
    "legend.frameon": False,
}


def confusion_figure(matrix: np.ndarray, classes: Sequence[str], title: str, path: str | Path) -> None:
    """Draw a confusion matrix twice, as counts and as shares of each true class.

    Args:
        matrix: int, shape (classes, classes), true classes down and predicted classes across.
        classes: names in the order of both axes.
        title: what was evaluated, above both.
        path: the PNG to write.
    """
    totals = matrix.sum(axis=1, keepdims=True)
    shares = matrix / np.maximum(totals, 1)
    with _drawing(path, title, size=(11, 5.2)) as figure:
        left, right = figure.subplots(1, 2)
        _heat_map(left, shares, [[f"{count:,}" for count in row] for row in matrix], classes, "faces")
        percent = [[f"{share:.0%}" for share in row] for row in shares]
        _heat_map(right, shares, percent, classes, "share of the true class")


def learning_curves_figure(histories: Mapping[str, pd.DataFrame], title: str, path: str | Path) -> None:
    """Draw loss (above) and accuracy (below) against iterations, one column per network.

    Args:
        histories: network -> columns ``iteration``, ``loss``, ``accuracy`` (of the minibatches), ``validation_loss``
            and ``validation_accuracy``, one row per validation; accuracies from 0 to 1.
        title: above all.
        path: the PNG to write.
    """
    with _drawing(path, title, size=(1.2 + 3.6 * len(histories), 5.6)) as figure:
        grid = figure.subplots(2, len(histories), sharex="col", sharey="row", squeeze=False)
        for (network, history), (above, below) in zip(histories.items(), grid.T, strict=True):
            _curves(above, history, "loss")
            _curves(below, history, "accuracy")
            _mark_best(below, history)
            above.set_title(_readable(network))
            below.set_xlabel("iterations")
            below.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}"))
            below.xaxis.set_major_locator(MaxNLocator(4, integer=True))
        # A first minibatch or an overfitted end may be many times as high and would press the rest flat.
        grid[0, 0].set_ylim(0, 2 * max(history["validation_loss"].min() for history in histories.values()))
        grid[0, 0].set_ylabel("cross-entropy")
        grid[1, 0].set_ylabel("accuracy")
        grid[1, 0].set_ylim(0, 1)
        grid[1, 0].yaxis.set_major_formatter(PercentFormatter(1, decimals=0))
        figure.legend(*grid[0, 0].get_legend_handles_labels(), loc="outside lower center", ncols=2)


def accuracy_figure(
    results: Mapping[str, Mapping[str, Mapping]], published: Mapping[str, float], title: str, path: str | Path
) -> None:
    """Draw every contender's accuracy with its 95 % interval beside the published figure, one colour per report.

    Args:
        results: report -> contender -> ``accuracy``, ``accuracy_low``, ``accuracy_high`` (0 to 1) and ``n``.
        published: contender -> published accuracy, 0 to 1; may be empty.
        title: above all.
        path: the PNG to write.
    """
    names = list(dict.fromkeys(name for metrics in results.values() for name in metrics))
    offsets = (np.arange(len(results)) - (len(results) - 1) / 2) * 0.3
    with _drawing(path, title, size=(8.5, 1.6 + 0.27 * len(names) * (len(results) + 0.6))) as figure:
        axes = figure.subplots()
        for (report, metrics), offset, colour in zip(results.items(), offsets, cycle(_REPORT_COLOURS), strict=False):
            faces = next(iter(metrics.values()))["n"]
            rows = np.array([names.index(name) for name in metrics]) + offset
            _intervals(axes, metrics, rows, colour, f"{report}, {faces:,} faces")
        marks = {names.index(name): accuracy for name, accuracy in published.items() if name in names}
        if marks:
            look = {"s": 55, "facecolor": "white", "edgecolor": _INK, "linewidth": 1.4, "zorder": 4}
            axes.scatter(marks.values(), marks.keys(), marker="D", label="figure of the study", **look)
        axes.set_yticks(range(len(names)), [_readable(name) for name in names])
        axes.set_ylim(len(names) - 0.5, -0.5)
        axes.margins(x=0.1)
        axes.set_xlabel("accuracy on the test faces, with 95% interval")
        axes.xaxis.set_major_locator(MaxNLocator(steps=[1, 2, 5, 10]))
        axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{100 * value:g}%"))
        axes.grid(axis="x")
        axes.tick_params(axis="y", length=0)
        figure.legend(loc="outside lower center", ncols=3)


def recall_figure(metrics: Mapping[str, Mapping], title: str, path: str | Path) -> None:
    """Draw each class's recall by contender, in bars.

    Args:
        metrics: contender -> metrics with ``recall``, a mapping of class to a share from 0 to 1 or None without faces.
        title: above all.
        path: the PNG to write.
    """
    classes = list(next(iter(metrics.values()))["recall"])
    width = 0.84 / len(metrics)
    with _drawing(path, title, size=(11, 4.4)) as figure:
        axes = figure.subplots()
        for index, (name, colour) in enumerate(_contender_colours(metrics).items()):
            shares = [np.nan if share is None else share for share in metrics[name]["recall"].values()]
            left = np.arange(len(classes)) - 0.42 + (index + 0.5) * width
            axes.bar(left, shares, width * 0.92, color=colour, label=_readable(name))
        axes.set_xticks(range(len(classes)), classes)
        axes.tick_params(axis="x", length=0)
        axes.set_ylim(0, 1)
        axes.set_ylabel("recall")
        axes.yaxis.set_major_formatter(PercentFormatter(1, decimals=0))
        axes.grid(axis="y")
        figure.legend(loc="outside lower center", ncols=len(metrics))


@contextmanager
def _drawing(path: str | Path, title: str, size: tuple[float, float]) -> Iterator[Figure]:
    """A figure in the project's style that is written to ``path`` once it is drawn."""
    with style.context(_STYLE, after_reset=True), replacing(path) as temporary:
        figure = Figure(figsize=size, layout="constrained")
        figure.suptitle(title, fontsize=13, fontweight="bold")
        yield figure
        figure.savefig(temporary, format="png", metadata={"Software": None})


def _readable(name: str) -> str:
    return name.replace("_", " ")


def _heat_map(axes: Axes, shares: np.ndarray, texts: list[list[str]], classes: Sequence[str], title: str) -> None:
    axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    for row, line in enumerate(texts):
        for column, text in enumerate(line):
            colour = "white" if shares[row, column] > 0.55 else _INK
            axes.text(column, row, text, ha="center", va="center", color=colour)
    axes.set_xticks(range(len(classes)), classes, rotation=35, ha="right", rotation_mode="anchor")
    axes.set_yticks(range(len(classes)), classes)
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    axes.set(title=title, xlabel="predicted", ylabel="true")


def _curves(axes: Axes, history: pd.DataFrame, quantity: str) -> None:
    axes.plot(history["iteration"], history[quantity], color=_SKY, linewidth=0.9, label="minibatches")
    look = {"color": _VERMILION, "linewidth": 1.8, "label": "validation"}
    axes.plot(history["iteration"], history[f"validation_{quantity}"], **look)
    axes.grid()


def _mark_best(axes: Axes, history: pd.DataFrame) -> None:
    """Mark the highest validation accuracy, the latest among equals."""
    best = history.sort_values(["validation_accuracy", "iteration"]).iloc[-1]
    accuracy, iteration = best["validation_accuracy"], int(best["iteration"])
    axes.plot(iteration, accuracy, "o", color=_VERMILION, markersize=6, markeredgecolor="white")
    text = f"best validation {accuracy:.1%} at {iteration:,}"
    axes.text(0.97, 0.05, text, transform=axes.transAxes, ha="right", color=_VERMILION, fontsize=9)


def _intervals(axes: Axes, metrics: Mapping[str, Mapping], rows: np.ndarray, colour: str, label: str) -> None:
    values = [
        (entry["accuracy"], entry["accuracy"] - entry["accuracy_low"], entry["accuracy_high"] - entry["accuracy"])
        for entry in metrics.values()
    ]
    accuracies, below, above = np.array(values).T
    # Rounding to 6 decimals may put an end of the interval a hair on the wrong side.
    errors = np.maximum([below, above], 0)
    axes.errorbar(accuracies, rows, xerr=errors, fmt="o", color=colour, capsize=3, markersize=6, label=label)
    for accuracy, right, row in zip(accuracies, errors[1], rows, strict=True):
        at = {"xytext": (6, 0), "textcoords": "offset points", "va": "center"}
        axes.annotate(f"{accuracy:.1%}", (accuracy + right, row), color=colour, fontsize=9, **at)


def _contender_colours(names: Iterable[str]) -> dict[str, str | tuple[float, ...]]:
    """One hue per family, pale for its single network and full for its ensemble; ink for the ensemble of all."""
    families = list(dict.fromkeys(name.removesuffix("_ensemble") for name in names if name != "ensemble"))
    colours = {"ensemble": _INK}
    for family, hue in zip(families, cycle(_FAMILY_COLOURS), strict=False):
        colours[family] = tuple(0.55 + 0.45 * channel for channel in to_rgb(hue))
        colours[f"{family}_ensemble"] = hue
    return {name: colours[name] for name in names}
