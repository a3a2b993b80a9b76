"""What continuous integration runs: its workflows, and the report on a pull request."""

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from helpers.project import ROOT, environment, git

WORKFLOWS = sorted((ROOT / ".github/workflows").glob("*.yml"))
ENSEMBLE = "reports/official-6/metrics/ensemble.json"
FIGURE = "reports/official-6/figures/accuracy.png"


def make_targets() -> set[str]:
    return set(re.findall("^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_workflow_pins_actions_and_grants_little(path):
    text = path.read_text()
    assert re.findall(r"uses: (.+)", text) == re.findall(r"uses: ([\w/-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+)", text)
    workflow = YAML(typ="safe").load(text)
    assert workflow["permissions"] == {}
    for job in workflow["jobs"].values():
        assert "${{" not in "".join(step.get("run", "") for step in job["steps"])  # no text of others in scripts
        assert job["timeout-minutes"]


def test_workflows_run_targets_that_exist():
    called = {
        word
        for path in WORKFLOWS
        for line in re.findall(r"\bmake ([a-z .-]+)", path.read_text())
        for word in line.split()
        if word.isalpha()
    }
    assert called
    assert called <= make_targets()


def test_both_zizmor_and_actionlint_find_nothing():
    zizmor = Path(sys.executable).with_name("zizmor")
    subprocess.run([zizmor, "--offline", "--quiet", ".github"], cwd=ROOT, check=True)
    if not shutil.which("actionlint"):
        pytest.skip("actionlint is not installed; zizmor finds nothing")
    subprocess.run(["actionlint"], cwd=ROOT, check=True)


@pytest.fixture
def branch(tmp_path) -> Path:
    """A clone with a branch of one commit, which changes a metric, a parameter and a figure."""
    if not (ROOT / ".git").exists():
        pytest.skip("no git repository to clone")
    clone = tmp_path / "clone"
    git(tmp_path, "clone", "--quiet", str(ROOT), str(clone))
    git(clone, "branch", "base")
    metrics = json.loads((clone / ENSEMBLE).read_text())
    (clone / ENSEMBLE).write_text(json.dumps(metrics | {"accuracy": metrics["accuracy"] + 0.01}))
    params = (clone / "params.yaml").read_text()
    assert "learning_rate: 0.0005" in params
    (clone / "params.yaml").write_text(params.replace("learning_rate: 0.0005", "learning_rate: 0.0007"))
    shutil.copy(clone / "reports/official-6/figures/recall.png", clone / FIGURE)
    git(clone, "commit", "--quiet", "--all", "--message", "Learn faster")
    return clone


def report(clone: Path, **variables: str) -> str:
    command = [sys.executable, str(ROOT / "tools/pull_request_report.py"), "base"]
    inherited = {name: value for name, value in environment().items() if not name.startswith("GITHUB_")}
    result = subprocess.run(command, cwd=clone, env=inherited | variables, capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    return result.stdout


def rows(markdown: str) -> list[list[str]]:
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in markdown.splitlines() if "|" in line]


def test_report_lists_metrics_params_and_figures(branch):
    shown = report(branch, GITHUB_SERVER_URL="https://example.org", GITHUB_REPOSITORY="owner/project")
    accuracy = json.loads((branch / ENSEMBLE).read_text())["accuracy"]
    assert ["Path", "Metric", "before", "after", "Change"] in rows(shown)
    (changed,) = [row for row in rows(shown) if row[0] == ENSEMBLE]
    assert changed[1] == "accuracy"
    assert [float(cell) for cell in changed[2:]] == pytest.approx([accuracy - 0.01, accuracy, 0.01], abs=1e-5)
    assert ["params.yaml", "recipes.study.learning_rate", "0.0005", "0.0007"] in rows(shown)
    commits = [git(branch, "rev-parse", name).strip() for name in ("base", "HEAD")]
    assert re.findall(r"!\[\w+\]\((.+?)\)", shown) == [
        f"https://example.org/owner/project/blob/{commit}/{FIGURE}?raw=true" for commit in commits
    ]


def test_report_without_differences_says_so(branch):
    git(branch, "commit", "--quiet", "--allow-empty", "--message", "Nothing")
    git(branch, "branch", "--force", "base", "HEAD~1")
    assert report(branch).count("No difference.") == 3


def test_report_compares_with_where_the_branch_began(branch):
    """What others have merged since is not of this branch."""
    git(branch, "checkout", "--quiet", "base")
    (branch / "README.md").write_text("another")
    shutil.copy(branch / FIGURE, branch / "reports/official-6/figures/recall.png")
    git(branch, "commit", "--quiet", "--all", "--message", "Another branch")
    git(branch, "checkout", "--quiet", "-")
    assert "recall.png" not in report(branch)
