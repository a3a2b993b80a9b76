"""Each figure is a PNG whose bytes depend on its data alone, and shows that data."""

import matplotlib
import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure
from PIL import Image

from facial_expression import figures

CLASSES = ("angry", "happy", "sad")


def contender(accuracy, recalls=(0.5, 0.9, 0.4)):
    return {
        "accuracy": accuracy,
        "accuracy_low": accuracy - 0.02,
        "accuracy_high": accuracy + 0.02,
        "n": 3737,
        "recall": dict(zip(CLASSES, recalls, strict=True)),
    }


METRICS = {
    "shallow": contender(0.61),
    "shallow_ensemble": contender(0.63),
    "ensemble": contender(0.67, recalls=(0.6, 0.95, None)),
}
HISTORY = pd.DataFrame(
    {
        "iteration": [100, 200, 300],
        "loss": [1.7, 1.4, 1.1],
        "accuracy": [0.2, 0.4, 0.6],
        "validation_loss": [1.75, 1.5, 1.6],
        "validation_accuracy": [0.2, 0.42, 0.42],
    }
)
MATRIX = np.array([[1234, 5, 0], [7, 80, 9], [0, 0, 0]])

DRAWINGS = {
    "confusion": lambda path: figures.confusion_figure(MATRIX, CLASSES, "Title", path),
    "curves": lambda path: figures.learning_curves_figure({"shallow": HISTORY, "wide": HISTORY}, "Title", path),
    "accuracy": lambda path: figures.accuracy_figure(
        {"published": METRICS, "official": METRICS}, {"shallow": 0.62, "absent": 0.9}, "Title", path
    ),
    "recall": lambda path: figures.recall_figure(METRICS, "Title", path),
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


@pytest.mark.parametrize("name", DRAWINGS)
def test_bytes_depend_on_the_data_alone(name, tmp_path):
    DRAWINGS[name](tmp_path / "first.png")
    with matplotlib.rc_context({"font.size": 21, "axes.grid": True, "savefig.dpi": 30, "lines.linewidth": 9}):
        DRAWINGS[name](tmp_path / "second.png")
    assert (tmp_path / "first.png").read_bytes() == (tmp_path / "second.png").read_bytes()
    assert sorted(item.name for item in tmp_path.iterdir()) == ["first.png", "second.png"]
    with Image.open(tmp_path / "first.png") as image:
        assert image.format == "PNG"
        assert not getattr(image, "text", None)
        assert 600 <= image.width <= 1600
        assert image.convert("L").getextrema()[0] < 100


def test_failed_drawing_leaves_the_former_figure(tmp_path):
    path = tmp_path / "recall.png"
    path.write_text("former")
    with pytest.raises(KeyError):
        figures.recall_figure({"shallow": {"recall": {"angry": 1.0}}, "wide": {}}, "Title", path)
    assert [(item.name, item.read_text()) for item in tmp_path.iterdir()] == [("recall.png", "former")]


def test_confusion_annotates_counts_and_shares(drawn, tmp_path):
    DRAWINGS["confusion"](tmp_path / "figure.png")
    left, right = drawn[0].axes
    assert texts(left) == ["1,234", "5", "0", "7", "80", "9", "0", "0", "0"]
    assert texts(right) == ["100%", "0%", "0%", "7%", "83%", "9%", "0%", "0%", "0%"]
    for axes in (left, right):
        assert [label.get_text() for label in axes.get_xticklabels()] == list(CLASSES)
        assert [label.get_text() for label in axes.get_yticklabels()] == list(CLASSES)


def test_learning_curves_show_both_parts_and_the_latest_best(drawn, tmp_path):
    DRAWINGS["curves"](tmp_path / "figure.png")
    loss, _, accuracy, _ = drawn[0].axes
    assert loss.get_title() == "shallow"
    minibatches, validation = loss.lines
    np.testing.assert_array_equal(minibatches.get_ydata(), HISTORY["loss"])
    np.testing.assert_array_equal(validation.get_ydata(), HISTORY["validation_loss"])
    np.testing.assert_array_equal(accuracy.lines[1].get_ydata(), HISTORY["validation_accuracy"])
    assert texts(accuracy) == ["best validation 42.0% at 300"]


def test_accuracy_marks_published_figures_of_its_contenders_alone(drawn, tmp_path):
    DRAWINGS["accuracy"](tmp_path / "figure.png")
    (axes,) = drawn[0].axes
    assert texts(axes) == ["61.0%", "63.0%", "67.0%"] * 2
    marks = next(item for item in axes.collections if item.get_label() == "figure of the study")
    np.testing.assert_allclose(marks.get_offsets(), [[0.62, 0]])
    labels = [container.get_label() for container in axes.containers]
    assert labels == ["published, 3,737 faces", "official, 3,737 faces"]


def test_accuracy_without_published_figures(drawn, tmp_path):
    figures.accuracy_figure({"official": METRICS}, {}, "Title", tmp_path / "figure.png")
    labels = [item.get_label() for item in drawn[0].axes[0].collections]
    assert "figure of the study" not in labels


def test_recall_bars_by_contender(drawn, tmp_path):
    DRAWINGS["recall"](tmp_path / "figure.png")
    heights = {c.get_label(): [bar.get_height() for bar in c] for c in drawn[0].axes[0].containers}
    assert heights["shallow ensemble"] == [0.5, 0.9, 0.4]
    np.testing.assert_array_equal(heights["ensemble"], [0.6, 0.95, np.nan])
    colours = {c.get_label(): c.patches[0].get_facecolor() for c in drawn[0].axes[0].containers}
    assert len(set(colours.values())) == 3
