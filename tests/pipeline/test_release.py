"""The pinned model: pulled in a fresh clone without account or network, verified, and nothing to train afterwards."""

import hashlib
import json

import pytest

from helpers.project import ROOT, dvc, git, try_dvc


@pytest.fixture
def clone(tmp_path):
    """A clone of the last commit with an empty cache."""
    if not (ROOT / ".git").exists():
        pytest.skip("no git repository to clone")
    git(tmp_path, "clone", "--quiet", str(ROOT), "clone")
    return tmp_path / "clone"


def test_pull_brings_the_model_that_the_card_describes(clone):
    dvc(clone, "pull", "models/serving")
    card = json.loads((clone / "models/serving/card.json").read_text())
    content = (clone / "models/serving/model.onnx").read_bytes()
    assert hashlib.sha256(content).hexdigest() == card["model"]["sha256"]
    assert len(content) <= 45_000_000
    reports = [json.loads(path.read_text()) for path in (clone / "reports").glob("*/models.json")]
    evaluated = [models[card["run"]] for models in reports if card["run"] in models]
    measured = next(model for model in evaluated if list(model["recall"]) == card["classes"])
    assert card["variants"]["fp32"]["accuracy"] == pytest.approx(measured["accuracy"], abs=1e-3)
    assert card["metrics"]["accuracy"] == pytest.approx(card["model"]["accuracy"], abs=1e-6)
    assert (card["metrics"]["n"], card["temperature"]) == (measured["n"], measured["temperature"])


def test_release_store_holds_the_served_model_alone(clone):
    dvc(clone, "pull", "models/serving")
    stored = sum(path.stat().st_size for path in (clone / "release-store").rglob("*") if path.is_file())
    served = sum(path.stat().st_size for path in (clone / "models/serving").iterdir())
    assert served <= stored < served + 10_000  # a listing of the directory


def test_refuses_a_damaged_store(clone):
    (largest,) = sorted((clone / "release-store").rglob("*"), key=lambda path: path.stat().st_size)[-1:]
    largest.chmod(0o644)
    content = bytearray(largest.read_bytes())
    content[len(content) // 2] ^= 1
    largest.write_bytes(content)
    assert try_dvc(clone, "pull", "models/serving").returncode != 0
    assert not (clone / "models/serving/model.onnx").exists()


def test_trains_nothing_where_everything_is_pinned(clone):
    result = dvc(clone, "repro", "--pull", "--allow-missing")
    assert "Running stage" not in result.stdout
    assert git(clone, "status", "--porcelain") == ""


def test_pulls_in_a_windows_checkout(tmp_path):
    git(tmp_path, "-c", "core.autocrlf=true", "clone", "--quiet", str(ROOT), "clone")
    dvc(tmp_path / "clone", "pull", "models/serving")
    assert "Running stage" not in dvc(tmp_path / "clone", "repro", "--pull", "--allow-missing").stdout
