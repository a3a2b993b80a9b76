"""The copy of the project in which the demo and the tests of the pipeline run."""

import subprocess
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from facial_expression.params import load_params
from tools import demo


@pytest.fixture
def copy(tmp_path) -> Path:
    changes = {"download": {"dataset": "synthetic"}, "recipes": {"short": {"learning_rate": 1e-05}}}
    demo.make_copy(tmp_path / "copy", changes)
    return tmp_path / "copy"


def test_changed_parameters_stay_valid_and_keep_comments(copy):
    original, changed = load_params(demo.ROOT / "params.yaml"), load_params(copy / "params.yaml")
    assert changed.download.dataset == "synthetic"
    assert changed.recipes["short"].learning_rate == 1e-05
    assert changed.recipes["study"] == original.recipes["study"]
    assert list(changed.all_runs) == [name for name, run in original.all_runs.items() if not run.variant_of]
    assert "# All settings." in (copy / "params.yaml").read_text()


def test_demo_parameters_are_valid_and_shorten_every_run(tmp_path):
    demo.make_copy(tmp_path, YAML(typ="safe").load(demo.OVERRIDES))
    runs = load_params(tmp_path / "params.yaml").all_runs
    originals = load_params(demo.ROOT / "params.yaml").all_runs
    for name, run in runs.items():
        assert run.recipe.iterations < originals[name].recipe.iterations / 10


def test_second_copy_keeps_data_and_cache_only(copy):
    stale = copy / "facial_expression" / "data" / "gone.py"
    kept = [copy / "data" / "raw" / "faces.csv", copy / ".dvc" / "cache" / "object", copy / "dvc.lock"]
    for path in (stale, *kept):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("from an earlier run")
    demo.make_copy(copy, {})
    assert not stale.exists()
    assert all(path.read_text() == "from an earlier run" for path in kept)
    original = load_params(demo.ROOT / "params.yaml")
    assert load_params(copy / "params.yaml").recipes == original.recipes


def test_override_of_none_removes_a_run(tmp_path):
    demo.make_copy(tmp_path, {"runs": {"resnet": {"small-original": None}}, "export": {"runs": ["small"]}})
    assert "small-original" not in load_params(tmp_path / "params.yaml").all_runs


def test_demo_is_a_repository_with_a_commit(copy):
    for _ in range(2):  # the second time nothing has changed
        demo.commit(copy, "Run the pipeline")
    log = subprocess.run(["git", "log", "--format=%s"], cwd=copy, capture_output=True, text=True, check=True).stdout
    assert log == "Run the pipeline\n"


def test_project_without_git_says_what_to_do(tmp_path, monkeypatch):
    monkeypatch.setattr(demo, "ROOT", tmp_path)
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    with pytest.raises(SystemExit, match="git init"):
        demo.make_copy(tmp_path / "copy", {})
