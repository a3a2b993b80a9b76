"""The stage `evaluate`, in a directory with the faces and predictions that it reads."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from facial_expression.emotions import NAMES
from facial_expression.evaluation.predictions import Predictions, write_predictions
from facial_expression.files import sha256
from helpers.stage_project import run_stage, write_faces, write_params

RUNS = ("shallow", "small-original")
VARIANTS = {
    "small-seed-2": {"variant_of": "small-original", "seed": 2},
    "small-half": {"variant_of": "small-original", "share": 0.5},
}
MODELS = ["shallow", "shallow-ensemble", "small-original", "small-original-ensemble", "ensemble"]
REPORT = Path("reports/official-6")


def write_run(directory: Path, name: str, faces: pd.DataFrame, seed: int, parameters: int) -> None:
    """Predictions of four snapshots, better than chance, and a history."""
    random = np.random.default_rng(seed)
    rows, probabilities = {}, {}
    for part in ("validation", "test"):
        of_part = faces[faces["official"] == part]
        rows[part] = of_part["row"].to_numpy()
        logits = random.normal(size=(4, 2, len(of_part), len(NAMES)))
        logits += 1.5 * np.eye(len(NAMES))[of_part["emotion"].map(NAMES.index)]
        probabilities[part] = (np.exp(logits) / np.exp(logits).sum(axis=-1, keepdims=True)).astype(np.float32)
    iterations = (1000, 2000, 3000, 4000)
    predictions = Predictions(iterations, rows, probabilities, parameters)
    write_predictions(directory / f"data/predictions/official/{name}.npz", predictions)
    history = {"iteration": iterations, "loss": 1.5, "accuracy": 0.4, "validation_loss": 1.4}
    path = directory / f"reports/history/official/{name}.csv"
    path.parent.mkdir(parents=True, exist_ok=True)
    pd.DataFrame(history | {"validation_accuracy": 0.5}).to_csv(path, index=False)


@pytest.fixture
def project(tmp_path):
    write_params(tmp_path, {name: {} for name in RUNS} | VARIANTS)
    faces = write_faces(tmp_path / "data/filtered", np.zeros((630, 4, 4), np.uint8))
    for seed, name in enumerate([*RUNS, *VARIANTS]):
        write_run(tmp_path, name, faces, seed, parameters=1000 * (seed + 1))
    return tmp_path


def read_json(path):
    return json.loads(path.read_text())


def hashes(directory):
    return {str(path.relative_to(directory)): sha256(path) for path in directory.rglob("*") if path.is_file()}


def test_writes_the_report_with_the_same_bytes(project):
    finished = run_stage(project, "evaluate", "official-6")
    assert finished.returncode == 0, finished.stderr
    report = project / REPORT
    written = hashes(report)
    figures = {f"figures/{name}.png" for name in ("accuracy", "confusion", "learning_curves", "recall")}
    metrics = {f"metrics/{name}.json" for name in MODELS}
    assert set(written) == {"models.json", "variants.json", "comparisons.csv", "predictions.csv", *metrics, *figures}
    models = read_json(report / "models.json")
    assert list(models) == MODELS
    for name, model in models.items():
        expected = {key: model[key] for key in ("accuracy", "macro_f1", "ece")}
        compared = read_json(report / "metrics" / f"{name}.json")
        assert compared == expected | {"low": model["accuracy_low"], "high": model["accuracy_high"]}
        assert model["n"] == 180  # 210 test faces, of which 30 show disgust
        assert "disgust" not in model["recall"]
    assert models["ensemble"]["snapshots"] == {name: [2000, 3000, 4000] for name in RUNS}
    assert models["ensemble"]["parameters"] == 3 * (1000 + 2000)
    predictions = pd.read_csv(report / "predictions.csv")
    assert (predictions["ensemble"] == predictions["emotion"]).mean() == pytest.approx(
        models["ensemble"]["accuracy"], abs=1e-6
    )
    for name in MODELS:  # uncut, in 80 columns
        assert any(line.split()[:1] == [name] for line in finished.stdout.splitlines())
    assert max(map(len, finished.stdout.splitlines())) <= 80
    assert run_stage(project, "evaluate", "official-6").returncode == 0
    assert hashes(report) == written


def test_variants_stand_apart(project):
    run_stage(project, "evaluate", "official-6")
    variants = read_json(project / REPORT / "variants.json")
    assert list(variants) == ["small-seed-2", "small-seed-2-ensemble", "small-half", "small-half-ensemble"]
    assert [one["variant_of"] for one in variants.values()] == ["small-original", "small-original-ensemble"] * 2
    assert [(one["what"], one["training_faces"]) for one in variants.values()] == [("seed", 210)] * 2 + [
        ("share", 105)
    ] * 2
    predictions = pd.read_csv(project / REPORT / "predictions.csv")
    for name, variant in variants.items():
        assert (predictions[name] == predictions["emotion"]).mean() == pytest.approx(variant["accuracy"], abs=1e-6)
        assert not (project / REPORT / "metrics" / f"{name}.json").exists()


def test_output_in_ascii_does_not_fail_the_stage(project):
    finished = run_stage(project, "evaluate", "official-6", PYTHONIOENCODING="ascii")
    assert finished.returncode == 0, finished.stderr
    assert finished.stdout.isascii()
    assert "small-original-ensemble" in finished.stdout
    assert list(read_json(project / REPORT / "models.json")) == MODELS


def fail(project, *words):
    """The one line with which the stage fails."""
    finished = run_stage(project, "evaluate", *words)
    assert finished.returncode == 1
    assert not (project / REPORT).exists()
    (line,) = finished.stderr.splitlines()
    return line


def test_unknown_report_names_those_that_exist(project):
    expected = "evaluate: evaluate in params.yaml has no report 'official', but study-6, official-6, official-7"
    assert fail(project, "official") == expected


def test_missing_predictions_name_the_file(project):
    path = Path("data/predictions/official/small-original.npz")
    (project / path).unlink()
    assert fail(project, "official-6") == f"evaluate: {path} is missing: run `dvc repro` to predict"


def test_protocol_without_runs_is_named(project):
    assert "has no run of the protocol study, which study-6 evaluates" in fail(project, "study-6")
