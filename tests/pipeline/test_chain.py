"""The whole chain on a small drawn sample: real `dvc repro`, in copies of the project, interrupted and not."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from ruamel.yaml import YAML

from facial_expression import snapshots
from facial_expression.facetable import read_face_table
from facial_expression.predictions import read_predictions
from facial_expression.recognizer import Recognizer
from tools.demo import make_copy

OVERRIDES = YAML(typ="safe").load(Path(__file__).with_name("chain_params.yaml"))
CONTENDERS = [
    *("shallow", "shallow_ensemble", "wide", "wide_ensemble"),
    *("resnet10", "resnet10_ensemble", "resnet", "resnet_ensemble"),
    *("preactivation", "preactivation_ensemble", "uncropped", "uncropped_ensemble"),
    "ensemble",
]


def dvc(copy: Path, *words: str, **options) -> subprocess.CompletedProcess:
    command = [sys.executable, "-m", "dvc", *words]
    result = subprocess.run(command, cwd=copy, env=environment(), capture_output=True, text=True, **options)
    assert result.returncode == 0, f"dvc {' '.join(words)}\n{result.stdout[-3000:]}\n{result.stderr[-3000:]}"
    return result


def environment() -> dict[str, str]:
    """The environment of a user who activated this python: stages are started as `python -m ...`."""
    return {
        **os.environ,
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "DVC_NO_ANALYTICS": "1",
        "PYTHONUNBUFFERED": "1",
    }


@pytest.fixture(scope="module")
def chain(tmp_path_factory) -> Path:
    """A copy of the project in which the chain has run once."""
    copy = tmp_path_factory.mktemp("chain") / "project"
    make_copy(copy, OVERRIDES)
    dvc(copy, "repro")
    return copy


@pytest.mark.parametrize(
    ("report", "protocol", "dropped"),
    [("published", "published", ["disgust"]), ("official", "official", ["disgust"]), ("seven", "official", [])],
)
def test_every_contender_is_scored(chain, report, protocol, dropped):
    metrics = json.loads((chain / "reports" / report / "metrics.json").read_text())
    assert list(metrics) == CONTENDERS
    table = read_face_table(chain / "data/filtered").without(dropped)
    for entry in metrics.values():
        assert 0 <= entry["accuracy_low"] <= entry["accuracy"] <= entry["accuracy_high"] <= 1
        assert entry["n"] == (table.faces[protocol] == "test").sum()
        assert list(entry["recall"]) == list(table.classes)
    predictions = pd.read_csv(chain / "reports" / report / "predictions.csv")
    for name, entry in metrics.items():
        assert (predictions[name] == predictions["emotion"]).mean() == pytest.approx(entry["accuracy"], abs=1e-6)


def test_sample_reaches_every_branch(chain):
    dataset = json.loads((chain / "reports/dataset.json").read_text())
    table = read_face_table(chain / "data/filtered")
    assert 0 < dataset["detected_first_pass"] < dataset["detected"] < dataset["images"]
    assert dataset["duplicate_groups"] > 0
    assert dataset["conflicting_groups"] > 0
    assert min(dataset["leaked_rows_as_distributed"].values()) > 0
    assert dataset["leaked_test_rows"]["official"] == 0
    assert set(table.faces["official"]) == {"training", "validation", "test", "none"}
    assert "disgust" not in table.under("published").classes
    assert "disgust" in table.under("official").classes


def test_exported_network_is_described(chain):
    card = json.loads((chain / "models/serving/card.json").read_text())
    assert card["classes"] == [name for name in read_face_table(chain / "data/filtered").classes if name != "disgust"]
    assert (chain / "models/serving/model.onnx").stat().st_size == card["model"]["bytes"]
    assert {path.name for path in (chain / "models/variants").iterdir()} == {"fp32.onnx", "fp16.onnx", "int8.onnx"}


def test_recognizer_gives_the_probabilities_of_the_evaluation(chain, tmp_path):
    """From the same picture, by detection, cropping and the exported network, all that serving does."""
    card = json.loads((chain / "models/serving/card.json").read_text())
    (tmp_path / "card.json").write_text(json.dumps(card | {"model": {"file": "fp32.onnx", **card["variants"]["fp32"]}}))
    shutil.copy(chain / "models/variants/fp32.onnx", tmp_path)
    recognizer = Recognizer.load(tmp_path)
    decoded, faces = read_face_table(chain / "data/decoded"), read_face_table(chain / "data/filtered").faces
    found = set(faces.loc[faces["detected"], "row"])
    predictions = pd.read_csv(chain / "reports/official/predictions.csv")
    predictions = predictions[predictions["row"].isin(found)]
    assert len(predictions) > 30
    columns = [f"{card['family']}_{name}" for name in card["classes"]]
    for row, expected in zip(predictions["row"], predictions[columns].to_numpy(), strict=True):
        face = recognizer.recognize(decoded.images[row])[0]
        np.testing.assert_allclose(list(face.probabilities.values()), expected, atol=2e-4)


@pytest.mark.parametrize(
    ("protocol", "family", "pictures"),
    [
        ("published", "preactivation", "aligned"),
        ("official", "preactivation", "framed"),
        ("official", "uncropped", "decoded"),
    ],
)
def test_a_network_sees_the_pictures_that_its_recipe_names(chain, protocol, family, pictures):
    """What it answered, and how well it did while training, follows from these pictures alone."""
    model = chain / "models" / protocol / family
    network = snapshots.load_network(model)
    snapshots.load_snapshot(network, model, 2)
    shown = read_face_table(chain / "data" / pictures).images
    predictions = read_predictions(chain / "data/predictions" / protocol / f"{family}.npz")
    answers = snapshots.predict(network, shown[predictions.rows["test"]])
    np.testing.assert_allclose(predictions.probabilities["test"][0, 0], answers, atol=1e-5)

    description = snapshots.read_description(model)
    assert description["recipe"]["pictures"] == pictures
    smoothing, count = description["recipe"]["label_smoothing"], len(description["classes"])
    part = read_face_table(chain / "data/filtered").under(protocol).part(protocol, "validation")
    targets = (1 - smoothing) * np.eye(count)[part.labels] + smoothing / count
    answers = np.maximum(snapshots.predict(network, shown[part.rows]), 1e-7)  # as Keras does, lest a loss be infinite
    loss = -(targets * np.log(answers)).sum(axis=1).mean()
    history = pd.read_csv(chain / "reports" / protocol / f"history_{family}.csv")
    assert history["validation_loss"].iloc[-1] == pytest.approx(loss, abs=1e-4)


@pytest.mark.parametrize(("protocol", "stem_pool"), [("published", True), ("official", False)])
def test_a_network_is_built_as_its_recipe_says(chain, protocol, stem_pool):
    for family in ("resnet10", "resnet"):
        layers = [layer.name for layer in snapshots.load_network(chain / "models" / protocol / family).layers]
        assert ("stem_pool" in layers) == stem_pool


def test_framed_faces_are_the_decoded_ones_moved_and_scaled(chain):
    decoded, framed = (read_face_table(chain / "data" / name) for name in ("decoded", "framed"))
    missed = ~framed.faces["detected"].to_numpy()
    assert 0 < missed.sum() < len(framed)
    np.testing.assert_array_equal(framed.images[missed], decoded.images[missed])
    assert (framed.images[~missed] != decoded.images[~missed]).any(axis=(1, 2)).mean() > 0.9


def test_figures_are_pictures(chain):
    figures = sorted((chain / "reports/official/figures").iterdir())
    assert {"accuracy.png", "learning_curves.png", "recall.png"} <= {path.name for path in figures}
    assert all(path.read_bytes().startswith(b"\x89PNG") for path in figures)


def test_a_second_repro_changes_nothing(chain):
    assert "Data and pipelines are up to date" in dvc(chain, "repro").stdout


def test_dvc_shows_metrics_and_plots(chain):
    shown = dvc(chain, "metrics", "show", "--md").stdout
    assert "ensemble.accuracy" in shown
    assert "duplicate_groups" in shown
    page = dvc(chain, "plots", "show", "--out", "plots").stdout
    html = Path(page.strip().removeprefix("file://")).read_text()
    assert "official protocol, shallow network, loss" in html
    assert "report published, ensemble" in html
    assert "report seven, ensemble" in html


def test_dvc_compares_metrics_with_the_last_commit(chain):
    git = ["git", "-c", "user.name=test", "-c", "user.email=test@example.org"]
    subprocess.run([*git, "add", "--all"], cwd=chain, check=True)
    subprocess.run([*git, "commit", "--quiet", "-m", "run"], cwd=chain, check=True)
    path = chain / "reports/official/metrics.json"
    original = path.read_text()
    metrics = json.loads(original)
    metrics["ensemble"]["accuracy"] = 1.5
    path.write_text(json.dumps(metrics))
    changed = dvc(chain, "metrics", "diff", "--md").stdout
    path.write_text(original)
    assert "ensemble.accuracy" in changed
    assert "wide.accuracy" not in changed


def test_killed_in_align_and_in_training_then_completed_with_the_same_bytes(chain, tmp_path):
    """A second run of everything in another directory, so the lock also shows that nothing depends on chance."""
    copy = tmp_path / "project"
    make_copy(copy, OVERRIDES)
    kill_in_stage(copy, "stages.align")
    assert not (copy / "data/aligned").exists()
    kill_in_stage(copy, "stages.train_wide", copy / ".checkpoints/published/wide/snapshots")
    assert not (copy / "models/published/wide").exists()
    dvc(copy, "repro")
    assert (copy / "dvc.lock").read_bytes() == (chain / "dvc.lock").read_bytes()


def test_a_wrong_parameter_stops_the_stage_and_names_the_key(tmp_path):
    copy = tmp_path / "project"
    make_copy(copy, {"download": {"synthetic_face": 10}})
    result = subprocess.run(
        [sys.executable, "-m", "dvc", "repro", "download"], cwd=copy, env=environment(), capture_output=True, text=True
    )
    assert result.returncode != 0
    assert "download.synthetic_face: unknown key" in result.stderr
    assert not (copy / "data/raw/fer2013.csv").exists()


def kill_in_stage(copy: Path, module: str, sign: Path | None = None) -> None:
    """Run the chain and kill -9 all of it when the stage ``module`` is at work, or when its ``sign`` appears."""
    process = subprocess.Popen(
        [sys.executable, "-m", "dvc", "repro"],
        cwd=copy,
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    started = any(line.startswith(">") and module in line for line in process.stdout)
    assert started, f"{module} was never started"
    time.sleep(1)
    while sign and not sign.exists() and process.poll() is None:
        time.sleep(0.05)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    process.stdout.close()
