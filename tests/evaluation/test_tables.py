"""Tables of results for the terminal and for the documents, and their place in a document."""

from io import BytesIO, TextIOWrapper
from pathlib import Path

import pytest
from rich.console import Console

from facial_expression.emotions import NAMES
from facial_expression.errors import UserError
from facial_expression.evaluation import tables
from facial_expression.params import load_params

ROOT = Path(__file__).parents[2]
SIX = tuple(name for name in NAMES if name != "disgust")


def record(accuracy, low=None, high=None, **others):
    low, high = accuracy - 0.0149 if low is None else low, accuracy + 0.0151 if high is None else high
    entry = {"accuracy": accuracy, "accuracy_low": low, "accuracy_high": high, "macro_f1": 0.5871, "ece": 0.0432}
    others = {"parameters": 1_000_000} | others
    return entry | {"n": 3737, "iterations": 10_000, "recall": {"angry": None}} | others


STUDY_MODELS = {
    "study-shallow": record(0.6512),
    "study-shallow-ensemble": record(0.61),
    "study-wide": record(0.6404, iterations=900),
    "study-resnet34-ensemble": record(0.6789, ece=0.1432),
    "ensemble": record(0.7),
}
OFFICIAL_MODELS = {
    "shallow": record(0.6),
    "shallow-ensemble": record(0.62),
    "small-original": record(0.66),
    "small-original-ensemble": record(0.68, iterations=20_000),
    "ensemble": record(0.7123),
}


def rows_of(markdown):
    """The cells of each line of Markdown tables."""
    return [[cell.strip() for cell in line[1:-1].split("|")] for line in markdown.splitlines() if "|" in line]


def results(reports, report):
    """The rows of one report by model, without their first two cells."""
    return {row[1]: row[2:] for row in rows_of(tables.results_markdown(reports)) if row[0] == report}


def render(reports, comparable=True, encoding="utf-8"):
    """What a terminal of 80 columns and this encoding shows."""
    file = TextIOWrapper(BytesIO(), encoding, errors="replace")
    Console(width=80, file=file).print(tables.results_table(reports, comparable))
    file.flush()
    return file.buffer.getvalue().decode(encoding)


def test_figures_of_the_study():
    assert {name: figure.accuracy for name, figure in tables.STUDY.items()} == {
        "shallow": 0.62,
        "shallow-ensemble": 0.637,
        "wide": 0.636,
        "wide-ensemble": 0.659,
        "resnet34": 0.66,
    }


def test_study_accuracy_is_that_of_its_own_protocol():
    assert tables.study_accuracy(STUDY_MODELS) == {
        "study-shallow": 0.62,
        "study-shallow-ensemble": 0.637,
        "study-wide": 0.636,
    }
    assert tables.study_accuracy(OFFICIAL_MODELS) == {}


def test_markdown_rows():
    rows = results({"study-6": STUDY_MODELS}, "study-6")
    assert rows["study-shallow"] == ["≈ 62.0", "65.1 (63.6–66.6)", "+3.1 ▲", "58.7", "4.3", "10,000", "3,737"]
    assert rows["study-shallow-ensemble"][:3] == ["63.7", "61.0 (59.5–62.5)", "-2.7 ▼"]
    assert rows["study-wide"][:3] == ["≈ 63.6", "64.0 (62.5–65.5)", "+0.4"]
    assert rows["study-wide"][5] == "900"
    assert rows["study-resnet34-ensemble"][:3] == ["—", "67.9 (66.4–69.4)", "—"]
    assert rows["ensemble"][:3] == ["—", "70.0 (68.5–71.5)", "—"]


def test_official_reports_have_no_figures_of_the_study():
    reports = {"study-6": STUDY_MODELS, "official-6": OFFICIAL_MODELS, "official-7": OFFICIAL_MODELS}
    for report in ("official-6", "official-7"):
        rows = results(reports, report)
        assert list(rows) == list(OFFICIAL_MODELS)
        assert all((row[0], row[2]) == ("—", "—") for row in rows.values())
    assert results(reports, "study-6")["study-shallow"][2] == "+3.1 ▲"


def test_markdown_rows_have_the_same_number_of_cells():
    rows = rows_of(tables.results_markdown({"study-6": STUDY_MODELS, "official-6": OFFICIAL_MODELS}))
    assert {len(row) for row in rows} == {9}
    assert rows[0][:2] == ["report", "model"]
    assert {cell.strip("-:") for cell in rows[1]} == {""}


@pytest.mark.parametrize(
    ("accuracy", "low", "high", "expected"),
    [
        (0.637, 0.62, 0.65, "+0.0"),
        (0.6368, 0.62, 0.65, "+0.0"),
        (0.63, 0.62, 0.637, "-0.7"),
        (0.63, 0.62, 0.6369, "-0.7 ▼"),
        (0.645, 0.637, 0.65, "+0.8"),
        (0.645, 0.6371, 0.65, "+0.8 ▲"),
    ],
)
def test_delta_is_marked_outside_the_interval_alone(accuracy, low, high, expected):
    rows = results({"study-6": {"study-shallow-ensemble": record(accuracy, low, high)}}, "study-6")
    assert rows["study-shallow-ensemble"][2] == expected


def test_terminal_table_shows_the_same_in_80_columns():
    reports = {"study-6": STUDY_MODELS, "official-6": OFFICIAL_MODELS}
    text = render(reports)
    assert max(map(len, text.splitlines())) <= 80
    assert "…" not in text
    titles = [line.strip() for line in text.splitlines() if "test faces" in line]
    assert titles == ["study-6, 3,737 test faces", "official-6, 3,737 test faces"]
    shown = [line.split() for line in text.splitlines()]
    for report in reports:
        for name, row in results(reports, report).items():
            assert [name, *" ".join(row[:-1]).split()] in shown  # in one line, uncut


def test_terminal_table_without_comparison_hides_the_study():
    text = render({"study-6": STUDY_MODELS}, comparable=False)
    assert "Not the study's data and classes" in text
    assert not set("≈▲▼Δ") & set(text.replace("Δ", "", 1))  # but for the heading
    assert "62.0" not in text


def test_terminal_table_is_drawn_on_ascii_terminals():
    lines = render({"official-6": OFFICIAL_MODELS}, encoding="ascii").splitlines()
    assert set(lines[2]) <= set("-+ ")  # a rule
    assert [line.split()[0] for line in lines[3:8]] == list(OFFICIAL_MODELS)


def with_weights(models):
    """Records with the weights of their runs: all single models are in the ensemble."""
    single = {name.removesuffix("-ensemble"): 1.0 for name in models if name != "ensemble"}
    runs = {name: {name.removesuffix("-ensemble"): 1.0} for name in models} | {"ensemble": single}
    return {name: entry | {"weights": runs[name]} for name, entry in models.items()}


def summary(study=STUDY_MODELS, official=OFFICIAL_MODELS, core_minutes=None):
    """The rows of the README's table by model, without the marks of bold type."""
    study, official = with_weights(study), with_weights(official)
    header, rule, *rows = rows_of(tables.summary_markdown(study, official, core_minutes or {}))
    assert {len(row) for row in (header, rule, *rows)} == {6}
    return {row[0].strip("*"): row[1:] for row in rows}


def test_summary_has_one_row_per_network():
    rows = summary()
    assert list(rows) == [*tables.STUDY, "small-original", "ensemble"]
    assert rows["shallow"][:3] == ["≈ 62.0", "65.1 (63.6–66.6)", "60.0 (58.5–61.5)"]
    assert rows["shallow-ensemble"][:3] == ["63.7", "61.0 (59.5–62.5)", "62.0 (60.5–63.5)"]
    assert rows["wide"][:3] == ["≈ 63.6", "64.0 (62.5–65.5)", "—"]
    assert rows["small-original"][:3] == ["—", "—", "66.0 (64.5–67.5)"]
    assert rows["ensemble"][:3] == ["—", "70.0 (68.5–71.5)", "71.2 (69.7–72.7)"]


def test_summary_keeps_figures_of_untrained_networks():
    rows = summary()
    assert rows["resnet34"] == ["≈ 66.0", "—", "—", "—", "—"]
    assert rows["wide-ensemble"] == ["65.9", "—", "—", "—", "—"]
    trained = summary(official=OFFICIAL_MODELS | {"resnet34": record(0.65)})
    assert trained["resnet34"][:3] == ["≈ 66.0", "—", "65.0 (63.5–66.5)"]


def test_summary_shows_size_of_both_protocols():
    study = {
        "study-shallow": record(0.6, parameters=675_000),
        "study-shallow-ensemble": record(0.6, parameters=9_000_000),
    }
    official = {"shallow": record(0.6, parameters=676_000), "shallow-ensemble": record(0.6, parameters=3_000_000)}
    rows = summary(study, official)
    assert rows["shallow"][3] == "2.7"  # the same to one decimal
    assert rows["shallow-ensemble"][3] == "36.0 / 12.0"


def test_summary_adds_up_core_minutes_of_both_trainings():
    rows = summary(core_minutes={"study-shallow": 30.4, "shallow": 12, "small-original": 700.6, "unknown": 1})
    assert rows["shallow"][4] == "30 + 12"
    assert rows["small-original"][4] == "701"
    assert rows["wide"][4] == "—"
    assert rows["ensemble"][4] == "—"  # not all runs of the study's are known


CARD = {
    "title": "a wide convolutional network of 0.5 million parameters",
    "run": "wide",
    "members": [{"run": "wide", "snapshot": 5500}, {"run": "small", "snapshot": 20000}],
    "protocol": "official",
    "preprocessing": {"crop": "centered"},
    "views": {"mirror": True, "shift": 0.0, "scale": 0.0, "rotation": 9.0},
    "model": {"file": "model.onnx", "variant": "int8", "bytes": 1_234_567, "sha256": "0123456789abcdef" * 4},
    "variants": {
        "fp32": {"bytes": 4_000_000, "validation_accuracy": 0.6, "accuracy": 0.61234, "max_difference": 1.2e-6},
        "int8": {"bytes": 1_234_567, "validation_accuracy": 0.5987, "accuracy": 0.61, "max_difference": 0.034},
    },
    "temperature": 1.2345,
    "confidence_threshold": 0.4321,
    "metrics": record(0.6123, 0.6, 0.625, recall={"angry": 0.5, "disgust": None}),
}


def test_served_model_is_described_with_its_figures():
    rows = {row[0]: row[1:] for row in rows_of(tables.served_markdown(CARD))}
    (network,) = rows["network"]
    assert network.startswith("a wide convolutional network of 0.5 million parameters: ")
    assert network.endswith(": run `wide`, snapshot 5,500, run `small`, snapshot 20,000")
    assert rows["input"] == ["centered faces, averaged over views: mirror, rotation 9"]
    assert rows["file"] == ["`model.onnx`, int8, 1,234,567 bytes, sha256 `0123456789abcdef…`"]
    assert rows["accuracy"] == ["61.2 (60.0–62.5), with its 95% interval, on 3,737 test faces"]
    assert rows["macro-F1"] == ["58.7%"]
    assert rows["expected calibration error"] == ["4.3%, temperature 1.23"]
    assert rows["shown as uncertain"] == ["confidence below 43.2%"]
    assert (rows["angry"], rows["disgust"]) == (["50.0%"], ["—"])
    assert rows["fp32"] == ["4,000,000", "60.00%", "61.23%", "1.2e-06"]
    assert rows["int8"] == ["1,234,567", "59.87%", "61.00%", "3.4e-02"]


def test_served_model_has_three_separate_tables():
    blocks = [block.splitlines() for block in tables.served_markdown(CARD).strip().split("\n\n")]
    assert [len(rows_of("\n".join(block))[0]) for block in blocks] == [2, 2, 5]
    for block in blocks:
        assert len({line.count("|") for line in block}) == 1


BEGIN, END = "<!-- results:begin -->", "<!-- results:end -->"
DOCUMENT = f"# Results\n\n{BEGIN}\nold\n{END}\n\nMore.\n"


def test_replacing_a_block_keeps_the_rest(tmp_path):
    path = tmp_path / "README.md"
    path.write_text(DOCUMENT, encoding="utf-8")
    table = tables.results_markdown({"study-6": STUDY_MODELS})
    tables.replace_block(path, "results", table)
    first = path.read_bytes()
    assert first.decode() == f"# Results\n\n{BEGIN}\n\n{table.strip()}\n\n{END}\n\nMore.\n"
    tables.replace_block(path, "results", table)
    assert path.read_bytes() == first


def test_replaces_the_named_block_alone(tmp_path):
    path = tmp_path / "README.md"
    other = DOCUMENT.replace("results", "served")
    path.write_text(DOCUMENT + other, encoding="utf-8")
    tables.replace_block(path, "results", "new")
    assert path.read_text(encoding="utf-8") == DOCUMENT.replace("\nold\n", "\n\nnew\n\n") + other
    tables.replace_block(path, "served", "newer")
    assert path.read_text(encoding="utf-8").count("new") == 2


@pytest.mark.parametrize(
    "document",
    [
        "nothing",
        f"{BEGIN} only",
        f"only {END}",
        f"{END} {BEGIN}",
        DOCUMENT + DOCUMENT,
        DOCUMENT + END,
        END + DOCUMENT,
        BEGIN + DOCUMENT,
        DOCUMENT.replace("results", "served"),
    ],
)
def test_rejects_document_without_both_marks_once(document, tmp_path):
    path = tmp_path / "README.md"
    path.write_text(document, encoding="utf-8")
    with pytest.raises(
        UserError, match=rf"README\.md must have the line {BEGIN} once, followed by the line {END} once"
    ):
        tables.replace_block(path, "results", "table")
    assert path.read_text(encoding="utf-8") == document


def test_rejects_missing_document(tmp_path):
    with pytest.raises(UserError, match=r"absent\.md is missing"):
        tables.replace_block(tmp_path / "absent.md", "results", "table")


@pytest.mark.parametrize(
    ("change", "classes", "expected"),
    [
        ({}, SIX, True),
        ({"dataset": "synthetic"}, SIX, False),
        ({"md5": "0" * 32}, SIX, False),
        ({}, NAMES, False),
    ],
)
def test_compares_fer2013_without_disgust_alone(change, classes, expected):
    download = load_params(ROOT / "params.yaml").download.model_copy(update=change)
    assert tables.is_comparable(download, classes) is expected


@pytest.mark.parametrize(
    ("change", "title"),
    [
        ({}, "FER2013"),
        ({"md5": "0" * 32}, "its own data set"),
        ({"dataset": "folder"}, "its own data set"),
        ({"dataset": "synthetic"}, "synthetic faces"),
    ],
)
def test_says_in_words_what_a_network_learned_from(change, title):
    download = load_params(ROOT / "params.yaml").download.model_copy(update=change)
    assert tables.title_of_data(download) == title
