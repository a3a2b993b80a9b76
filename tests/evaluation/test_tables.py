"""The results tables and their place in a Markdown document."""

from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console

from facial_expression import tables
from facial_expression.emotions import NAMES
from facial_expression.params import load_params

SIX = tuple(name for name in NAMES if name != "disgust")


def contender(accuracy, low=None, high=None, **others):
    low, high = accuracy - 0.0149 if low is None else low, accuracy + 0.0151 if high is None else high
    entry = {"accuracy": accuracy, "accuracy_low": low, "accuracy_high": high, "macro_f1": 0.5871, "ece": 0.0432}
    return entry | {"n": 3737, "iterations": 10_000, "recall": {"angry": None}} | others


METRICS = {
    "shallow": contender(0.6512),
    "shallow_ensemble": contender(0.61),
    "wide": contender(0.6404, iterations=900),
    "resnet_ensemble": contender(0.6789),
}


def cells(markdown, report):
    """The rows of ``report`` by contender, without their first cell."""
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in markdown.splitlines() if "|" in line]
    return {row[1]: row[2:] for row in rows if row[0] == report}


def rendered(results, width):
    console = Console(width=width, record=True, file=StringIO())
    console.print(tables.results_table(results))
    return console.export_text()


def test_published_figures_are_those_of_the_study():
    accuracies = {name: figure.accuracy for name, figure in tables.PUBLISHED.items()}
    assert accuracies == {
        "shallow": 0.62,
        "shallow_ensemble": 0.637,
        "wide": 0.636,
        "wide_ensemble": 0.659,
        "resnet": 0.66,
    }
    assert tables.published_accuracy("published") == accuracies
    assert tables.published_accuracy("official") == tables.published_accuracy("seven") == {}


def test_markdown_rows():
    rows = cells(tables.results_markdown({"published": METRICS}), "published")
    assert rows["shallow"] == ["≈ 62.0", "65.1 (63.6–66.6)", "+3.1 ▲", "58.7", "4.3", "10,000", "3,737"]
    assert rows["shallow ensemble"][:3] == ["63.7", "61.0 (59.5–62.5)", "−2.7 ▼"]
    assert rows["wide"][:3] == ["≈ 63.6", "64.0 (62.5–65.5)", "+0.4"]
    assert rows["wide"][5] == "900"
    assert rows["resnet ensemble"][:3] == ["—", "67.9 (66.4–69.4)", "—"]


def test_other_reports_have_no_published_figure():
    markdown = tables.results_markdown({"published": METRICS, "official": METRICS, "seven": METRICS})
    for report in ("official", "seven"):
        rows = cells(markdown, report)
        assert list(rows) == ["shallow", "shallow ensemble", "wide", "resnet ensemble"]
        assert all((row[0], row[2]) == ("—", "—") for row in rows.values())
    assert cells(markdown, "published")["shallow"][2] == "+3.1 ▲"


def test_markdown_has_as_many_cells_in_every_row():
    lines = [line for line in tables.results_markdown({"published": METRICS}).splitlines() if "|" in line]
    assert len({line.count("|") for line in lines}) == 1
    assert lines[0].startswith("| report | contender |")
    assert set(lines[1]) == set("|-: ")


@pytest.mark.parametrize(
    ("accuracy", "low", "high", "expected"),
    [
        (0.637, 0.62, 0.65, "+0.0"),
        (0.6368, 0.62, 0.65, "+0.0"),
        (0.63, 0.62, 0.637, "−0.7"),
        (0.63, 0.62, 0.6369, "−0.7 ▼"),
        (0.645, 0.637, 0.65, "+0.8"),
        (0.645, 0.6371, 0.65, "+0.8 ▲"),
    ],
)
def test_delta_is_marked_only_outside_the_interval(accuracy, low, high, expected):
    markdown = tables.results_markdown({"published": {"shallow_ensemble": contender(accuracy, low, high)}})
    assert cells(markdown, "published")["shallow ensemble"][2] == expected


def test_terminal_table_shows_the_same_in_80_columns():
    text = rendered({"published": METRICS, "seven": METRICS}, width=80)
    titles = [line.strip() for line in text.splitlines() if "test faces" in line]
    assert titles == ["published, 3,737 test faces", "seven, 3,737 test faces"]
    assert "…" not in text
    for name, row in cells(tables.results_markdown({"published": METRICS}), "published").items():
        line = next(line for line in text.splitlines() if line.startswith((f"{name}  ", f"{name} ≈", f"{name} 6")))
        assert line.split() == [*name.split(), *" ".join(row[:-1]).split()]


CARD = {
    "preprocessing": {"pictures": "framed"},
    "family": "wide",
    "snapshot": 5500,
    "protocol": "official",
    "model": {"file": "model.onnx", "variant": "int8", "bytes": 1_234_567, "sha256": "0123456789abcdef" * 4},
    "variants": {
        "float32": {"bytes": 4_000_000, "validation_accuracy": 0.6, "accuracy": 0.61234, "largest_difference": 1.2e-6},
        "int8": {"bytes": 1_234_567, "validation_accuracy": 0.5987, "accuracy": 0.61, "largest_difference": 0.034},
    },
    "temperature": 1.2345,
    "uncertain_below": 0.4321,
    "metrics": contender(0.6123, 0.6, 0.625, recall={"angry": 0.5, "disgust": None}),
}


def test_served_network_is_told_with_its_figures():
    rows = [line.strip("|").split("|") for line in tables.served_markdown(CARD).splitlines() if line]
    told = {row[0].strip(): [cell.strip() for cell in row[1:]] for row in rows}
    assert told["network"] == ["wide, snapshot 5,500, protocol `official`"]
    assert told["file"] == ["`model.onnx`, int8, 1,234,567 bytes, sha256 `0123456789abcdef…`"]
    assert told["it sees"] == ["framed faces"]
    assert told["accuracy"] == ["61.2 % (95 % interval 60.0–62.5) on 3,737 test faces"]
    assert told["macro-F1"] == ["58.7 %"]
    assert told["expected calibration error"] == ["4.3 %, temperature 1.23"]
    assert told["shown as uncertain"] == ["answers below 43.2 %"]
    assert (told["angry"], told["disgust"]) == (["50.0 %"], ["—"])
    assert told["float32"] == ["4,000,000", "60.00 %", "61.23 %", "1.2e-06"]
    assert told["int8"] == ["1,234,567", "59.87 %", "61.00 %", "3.4e-02"]


DOCUMENT = f"# Results\n\n{tables.BEGIN}\nold\n{tables.END}\n\nMore.\n"


def test_replacing_keeps_the_rest_and_repeats_itself(tmp_path):
    path = tmp_path / "README.md"
    path.write_text(DOCUMENT, encoding="utf-8")
    table = tables.results_markdown({"published": METRICS})
    tables.replace_results(path, table)
    first = path.read_bytes()
    assert first.decode() == f"# Results\n\n{tables.BEGIN}\n\n{table.strip()}\n\n{tables.END}\n\nMore.\n"
    tables.replace_results(path, table)
    assert path.read_bytes() == first


@pytest.mark.parametrize(
    "document",
    [
        "nothing",
        f"{tables.BEGIN} only",
        f"only {tables.END}",
        f"{tables.END} {tables.BEGIN}",
        DOCUMENT + DOCUMENT,
        DOCUMENT + tables.END,
        tables.END + DOCUMENT,
        tables.BEGIN + DOCUMENT,
    ],
)
def test_missing_marks_are_refused(document, tmp_path):
    path = tmp_path / "README.md"
    path.write_text(document, encoding="utf-8")
    with pytest.raises(ValueError, match=r"README\.md must hold the line <!-- results:begin --> once"):
        tables.replace_results(path, "table")
    assert path.read_text(encoding="utf-8") == document


def test_missing_document_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"absent\.md"):
        tables.replace_results(tmp_path / "absent.md", "table")


@pytest.mark.parametrize(
    ("change", "classes", "expected"),
    [
        ({}, SIX, True),
        ({"dataset": "synthetic"}, SIX, False),
        ({"md5": None}, SIX, False),
        ({"md5": "0" * 32}, SIX, False),
        ({}, NAMES, False),
    ],
)
def test_only_fer2013_without_disgust_is_compared_with_the_study(change, classes, expected):
    download = load_params(Path(__file__).parent.parent / "params.yaml").download.model_copy(update=change)
    assert tables.is_comparable(download, classes) is expected
