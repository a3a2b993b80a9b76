"""The copy of the project in which the demo and the tests of the chain run."""

from pathlib import Path

import pytest

from facial_expression.params import load_params
from tools import demo


@pytest.fixture
def copy(tmp_path) -> Path:
    rate = {"official": {"learning_rate": 1e-05}}
    demo.make_copy(tmp_path / "copy", {"download": {"dataset": "synthetic"}, "train_wide": rate})
    return tmp_path / "copy"


def test_parameters_are_changed_and_stay_valid_with_their_comments(copy):
    original, changed = load_params(demo.ROOT / "params.yaml"), load_params(copy / "params.yaml")
    assert (changed.download.dataset, changed.train_wide.official.learning_rate) == ("synthetic", 1e-05)
    assert changed.train_wide.published == original.train_wide.published
    assert changed.train_shallow == original.train_shallow
    assert "# Every knob of every stage" in (copy / "params.yaml").read_text()


def test_a_second_copy_is_the_project_again_but_keeps_data_and_cache(copy):
    stale = copy / "facial_expression" / "synthetic" / "gone.py"
    kept = [copy / "data" / "raw" / "faces.csv", copy / ".dvc" / "cache" / "object", copy / "dvc.lock"]
    for path in (stale, *kept):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("from an earlier run")
    demo.make_copy(copy, {})
    assert not stale.exists()
    assert all(path.read_text() == "from an earlier run" for path in kept)
    assert load_params(copy / "params.yaml") == load_params(demo.ROOT / "params.yaml")


def test_a_project_without_git_is_an_error_that_says_what_to_do(tmp_path, monkeypatch):
    monkeypatch.setattr(demo, "ROOT", tmp_path)
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    with pytest.raises(SystemExit, match="git init"):
        demo.make_copy(tmp_path / "copy", {})
