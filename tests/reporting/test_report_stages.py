"""The stages `analyze` and `report`: the page says what the files say, and nothing else."""

import json
import re
import shutil
import sys
from html.parser import HTMLParser
from pathlib import Path

import pandas as pd
import pytest
from ruamel.yaml import YAML

from facial_expression.data.face_table import read_face_table
from facial_expression.files import sha256
from facial_expression.reporting.pictures import picture
from helpers.project import ROOT
from helpers.report_project import COUNT, MODELS, REPORT, RUNS, add_variants, make_report_project
from stages import analyze, report

TEMPLATES = ROOT / "facial_expression/reporting/templates"
PAGE, WITH_FACES = Path("reports/report.html"), Path("reports/report-with-faces.html")


class Page(HTMLParser):
    """The tags of a page, and the cells of its tables of models."""

    def __init__(self, text: str):
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []
        self._in = ""
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))
        self._in = tag

    def handle_data(self, data):
        if self._in not in ("style", "script"):
            self.words.append(data)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.words).split())

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.tags if name == tag]


def run(module, directory: Path, *words: str) -> None:
    """A stage in this process."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(directory)
        patch.setattr(sys, "argv", [module.__name__, *words])
        module.main()


def fail(module, directory: Path, *words: str) -> str:
    with pytest.raises(ValueError) as raised:  # noqa: PT011 (a UserError is one)
        run(module, directory, *words)
    return str(raised.value)


def draw(directory: Path) -> Page:
    run(report, directory, "--without-faces")
    return Page((directory / PAGE).read_text())


def change_json(path: Path, **changes) -> None:
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


@pytest.fixture(scope="module")
def analyzed(tmp_path_factory) -> Path:
    directory = tmp_path_factory.mktemp("report")
    make_report_project(directory)
    run(analyze, directory, REPORT)
    return directory


@pytest.fixture
def project(analyzed, tmp_path) -> Path:
    shutil.copytree(analyzed, tmp_path / "project")
    (tmp_path / "project" / PAGE).unlink(missing_ok=True)
    return tmp_path / "project"


@pytest.fixture(scope="module")
def page(analyzed) -> Page:
    return draw(analyzed)


def test_page_shows_the_metrics_of_every_model(analyzed, page):
    records = json.loads((analyzed / "reports" / REPORT / "models.json").read_text())
    assert list(records) == list(MODELS)
    text = (analyzed / PAGE).read_text()
    (table,) = re.findall(f'<table[^>]*data-report="{REPORT}">.*?</table>', text, re.DOTALL)
    served = json.loads((analyzed / "models/serving/card.json").read_text())["metrics"]
    for name, record in (records | {"served": served}).items():
        (row,) = re.findall(f'<tr data-model="{name}">.*?</tr>', table, re.DOTALL)
        values = re.findall('data-value="([^"]*)"', row)
        assert values == ["", str(record["accuracy"]), str(record["macro_f1"])]
        shown = re.sub("<[^>]*>", " ", row).split()
        ends = f"{100 * record['accuracy_low']:.1f}–{100 * record['accuracy_high']:.1f}"
        assert shown[:4] == [name, "—", f"{record['accuracy']:.1%}", ends]


def test_analysis_agrees_with_the_metrics(analyzed):
    records = json.loads((analyzed / "reports" / REPORT / "models.json").read_text())
    analysis = json.loads((analyzed / f"reports/analysis/{REPORT}.json").read_text())
    for name, record in records.items():
        model = analysis["models"][name]
        assert record.items() <= model.items()
        confusion = model["confusion"]
        right = sum(row[number] for number, row in enumerate(confusion))
        assert right / sum(map(sum, confusion)) == pytest.approx(record["accuracy"], abs=1e-6)
        assert model["calibration"]["temperature"] == record["temperature"]
        assert model["calibration"]["after"]["ece"] == pytest.approx(record["ece"], abs=2e-6)
        assert {name: share["value"] for name, share in model["classes"].items()} == record["recall"]
        assert model["groups"]["found"][2]["value"] == record["accuracy_missed"]
        assert model["coverage"][-1]["accuracy"] == record["accuracy"]


def test_served_file_is_analyzed_as_what_it_serves(analyzed):
    analysis = json.loads((analyzed / f"reports/analysis/{REPORT}.json").read_text())
    same = analysis["models"]["small"]  # whose predictions the served file has
    for key in ("accuracy", "confusion", "calibration", "uncertain", "groups"):
        assert analysis["served"][key] == same[key]


def test_summary_names_what_costs_the_served_file_most(project):
    path = project / "reports/probes/served/robustness.csv"
    table = pd.read_csv(path)
    table.loc[table["corruption"] == "noise", "accuracy"] = 0.2
    table.to_csv(path, index=False)
    assert "−30.0 points is what noise of middle strength costs what is served" in draw(project).text


def test_report_that_is_not_exported_has_nothing_served(project):
    yaml = YAML()
    params = yaml.load(project / "params.yaml")
    params["evaluate"]["other"] = params["evaluate"][REPORT]
    yaml.dump(params, project / "params.yaml")
    shutil.copytree(project / "reports" / REPORT, project / "reports/other")
    (project / "data/predictions/served.npz").unlink()
    run(analyze, project, "other")
    assert json.loads((project / "reports/analysis/other.json").read_text())["served"] is None
    assert '<tr data-model="served">' in (draw(project), (project / PAGE).read_text())[1]


def test_crowd_takes_fear_for_surprise(analyzed):
    analysis = json.loads((analyzed / f"reports/analysis/{REPORT}.json").read_text())
    record = analysis["models"]["ensemble"]
    crowd, label = record["crowd"]["crowd"], record["crowd"]["label"]
    assert crowd["n"] == label["n"] == record["n"]
    fear = analysis["classes"].index("fear")
    surprise = analysis["classes"].index("surprise")
    change = record["confusion"][fear][surprise] - record["confusion"][fear][fear]
    assert crowd["value"] == pytest.approx(label["value"] + change / record["n"], abs=1e-6)


def test_no_number_is_typed_by_hand():
    """A digit in a template is part of a name, or a number of the method and none of a result."""
    allowed = ["FER2013", "macro-F1", "95%", "64 bits", "Goodfellow et al., 2013", "80% sure", "65 ± 5%", "crowd.md5"]
    files = sorted(TEMPLATES.rglob("*.html"))
    assert len(files) > 12
    for file in files:
        text = re.sub(
            r"<style>.*?</style>|{{.*?}}|{%.*?%}|<[^>]*>|fer2013new\.csv", " ", file.read_text(), flags=re.DOTALL
        )
        for words in allowed:
            text = text.replace(words, "")
        assert not re.findall(r".{0,20}\d.{0,20}", text), file.name


def test_same_files_give_the_same_bytes(project):
    run(report, project)
    made = [project / PAGE, project / WITH_FACES, *sorted((project / "reports/figures").iterdir())]
    first = {path: sha256(path) for path in made}
    run(report, project)
    assert {path: sha256(path) for path in first} == first
    path = project / f"reports/analysis/{REPORT}.json"
    text = path.read_text()
    run(analyze, project, REPORT)
    assert path.read_text() == text


def test_every_picture_has_a_text_alternative(analyzed, page):
    assert len(page.all("img")) >= 16 + 9
    assert all(len(image["alt"]) > 10 for image in page.all("img"))
    drawings = page.all("svg")
    assert len(drawings) > 20
    assert all(one["role"] == "img" and len(one["aria-label"]) > 30 for one in drawings)
    for path in (analyzed / "reports/figures").iterdir():
        assert "<title>" in path.read_text().split("\n", 2)[1]


def test_page_asks_no_host_and_is_one_file(analyzed, page):
    text = (analyzed / PAGE).read_text()
    assert len(text) < 10_000_000
    assert not re.search(r"(src|href)=\"(?!#|data:)", text)
    assert not re.search(r"url\(\"?(?!\"?data:)|@import|fetch\(|https?:", text)
    assert not page.all("link")


def test_headings_and_links_fit(page):
    names = {attributes["id"] for _, attributes in page.tags if "id" in attributes}
    targets = {link["href"].removeprefix("#") for link in page.all("a")}
    assert targets <= names
    ids = [attributes["id"] for _, attributes in page.tags if "id" in attributes]
    assert len(ids) == len(set(ids))
    assert len(page.all("h1")) == 1
    assert all("scope" in cell for cell in page.all("th"))


def test_edition_for_git_shows_no_picture_of_the_data(project):
    run(report, project)
    images = read_face_table(project / "data/decoded").images
    sources = {picture(image, "", "").source for image in images}
    public, private = ((project / path).read_text() for path in (PAGE, WITH_FACES))
    shown = [{image["src"] for image in Page(text).all("img")} for text in (public, private)]
    assert not shown[0] & sources
    assert len(shown[1] & sources) > 50
    assert "reports/report-with-faces.html" in (ROOT / ".gitignore").read_text()


def test_edition_for_git_needs_no_data(project):
    shutil.rmtree(project / "data")
    assert "How well do these models" in draw(project).text


def test_run_without_a_training_is_named(project):
    shutil.rmtree(project / "reports/probes/small")
    (project / "reports/history/official/small.csv").unlink()
    text = draw(project).text
    assert "Not probed yet: small." in text
    assert "Not trained yet: small." in text


def test_page_without_any_network_says_so(project):
    for name in RUNS:
        shutil.rmtree(project / "reports/probes" / name)
        (project / f"reports/history/official/{name}.csv").unlink()
    text = draw(project).text
    assert "No network is probed yet" in text
    assert "No network is trained yet" in text


def test_absent_crowd_is_said_with_where_to_get_it(project):
    (project / "reports/crowd/agreement.json").write_text("null\n")
    run(analyze, project, REPORT)
    text = draw(project).text
    assert "The labels of FER+ are absent" in text
    assert "github.com/microsoft/FERPlus" in text
    assert "confirmed by ten other people" not in text


def test_pictures_that_alignment_dropped_may_have_near_duplicates(project):
    with (project / "data/near_duplicates.csv").open("a") as pairs:
        pairs.write(f"0,{COUNT + 5},0,1.0\n")
    run(analyze, project, REPORT)


def test_absent_variants_are_said(page):
    assert "No run was trained with a second seed" in page.text
    assert "No run was trained with a part of the training faces" in page.text
    assert "No run was trained without the leaked faces" in page.text


def test_shows_seeds_sizes_and_training_without_leaks(project):
    add_variants(project)
    run(analyze, project, REPORT)
    analysis = json.loads((project / f"reports/analysis/{REPORT}.json").read_text())
    accuracy = analysis["models"]["shallow"]["accuracy"]
    seeds = analysis["seeds"]["shallow"]
    assert (seeds["n"], seeds["accuracies"]) == (2, [accuracy, 0.5])
    assert seeds["mean"] == pytest.approx((accuracy + 0.5) / 2, abs=1e-6)
    sizes = [point["training_faces"] for point in analysis["learning_curve"]["shallow"]]
    assert sizes == [105, 210]  # networks train on all classes, also on those that do not count here
    gain = analysis["unleaked"]["shallow"]
    expected = accuracy - analysis["models"]["small"]["accuracy"]  # whose predictions the variant has
    assert gain["difference"] == pytest.approx(expected, abs=1e-6)
    analysis["seeds"]["shallow-ensemble"] = seeds | {"deviation": 0.0}
    (project / f"reports/analysis/{REPORT}.json").write_text(json.dumps(analysis))
    text = draw(project).text
    apart = 100 * abs(accuracy - 0.5)  # of single networks; of a difference, times the root of two
    assert f"differ in the seed alone are typically {apart:.1f} points apart" in text
    assert "No run was trained with" not in text
    assert "shallow-unleaked" in text
    assert "Not trained yet" not in text  # variants have no curves of their own


def test_class_without_test_faces_is_left_out(tmp_path):
    make_report_project(tmp_path, absent="fear")
    run(analyze, tmp_path, REPORT)
    analysis = json.loads((tmp_path / f"reports/analysis/{REPORT}.json").read_text())
    assert analysis["models"]["ensemble"]["classes"]["fear"] is None
    assert "How well do these models" in draw(tmp_path).text


def test_page_stands_if_no_face_is_found_and_no_answer_sure(tmp_path):
    make_report_project(tmp_path, found=False)
    run(analyze, tmp_path, REPORT)
    path = tmp_path / f"reports/analysis/{REPORT}.json"
    analysis = json.loads(path.read_text())
    assert analysis["found"]["found"] is None
    for record in (*analysis["models"].values(), analysis["served"]):
        record["uncertain"]["answered"] = None
    change_json(path, **analysis)
    text = draw(tmp_path).text
    assert "It is sure of no face." in text
    assert "separate faces that the detector finds" not in text


@pytest.mark.parametrize(
    ("path", "made_by"),
    [
        ("reports/dataset.json", "dvc repro filter_classes"),
        ("reports/analysis/data.json", "dvc repro audit"),
        (f"reports/analysis/{REPORT}.json", f"dvc repro analyze@{REPORT}"),
        ("reports/crowd/agreement.json", "dvc repro crowd"),
        ("reports/probes/small/probe.json", "dvc repro probe_resnet@small"),
        ("reports/probes/small/robustness.csv", "dvc repro probe_resnet@small"),
        ("reports/probes/served/occlusion.csv", "dvc repro probe_served"),
        ("models/serving/card.json", "dvc repro export"),
    ],
)
def test_missing_or_broken_file_is_named(project, path, made_by):
    file = project / path
    file.write_text("" if path.endswith("csv") else "{")
    assert re.match(f"{path} is not .*: run `{made_by}`", fail(report, project), re.DOTALL)
    file.unlink()
    assert fail(report, project) == f"{path} is missing: run `{made_by}`"
    assert not (project / PAGE).exists()


def test_table_without_a_column_is_named(project):
    path = project / "reports/history/official/small.csv"
    pd.read_csv(path).drop(columns="loss").to_csv(path, index=False)
    assert fail(report, project).startswith("reports/history/official/small.csv lacks the column 'loss'")


def test_predictions_without_a_model_are_named(project):
    path = project / "reports" / REPORT / "predictions.csv"
    pd.read_csv(path).drop(columns="small").to_csv(path, index=False)
    expected = f"reports/{REPORT}/predictions.csv lacks the column 'small': run `dvc repro evaluate@{REPORT}`"
    assert fail(analyze, project, REPORT) == expected


def test_figures_are_those_of_the_page(analyzed, page):
    names = {path.stem for path in (analyzed / "reports/figures").iterdir()}
    assert {f"confusion-{REPORT}-{model}" for model in MODELS} <= names
    assert {f"occlusion-{run}" for run in (*RUNS, "served")} <= names
    assert len(names) >= len(page.all("svg"))
