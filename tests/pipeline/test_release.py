"""The served model: in every clone, to be had from outside without account or remote, and nothing to train for it."""

import hashlib
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from helpers.project import ROOT, dvc, environment, git, python
from tools.screenshot import BROWSERS, find_chromium, launch_chromium


@pytest.fixture(scope="module")
def clone(tmp_path_factory) -> Path:
    """A clone of the last commit with an empty cache, and a tag for a version of the model."""
    if not (ROOT / ".git").exists():
        pytest.skip("no git repository to clone")
    directory = tmp_path_factory.mktemp("release")
    git(directory, "clone", "--quiet", str(ROOT), "clone")
    git(directory / "clone", "tag", "--annotate", "--message", "The served classifier", "classifier@v9.0.0")
    return directory / "clone"


def digests(directory: Path) -> dict[str, str]:
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in sorted(directory.iterdir())}


def test_clone_holds_the_model_that_the_card_describes(clone):
    card = json.loads((clone / "models/serving/card.json").read_text())
    content = (clone / "models/serving/model.onnx").read_bytes()
    assert hashlib.sha256(content).hexdigest() == card["model"]["sha256"]
    assert len(content) <= 45_000_000
    reports = [json.loads(path.read_text()) for path in (clone / "reports").glob("*/models.json")]
    for member in card["members"]:
        run = member["run"]
        models = next(one for one in reports if run in one and list(one[run]["recall"]) == card["classes"])
        assert models[run]["snapshots"] == {run: [member["snapshot"]]}
        assert models[run]["n"] == card["metrics"]["n"]
        assert card["metrics"]["accuracy"] > models[run]["accuracy"] - 0.01
    assert card["run"].split(" + ") == [member["run"] for member in card["members"]]
    for key in ("accuracy", "validation_accuracy"):
        assert card["metrics"][key] == pytest.approx(card["model"][key], abs=1e-6)
    assert card["metrics"]["temperature"] == card["temperature"]


@pytest.mark.parametrize(
    "words",
    [("get", "{url}", "models/serving"), ("artifacts", "get", "{url}", "classifier")],
    ids=["get", "artifacts get"],
)
def test_git_url_gives_the_model(clone, tmp_path, words):
    dvc(tmp_path, *(word.format(url=clone.as_uri()) for word in words), "--out", "classifier")
    assert digests(tmp_path / "classifier") == digests(clone / "models/serving")


def test_other_project_imports_the_model(clone, tmp_path):
    git(tmp_path, "init", "--quiet")
    dvc(tmp_path, "init", "--quiet")
    dvc(tmp_path, "import", clone.as_uri(), "models/serving", "--out", "classifier")
    assert digests(tmp_path / "classifier") == digests(clone / "models/serving")
    assert "up to date" in dvc(tmp_path, "status").stdout


def test_python_reads_the_card_from_a_git_url(clone, tmp_path):
    read = f"import dvc.api; print(dvc.api.read('models/serving/card.json', repo={clone.as_uri()!r}))"
    assert json.loads(python(tmp_path, "-c", read)) == json.loads((clone / "models/serving/card.json").read_text())


def test_plots_show_opens_without_another_host(clone, tmp_path):
    shown = dvc(clone, "plots", "show", "--out", str(tmp_path / "plots"))
    assert "fail" not in shown.stdout + shown.stderr
    page = tmp_path / "plots" / "index.html"
    assert not re.findall(r"""(?:src|href)=["']?(?:https?:)?//[^"' >]+""", page.read_text())
    chromium = find_chromium()
    if chromium is None:
        pytest.skip(f"none of {', '.join(BROWSERS)} is on the PATH")
    with launch_chromium(chromium) as browser:
        tab = browser.new_context(offline=True).new_page()
        tab.goto(page.as_uri())
        runs = list((clone / "reports" / "history").glob("*/*.csv"))
        tab.locator("canvas").nth(len(runs) - 1).wait_for()
        assert tab.locator("canvas").count() == len(runs)
        figures = tab.locator("img").evaluate_all("images => images.map((image) => image.naturalWidth)")
        files = [*(clone / "reports").glob("*/figures/*.png"), *(clone / "reports/figures").glob("*.svg")]
        assert len(figures) == len(files)
        assert min(figures) > 100


def test_metrics_fit_a_terminal_of_120_columns(clone):
    assert max(len(line.rstrip()) for line in dvc(clone, "metrics", "show").stdout.splitlines()) <= 120


def test_exchanged_emotion_codes_are_noticed(clone):
    path = clone / "facial_expression/emotions.py"
    original = path.read_text()
    path.write_text(original.replace('"angry", 0', '"angry", 1').replace('"disgust", 1', '"disgust", 0'))
    status = json.loads(dvc(clone, "status", "--json").stdout)
    path.write_text(original)
    changed = {name.partition("@")[0] for name, entries in status.items() if "emotions.py': 'modified" in str(entries)}
    assert changed == set(YAML(typ="safe").load(clone / "dvc.yaml")["stages"])


def test_readme_without_the_card_says_what_to_do(clone):
    card = clone / "models/serving/card.json"
    card.rename(clone / "card.json")
    command = [sys.executable, "-m", "tools.update_readme"]
    result = subprocess.run(command, cwd=clone, env=environment(), capture_output=True, text=True)
    (clone / "card.json").rename(card)
    assert result.returncode == 1
    assert result.stderr == "readme: models/serving/card.json is missing: run `git checkout models/serving`\n"


def test_trains_nothing_where_everything_is_pinned(clone):
    result = dvc(clone, "repro", "--pull", "--allow-missing")
    assert "Running stage" not in result.stdout
    assert git(clone, "status", "--porcelain") == ""
