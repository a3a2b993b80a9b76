"""The pinned network: fetched in a fresh clone without account or network, checked, and nothing to train afterwards."""

import hashlib
import json
import subprocess
import sys
from pathlib import Path

import pytest
from test_chain import dvc, environment

ROOT = Path(__file__).parents[1]


@pytest.fixture
def clone(tmp_path):
    """The last commit, cloned, with a cache of its own that is empty."""
    if not (ROOT / ".git").exists():
        pytest.skip("no git repository to clone")
    subprocess.run(["git", "clone", "--quiet", ROOT, tmp_path / "clone"], check=True)
    return tmp_path / "clone"


def test_pull_brings_the_network_that_the_card_describes(clone):
    dvc(clone, "pull", "models/serving")
    card = json.loads((clone / "models/serving/card.json").read_text())
    content = (clone / "models/serving/model.onnx").read_bytes()
    assert hashlib.sha256(content).hexdigest() == card["model"]["sha256"]
    assert len(content) <= 45_000_000
    metrics = json.loads((clone / "reports" / card["protocol"] / "metrics.json").read_text())
    measured = metrics[card["family"]]
    assert card["variants"]["fp32"]["accuracy"] == pytest.approx(measured["accuracy"], abs=1e-3)
    assert card["metrics"]["accuracy"] == pytest.approx(card["model"]["accuracy"], abs=1e-6)
    assert (card["metrics"]["n"], card["temperature"]) == (measured["n"], measured["temperature"])


def test_release_store_holds_the_served_network_and_nothing_else(clone):
    dvc(clone, "pull", "models/serving")
    stored = sum(path.stat().st_size for path in (clone / "release-store").rglob("*") if path.is_file())
    served = sum(path.stat().st_size for path in (clone / "models/serving").iterdir())
    assert served <= stored < served + 10_000  # a listing of the directory


def test_damaged_store_is_refused(clone):
    (largest,) = sorted((clone / "release-store").rglob("*"), key=lambda path: path.stat().st_size)[-1:]
    largest.chmod(0o644)
    content = bytearray(largest.read_bytes())
    content[len(content) // 2] ^= 1
    largest.write_bytes(content)
    command = [sys.executable, "-m", "dvc", "pull", "models/serving"]
    assert subprocess.run(command, cwd=clone, env=environment(), capture_output=True).returncode != 0
    assert not (clone / "models/serving/model.onnx").exists()


def test_nothing_is_trained_where_everything_is_pinned(clone):
    result = dvc(clone, "repro", "--pull", "--allow-missing")
    assert "Running stage" not in result.stdout
    status = subprocess.run(["git", "status", "--porcelain"], cwd=clone, capture_output=True, text=True, check=True)
    assert status.stdout == ""
