"""Figures, each a function of data and the path of a PNG.

No figure shows a face. The bytes depend on the data and the version of Matplotlib alone: no date, no rc file. Colors
are those of Okabe & Ito (2008, "Color Universal Design"), which color-blind readers can tell apart.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from matplotlib import style
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator, PercentFormatter

from facial_expression.files import atomic_write

_BLUE, _ORANGE, _GREEN, _VERMILION, _PURPLE, _SKY = "#0072B2", "#E69F00", "#009E73", "#D55E00", "#CC79A7", "#56B4E9"
_INK, _FAINT = "#333333", "#D9D9D9"
_RUN_COLORS = (_BLUE, _ORANGE, _GREEN, _PURPLE, _VERMILION, _SKY)
_RUN_MARKERS = ("o", "s", "^", "D", "v", "P")
_COLUMNS = 4

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


def confusion_figure(matrices: Mapping[str, np.ndarray], classes: Sequence[str], title: str, path: str | Path) -> None:
    """Draw confusion matrices as fractions of each true class, one panel per model.

    Args:
        matrices: model -> int, shape (classes, classes), true classes down and predicted classes across.
        classes: names in the order of both axes.
        title: title of the figure.
        path: the PNG to write.
    """
    columns = min(3, len(matrices))
    rows = -(-len(matrices) // columns)
    with _drawing(path, title, size=(0.6 + 4.4 * columns, 0.6 + 4.2 * rows)) as figure:
        grid = figure.subplots(rows, columns, squeeze=False)
        for axes, (name, matrix) in zip(grid.flat, matrices.items(), strict=False):
            _heat_map(axes, matrix / np.maximum(matrix.sum(axis=1, keepdims=True), 1), classes, name)
        for axes in grid.flat[len(matrices) :]:
            axes.set_visible(False)


def learning_curves_figure(histories: Mapping[str, pd.DataFrame], title: str, path: str | Path) -> None:
    """Draw each run's loss (above) and accuracy (below) against iterations, up to four runs side by side.

    Args:
        histories: run -> columns ``iteration``, ``loss``, ``accuracy`` (of the minibatches), ``validation_loss``
            and ``validation_accuracy``, one row per validation; accuracies from 0 to 1.
        title: title of the figure.
        path: the PNG to write.
    """
    columns = min(_COLUMNS, len(histories))
    rows = -(-len(histories) // columns)
    # A first minibatch or an overfitted end may be many times as high and would press the rest flat.
    highest = 2 * max(history["validation_loss"].min() for history in histories.values())
    with _drawing(path, title, size=(1.2 + 3.6 * columns, 0.8 + 4.8 * rows)) as figure:
        grid = figure.subplots(2 * rows, columns, squeeze=False)
        for number, (run, history) in enumerate(histories.items()):
            row, column = divmod(number, columns)
            above, below = grid[2 * row : 2 * row + 2, column]
            _curves(above, history, "loss")
            _curves(below, history, "accuracy")
            _mark_best(below, history)
            above.set(title=run, ylim=(0, highest))
            below.set(xlabel="iterations", ylim=(0, 1))
            below.yaxis.set_major_formatter(PercentFormatter(1, decimals=0))
            above.tick_params(labelbottom=False)
            if column == 0:
                above.set_ylabel("cross-entropy")
                below.set_ylabel("accuracy")
            else:
                above.tick_params(labelleft=False)
                below.tick_params(labelleft=False)
        for axes in grid.reshape(rows, 2, columns).transpose(0, 2, 1).reshape(-1)[2 * len(histories) :]:
            axes.set_visible(False)
        figure.legend(*grid[0, 0].get_legend_handles_labels(), loc="outside lower center", ncols=2)


def accuracy_figure(
    models: Mapping[str, Mapping[str, Any]], study: Mapping[str, float], title: str, path: str | Path
) -> None:
    """Draw every model's accuracy with its 95% interval beside the study's figure.

    Args:
        models: model -> ``accuracy``, ``accuracy_low``, ``accuracy_high`` (0 to 1) and ``n``.
        study: model -> the study's accuracy, 0 to 1; may be empty.
        title: title of the figure.
        path: the PNG to write.
    """
    names = list(models)
    with _drawing(path, title, size=(8.5, 1.8 + 0.34 * len(names))) as figure:
        axes = figure.subplots()
        faces = next(iter(models.values()))["n"]
        _intervals(axes, models, _BLUE, f"ours, {faces:,} faces")
        marks = {names.index(name): accuracy for name, accuracy in study.items() if name in names}
        if marks:
            look: dict[str, Any] = {"s": 55, "facecolor": "white", "edgecolor": _INK, "linewidth": 1.4, "zorder": 4}
            axes.scatter(list(marks.values()), list(marks), marker="D", label="the study", **look)
        axes.set_yticks(range(len(names)), names)
        axes.set_ylim(len(names) - 0.5, -0.5)
        axes.margins(x=0.1)
        axes.set_xlabel("accuracy on the test faces, with 95% interval")
        axes.xaxis.set_major_locator(MaxNLocator(steps=[1, 2, 5, 10]))
        axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{100 * value:g}%"))
        axes.grid(axis="x")
        axes.tick_params(axis="y", length=0)
        figure.legend(loc="outside lower center", ncols=2)


def recall_figure(models: Mapping[str, Mapping[str, Any]], title: str, path: str | Path) -> None:
    """Draw each class's recall as one dot per model.

    Args:
        models: model -> metrics with ``recall``, a mapping of class to a fraction or None without faces.
        title: title of the figure.
        path: the PNG to write.
    """
    classes = list(next(iter(models.values()))["recall"])
    offsets = np.linspace(-0.36, 0.36, len(models))
    with _drawing(path, title, size=(9, 1.4 + 0.11 * len(classes) * max(len(models), 6))) as figure:
        axes = figure.subplots()
        for (name, look), offset in zip(_model_looks(models).items(), offsets, strict=True):
            recalls = [np.nan if value is None else value for value in models[name]["recall"].values()]
            axes.plot(recalls, np.arange(len(classes)) + offset, linestyle="", label=name, **look)
        for boundary in np.arange(len(classes) - 1) + 0.5:
            axes.axhline(boundary, color=_FAINT, linewidth=0.8)
        axes.set_yticks(range(len(classes)), classes)
        axes.set_ylim(len(classes) - 0.5, -0.5)
        axes.tick_params(axis="y", length=0)
        axes.set_xlim(0, 1)
        axes.set_xlabel("recall")
        axes.xaxis.set_major_formatter(PercentFormatter(1, decimals=0))
        axes.grid(axis="x")
        axes.legend(loc="upper left", bbox_to_anchor=(1.01, 1), borderaxespad=0)


@contextmanager
def _drawing(path: str | Path, title: str, size: tuple[float, float]) -> Iterator[Figure]:
    """A figure in the project's style, written to ``path`` at the end of the block."""
    with style.context(_STYLE, after_reset=True), atomic_write(path) as temporary:
        figure = Figure(figsize=size, layout="constrained")
        figure.suptitle(title, fontsize=13, fontweight="bold")
        yield figure
        figure.savefig(temporary, format="png", metadata={"Software": None})


def _heat_map(axes: Axes, fractions: np.ndarray, classes: Sequence[str], title: str) -> None:
    axes.imshow(fractions, cmap="Blues", vmin=0, vmax=1)
    for (row, column), fraction in np.ndenumerate(fractions):
        color = "white" if fraction > 0.55 else _INK
        axes.text(column, row, f"{fraction:.0%}", ha="center", va="center", color=color, fontsize=9)
    axes.set_xticks(range(len(classes)), classes, rotation=35, ha="right", rotation_mode="anchor")
    axes.set_yticks(range(len(classes)), classes)
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    axes.set(title=title, xlabel="predicted", ylabel="true")


def _curves(axes: Axes, history: pd.DataFrame, quantity: str) -> None:
    axes.plot(history["iteration"], history[quantity], color=_SKY, linewidth=0.9, label="minibatches")
    look: dict[str, Any] = {"color": _VERMILION, "linewidth": 1.8, "label": "validation"}
    axes.plot(history["iteration"], history[f"validation_{quantity}"], **look)
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}"))
    axes.xaxis.set_major_locator(MaxNLocator(4, integer=True))
    axes.grid()


def _mark_best(axes: Axes, history: pd.DataFrame) -> None:
    """Mark the highest validation accuracy, the latest among equals."""
    best = history.sort_values(["validation_accuracy", "iteration"]).iloc[-1]
    accuracy, iteration = best["validation_accuracy"], int(best["iteration"])
    axes.plot(iteration, accuracy, "o", color=_VERMILION, markersize=6, markeredgecolor="white")
    text = f"best validation {accuracy:.1%} at {iteration:,}"
    axes.text(0.97, 0.05, text, transform=axes.transAxes, ha="right", color=_VERMILION, fontsize=9)


def _intervals(axes: Axes, models: Mapping[str, Mapping[str, Any]], color: str, label: str) -> None:
    values = [
        (model["accuracy"], model["accuracy"] - model["accuracy_low"], model["accuracy_high"] - model["accuracy"])
        for model in models.values()
    ]
    accuracies, below, above = np.array(values).T
    # Rounding to 6 decimals can put an end of the interval on the wrong side.
    errors = np.maximum([below, above], 0)
    rows = range(len(models))
    axes.errorbar(accuracies, rows, xerr=errors, fmt="o", color=color, capsize=3, markersize=6, label=label)
    for accuracy, right, row in zip(accuracies, errors[1], rows, strict=True):
        at: dict[str, Any] = {"xytext": (6, 0), "textcoords": "offset points", "va": "center"}
        axes.annotate(f"{accuracy:.1%}", (accuracy + right, row), color=color, fontsize=9, **at)


def _model_looks(names: Iterable[str]) -> dict[str, dict[str, Any]]:
    """One color and marker per run, hollow for its single model and filled for its ensemble; a star for all runs'.

    With more runs than colors, the colors repeat with another marker.
    """
    names = list(names)
    runs = list(dict.fromkeys(name.removesuffix("-ensemble") for name in names if name != "ensemble"))
    looks: dict[str, dict[str, Any]] = {"ensemble": {"color": _INK, "marker": "*", "markersize": 8}}
    for number, run in enumerate(runs):
        turn, place = divmod(number, len(_RUN_COLORS))
        look = {"color": _RUN_COLORS[place], "marker": _RUN_MARKERS[turn % len(_RUN_MARKERS)], "markersize": 5}
        looks |= {run: look | {"markerfacecolor": "white"}, f"{run}-ensemble": look}
    return {name: looks[name] for name in names}
