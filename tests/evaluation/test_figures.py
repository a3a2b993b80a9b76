"""Figures: PNG files whose bytes depend on the data alone, which show the data and cut nothing off."""

from itertools import combinations

import matplotlib
import numpy as np
import pandas as pd
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from PIL import Image

from facial_expression.evaluation import figures

CLASSES = ("angry", "happy", "sad")
RUNS = (
    *("study-shallow", "study-wide", "study-resnet34", "small", "small-original", "wide-with-other-inputs"),
    *("resnet34", "seventh", "eighth", "ninth", "tenth", "a-run-with-quite-a-long-name"),
)


def model(accuracy, recalls=(0.5, 0.9, 0.4)):
    return {
        "accuracy": accuracy,
        "accuracy_low": accuracy - 0.02,
        "accuracy_high": accuracy + 0.02,
        "n": 3737,
        "recall": dict(zip(CLASSES, recalls, strict=True)),
    }


METRICS = {
    "study-shallow": model(0.61),
    "study-shallow-ensemble": model(0.63),
    "ensemble": model(0.67, recalls=(0.6, 0.95, None)),
}
HISTORY = pd.DataFrame(
    {
        "iteration": [1000, 2000, 3000],
        "loss": [1.7, 1.4, 1.1],
        "accuracy": [0.2, 0.4, 0.6],
        "validation_loss": [1.75, 1.5, 1.6],
        "validation_accuracy": [0.2, 0.42, 0.42],
    }
)
MATRIX = np.array([[1234, 5, 0], [7, 80, 9], [0, 0, 0]])
STUDY = {"study-shallow": 0.62, "study-absent": 0.9}


def models_of(runs):
    """Metrics of all models of the first runs."""
    names = [name for run in RUNS[:runs] for name in (run, f"{run}-ensemble")]
    random = np.random.default_rng(runs)
    recalls = random.uniform(0, 1, (len(names), len(CLASSES)))
    return {name: model(random.uniform(0.55, 0.7), row) for name, row in zip(names, recalls, strict=True)} | {
        "ensemble": model(0.71)
    }


def ensembles(models):
    return [name for name in models if name.endswith("ensemble")]


DRAWINGS = {
    "confusion": lambda models, path: figures.confusion_figure(
        dict.fromkeys(ensembles(models), MATRIX), CLASSES, "Title", path
    ),
    "learning_curves": lambda models, path: figures.learning_curves_figure(
        dict.fromkeys([name for name in models if not name.endswith("ensemble")], HISTORY), "Title", path
    ),
    "accuracy": lambda models, path: figures.accuracy_figure(models, STUDY, "Title", path),
    "recall": lambda models, path: figures.recall_figure(models, "Title", path),
}


@pytest.fixture
def drawn(monkeypatch):
    """Collects the figures that are saved."""
    saved = []
    save = Figure.savefig

    def record(figure, *arguments, **options):
        saved.append(figure)
        return save(figure, *arguments, **options)

    monkeypatch.setattr(Figure, "savefig", record)
    return saved


def texts(axes):
    return [text.get_text() for text in axes.texts]


def tick_labels(axis):
    return [label.get_text() for label in axis.get_ticklabels()]


@pytest.mark.parametrize("name", DRAWINGS)
def test_bytes_depend_on_the_data_alone(name, tmp_path):
    DRAWINGS[name](METRICS, tmp_path / "first.png")
    with matplotlib.rc_context({"font.size": 21, "axes.grid": True, "savefig.dpi": 30, "lines.linewidth": 9}):
        DRAWINGS[name](METRICS, tmp_path / "second.png")
    assert (tmp_path / "first.png").read_bytes() == (tmp_path / "second.png").read_bytes()
    assert sorted(item.name for item in tmp_path.iterdir()) == ["first.png", "second.png"]
    with Image.open(tmp_path / "first.png") as image:
        assert image.format == "PNG"
        assert not getattr(image, "text", None)
        assert 500 <= image.width <= 1800
        assert image.convert("L").getextrema()[0] < 100


def test_failed_drawing_leaves_the_previous_figure(tmp_path):
    path = tmp_path / "recall.png"
    path.write_text("previous")
    with pytest.raises(KeyError):
        figures.recall_figure({"shallow": {"recall": {"angry": 1.0}}, "wide": {}}, "Title", path)
    assert [(item.name, item.read_text()) for item in tmp_path.iterdir()] == [("recall.png", "previous")]


@pytest.mark.parametrize("runs", [1, 3, 8, 12])
@pytest.mark.parametrize("name", DRAWINGS)
def test_nothing_is_cut_off_or_hides_the_title_or_legend(name, runs, drawn, tmp_path):
    DRAWINGS[name](models_of(runs), tmp_path / "figure.png")
    (figure,) = drawn
    renderer = FigureCanvasAgg(figure).get_renderer()
    everything = figure.get_tightbbox(renderer)
    assert min(everything.x0, everything.y0) >= 0
    assert everything.x1 <= figure.bbox_inches.x1
    assert everything.y1 <= figure.bbox_inches.y1
    parts = [axes.get_tightbbox(renderer) for axes in figure.axes if axes.get_visible()]
    parts += [artist.get_window_extent(renderer) for artist in (*figure.legends, *figure.texts)]
    assert len(parts) > 1
    assert not [(one, two) for one, two in combinations(parts, 2) if one.overlaps(two)]
    for axes in figure.axes:
        legend = axes.get_legend()
        assert not legend or not legend.get_window_extent(renderer).overlaps(axes.patch.get_window_extent(renderer))


@pytest.mark.parametrize("name", DRAWINGS)
def test_figure_of_many_runs_fits_the_width_of_a_page(name, tmp_path):
    DRAWINGS[name](models_of(12), tmp_path / "figure.png")
    with Image.open(tmp_path / "figure.png") as image:
        assert image.width <= 2000


def test_confusion_shows_fractions_of_each_true_class(drawn, tmp_path):
    matrices = {"small-ensemble": MATRIX, "ensemble": MATRIX.T}
    figures.confusion_figure(matrices, CLASSES, "Title", tmp_path / "figure.png")
    left, right = drawn[0].axes
    assert [left.get_title(), right.get_title()] == ["small-ensemble", "ensemble"]
    assert texts(left) == ["100%", "0%", "0%", "7%", "83%", "9%", "0%", "0%", "0%"]
    assert texts(right) == ["99%", "1%", "0%", "6%", "94%", "0%", "0%", "100%", "0%"]
    for axes in (left, right):
        assert tick_labels(axes.xaxis) == tick_labels(axes.yaxis) == list(CLASSES)
        assert (axes.get_xlabel(), axes.get_ylabel()) == ("predicted", "true")


@pytest.mark.parametrize(("count", "rows", "columns"), [(1, 1, 1), (3, 1, 3), (4, 2, 3), (9, 3, 3)])
def test_confusion_panels_fill_rows_of_three(count, rows, columns, drawn, tmp_path):
    matrices = {str(number): MATRIX for number in range(count)}
    figures.confusion_figure(matrices, CLASSES, "Title", tmp_path / "figure.png")
    panels = drawn[0].axes
    assert len(panels) == rows * columns
    assert [axes.get_title() for axes in panels if axes.get_visible()] == list(matrices)


def test_learning_curves_show_both_parts_and_the_latest_best(drawn, tmp_path):
    histories = {"shallow": HISTORY, "wide": HISTORY.assign(validation_loss=9.0)}
    figures.learning_curves_figure(histories, "Title", tmp_path / "figure.png")
    loss, other, accuracy, _ = drawn[0].axes
    assert [loss.get_title(), other.get_title()] == ["shallow", "wide"]
    minibatches, validation = loss.lines
    np.testing.assert_array_equal(minibatches.get_ydata(), HISTORY["loss"])
    np.testing.assert_array_equal(validation.get_ydata(), HISTORY["validation_loss"])
    np.testing.assert_array_equal(accuracy.lines[0].get_ydata(), HISTORY["accuracy"])
    np.testing.assert_array_equal(accuracy.lines[1].get_ydata(), HISTORY["validation_accuracy"])
    assert texts(accuracy) == ["best validation 42.0% at 3,000"]
    np.testing.assert_allclose(accuracy.lines[2].get_xydata(), [[3000, 0.42]])
    assert accuracy.get_ylim() == (0, 1)
    assert loss.get_ylim() == other.get_ylim() == (0, 18)  # twice the larger of the lowest validation losses
    assert [text.get_text() for text in drawn[0].legends[0].texts] == ["minibatches", "validation"]


@pytest.mark.parametrize("runs", [1, 4, 5, 12])
def test_learning_curves_have_two_panels_per_run(runs, drawn, tmp_path):
    histories = {run: HISTORY.assign(loss=number) for number, run in enumerate(RUNS[:runs])}
    figures.learning_curves_figure(histories, "Title", tmp_path / "figure.png")
    panels = [axes for axes in drawn[0].axes if axes.get_visible()]
    assert len(panels) == 2 * runs
    titled = [axes for axes in panels if axes.get_title()]
    assert [axes.get_title() for axes in titled] == list(histories)
    assert [axes.lines[0].get_ydata()[0] for axes in titled] == list(range(runs))
    assert sum(axes.get_xlabel() == "iterations" and axes.get_ylim() == (0, 1) for axes in panels) == runs


def test_accuracy_shows_intervals_beside_the_study(drawn, tmp_path):
    figures.accuracy_figure(METRICS, STUDY, "Title", tmp_path / "figure.png")
    (axes,) = drawn[0].axes
    assert tick_labels(axes.yaxis) == list(METRICS)
    assert texts(axes) == ["61.0%", "63.0%", "67.0%"]
    (container,) = axes.containers
    points, _, (bars,) = container.lines
    np.testing.assert_allclose(points.get_xydata(), [[0.61, 0], [0.63, 1], [0.67, 2]])
    ends = [segment[:, 0] for segment in bars.get_segments()]
    np.testing.assert_allclose(ends, [[0.59, 0.63], [0.61, 0.65], [0.65, 0.69]])
    (marks,) = (item for item in axes.collections if item.get_label() == "the study")
    np.testing.assert_allclose(marks.get_offsets(), [[0.62, 0]])  # alone, since the other model is absent
    assert {text.get_text() for text in drawn[0].legends[0].texts} == {"ours, 3,737 faces", "the study"}


def test_accuracy_without_figures_of_the_study(drawn, tmp_path):
    figures.accuracy_figure(METRICS, {}, "Title", tmp_path / "figure.png")
    assert [text.get_text() for text in drawn[0].legends[0].texts] == ["ours, 3,737 faces"]


def test_accuracy_accepts_interval_on_the_wrong_side(tmp_path):
    rounded = {"small": model(0.5) | {"accuracy": 0.333333, "accuracy_low": 0.333334, "accuracy_high": 0.333333}}
    figures.accuracy_figure(rounded, {}, "Title", tmp_path / "figure.png")
    assert (tmp_path / "figure.png").exists()


def labeled_lines(axes):
    return {line.get_label(): line for line in axes.lines if not line.get_label().startswith("_")}


def test_recall_draws_one_dot_per_class_and_model(drawn, tmp_path):
    figures.recall_figure(METRICS, "Title", tmp_path / "figure.png")
    (axes,) = drawn[0].axes
    lines = labeled_lines(axes)
    assert list(lines) == list(METRICS)
    assert {line.get_linestyle() for line in lines.values()} == {"None"}  # dots, not connected
    np.testing.assert_array_equal(lines["study-shallow-ensemble"].get_xdata(), [0.5, 0.9, 0.4])
    np.testing.assert_array_equal(lines["ensemble"].get_xdata(), [0.6, 0.95, np.nan])
    assert tick_labels(axes.yaxis) == list(CLASSES)
    for line in lines.values():
        np.testing.assert_array_equal(np.round(line.get_ydata()), range(len(CLASSES)))  # each in its class's band
    assert len({tuple(line.get_ydata()) for line in lines.values()}) == len(METRICS)
    assert axes.get_xlim() == (0, 1)


@pytest.mark.parametrize("runs", [1, 3, 6, 7, 8, 12])
def test_recall_gives_each_model_its_own_look(runs, drawn, tmp_path):
    figures.recall_figure(models_of(runs), "Title", tmp_path / "figure.png")
    lines = labeled_lines(drawn[0].axes[0]).values()
    assert len(lines) == 2 * runs + 1
    looks = [
        (line.get_marker(), np.array([to_rgb(line.get_markerfacecolor()), to_rgb(line.get_markeredgecolor())]))
        for line in lines
    ]
    for (marker, colors), (other_marker, other_colors) in combinations(looks, 2):
        assert marker != other_marker or np.abs(colors - other_colors).max() > 0.1


def test_recall_of_one_run_has_one_hue(drawn, tmp_path):
    figures.recall_figure(METRICS, "Title", tmp_path / "figure.png")
    lines = labeled_lines(drawn[0].axes[0])
    single, ensemble, _ = (to_rgb(line.get_markeredgecolor()) for line in lines.values())
    assert np.argsort(single).tolist() == np.argsort(ensemble).tolist()
