"""The whole pipeline on a small synthetic sample: real `dvc repro`, in copies of the project, interrupted and not."""

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

from facial_expression.data.face_table import read_face_table
from facial_expression.evaluation.predictions import read_predictions
from facial_expression.params import load_params
from facial_expression.recognizer import Recognizer
from facial_expression.training import snapshots
from facial_expression.views import Views
from helpers.project import dvc, environment, git, try_dvc
from stages._stage import LOCK_COPY
from tools.demo import commit, make_copy

ROOT = Path(__file__).parents[2]
OVERRIDES = YAML(typ="safe").load(Path(__file__).with_name("chain_params.yaml"))
PARAMS = load_params(ROOT / "params.yaml")
RUNS = {name: run for name, run in PARAMS.all_runs.items() if not run.variant_of}
VARIANT = "half-shallow"


@pytest.fixture(scope="module")
def chain(tmp_path_factory) -> Path:
    """A copy of the project in which the pipeline has run once and was committed."""
    copy = tmp_path_factory.mktemp("chain") / "project"
    make_copy(copy, OVERRIDES)
    shown = dvc(copy, "repro")
    commit(copy, "run")
    (copy / ".git" / "stderr").write_text(shown.stderr)
    return copy


def test_variant_is_evaluated_apart(chain):
    variants = json.loads((chain / "reports/official-6/variants.json").read_text())
    assert list(variants) == [VARIANT, f"{VARIANT}-ensemble"]
    training = (read_face_table(chain / "data/filtered").faces["official"] == "training").sum()
    assert variants[VARIANT]["training_faces"] == pytest.approx(training / 2, abs=len(PARAMS.classes))
    description = json.loads((chain / f"models/official/{VARIANT}/training.json").read_text())
    assert description["faces"]["training"] == variants[VARIANT]["training_faces"]
    assert list((chain / f"reports/probes/{VARIANT}").iterdir()) == [chain / f"reports/probes/{VARIANT}/probe.json"]


@pytest.mark.parametrize("report", PARAMS.evaluate)
def test_evaluates_every_model(chain, report):
    settings = PARAMS.evaluate[report]
    models = json.loads((chain / "reports" / report / "models.json").read_text())
    runs = PARAMS.runs_of(settings.protocol)
    assert list(models) == [*(name for run in runs for name in (run, f"{run}-ensemble")), "ensemble"]
    table = read_face_table(chain / "data/filtered").drop_classes(settings.drop)
    for model in models.values():
        assert 0 <= model["accuracy_low"] <= model["accuracy"] <= model["accuracy_high"] <= 1
        assert model["n"] == (table.faces[settings.protocol] == "test").sum()
        assert list(model["recall"]) == list(table.classes)
    predictions = pd.read_csv(chain / "reports" / report / "predictions.csv")
    for name, model in models.items():
        assert (predictions[name] == predictions["emotion"]).mean() == pytest.approx(model["accuracy"], abs=1e-6)
        compared = json.loads((chain / "reports" / report / "metrics" / f"{name}.json").read_text())
        assert (compared["accuracy"], compared["low"]) == (model["accuracy"], model["accuracy_low"])


def test_sample_reaches_every_branch(chain):
    dataset = json.loads((chain / "reports/dataset.json").read_text())
    table = read_face_table(chain / "data/filtered")
    assert 0 < dataset["detected_first_pass"] < dataset["detected"] < dataset["images"]
    assert dataset["duplicate_groups"] > 0
    assert dataset["conflicting_groups"] > 0
    assert min(dataset["leaked_rows_as_distributed"].values()) > 0
    assert dataset["leaked_test_rows"]["official"] == 0
    assert set(table.faces["official"]) == {"training", "validation", "test", "none"}
    assert "disgust" not in table.of_protocol("study").classes
    assert "disgust" in table.of_protocol("official").classes


def test_last_stage_copied_the_lock_that_dvc_had_read(chain):
    copied = YAML(typ="safe").load((chain / LOCK_COPY).read_text())["stages"]
    recorded = YAML(typ="safe").load((chain / "dvc.lock").read_text())["stages"]
    assert len(recorded.keys() - copied.keys()) <= 1  # the one that ran last


def test_describes_the_exported_model(chain):
    card = json.loads((chain / "models/serving/card.json").read_text())
    assert card["classes"] == [name for name in read_face_table(chain / "data/filtered").classes if name != "disgust"]
    assert (chain / "models/serving/model.onnx").stat().st_size == card["model"]["bytes"]
    assert {path.name for path in (chain / "models/variants").iterdir()} == {"fp32.onnx", "fp16.onnx", "int8.onnx"}
    (member,) = card["members"]
    run = RUNS[member["run"]]
    assert card["preprocessing"]["crop"] == run.input != "decoded"
    assert card["title"].endswith("million parameters")
    assert member["network"] == {"module": run.network.module, **run.network.arguments}


def test_probe_of_the_served_file_finds_what_its_card_says(chain):
    card = json.loads((chain / "models/serving/card.json").read_text())
    served = json.loads((chain / "reports/analysis/official-6.json").read_text())["served"]
    assert served["uncertain"]["threshold"] == card["confidence_threshold"]
    assert served["calibration"]["temperature"] == card["temperature"]
    found = sum(row[number] for number, row in enumerate(served["confusion"])) / card["metrics"]["n"]
    assert found == pytest.approx(card["metrics"]["accuracy"], abs=1e-6)


def test_recognizer_gives_the_evaluated_probabilities(chain, tmp_path):
    """From the same picture, by detection, cropping and the exported network, as in serving."""
    card = json.loads((chain / "models/serving/card.json").read_text())
    model = json.loads((chain / "reports/official-6/models.json").read_text())[card["run"]]
    changes = {"model": {"file": "fp32.onnx", **card["variants"]["fp32"]}, "temperature": model["temperature"]}
    (tmp_path / "card.json").write_text(json.dumps(card | changes))
    shutil.copy(chain / "models/variants/fp32.onnx", tmp_path)
    recognizer = Recognizer.load(tmp_path)
    decoded, faces = read_face_table(chain / "data/decoded"), read_face_table(chain / "data/filtered").faces
    found = set(faces.loc[faces["detected"], "row"])
    predictions = pd.read_csv(chain / "reports/official-6/predictions.csv")
    predictions = predictions[predictions["row"].isin(found)]
    assert len(predictions) > 30
    columns = [f"{card['run']}_{name}" for name in card["classes"]]
    for row, expected in zip(predictions["row"], predictions[columns].to_numpy(), strict=True):
        face = recognizer.recognize(decoded.images[row])[0]
        np.testing.assert_allclose(list(face.probabilities.values()), expected, atol=2e-4)


@pytest.mark.parametrize("name", RUNS)
def test_network_sees_the_input_of_its_run(chain, name):
    """Its predictions, and its validation loss, follow from these images alone."""
    run = RUNS[name]
    model = chain / "models" / run.protocol / name
    predictions = read_predictions(chain / "data/predictions" / run.protocol / f"{name}.npz")
    network = snapshots.load_network(model)
    snapshots.load_snapshot(network, model, predictions.iterations[-1])
    images = read_face_table(chain / "data" / run.input).images
    expected = snapshots.predict(network, images[predictions.rows["test"]])
    np.testing.assert_allclose(predictions.probabilities["test"][-1, 0], expected, atol=1e-5)
    views = Views(**PARAMS.prediction_of(run.protocol).views.model_dump())
    assert predictions.probabilities["test"].shape[:2] == (len(predictions.iterations), views.count)

    history = pd.read_csv(chain / "reports/history" / run.protocol / f"{name}.csv")
    best = json.loads((chain / "reports/validation" / f"{name}.json").read_text())
    assert best["validation"] == pytest.approx(history["validation_accuracy"].max(), abs=1e-6)
    if run.recipe.moving_average:
        return  # snapshots hold the averaged weights, the history is about the current ones

    description = snapshots.read_description(model)
    smoothing, count = description["recipe"].get("label_smoothing", 0.0), len(description["classes"])
    part = read_face_table(chain / "data/filtered").of_protocol(run.protocol).subset(run.protocol, "validation")
    targets = (1 - smoothing) * np.eye(count)[part.labels] + smoothing / count
    probabilities = np.maximum(snapshots.predict(network, images[part.rows]), 1e-7)  # as Keras clips them
    loss = -(targets * np.log(probabilities)).sum(axis=1).mean()
    assert history["validation_loss"].iloc[-1] == pytest.approx(loss, abs=1e-4)


def test_centers_detected_faces_and_keeps_missed_ones(chain):
    decoded, centered = (read_face_table(chain / "data" / name) for name in ("decoded", "centered"))
    missed = ~centered.faces["detected"].to_numpy()
    assert 0 < missed.sum() < len(centered)
    np.testing.assert_array_equal(centered.images[missed], decoded.images[missed])
    assert (centered.images[~missed] != decoded.images[~missed]).any(axis=(1, 2)).mean() > 0.9


def test_terminal_shows_no_start_up_noise(chain):
    shown = (chain / ".git" / "stderr").read_text()
    assert not [line for line in shown.splitlines() if "oneDNN" in line or "absl" in line or "cpu_feature" in line]


@pytest.mark.parametrize("targets", [(), ("train_wide@wide",), ("evaluate@official-6",)])
def test_second_repro_changes_nothing(chain, targets):
    assert "Data and pipelines are up to date" in dvc(chain, "repro", *targets).stdout


def test_metrics_fit_a_terminal_of_120_columns(chain):
    shown = dvc(chain, "metrics", "show").stdout.splitlines()
    assert len(shown) > 20
    assert max(len(line.rstrip()) for line in shown) <= 120
    assert any("official-6" in line and "ensemble.json" in line for line in shown)


def test_plots_open_as_a_page(chain):
    page = dvc(chain, "plots", "show", "--out", "plots").stdout
    html = Path(page.strip().splitlines()[-1].removeprefix("file://")).read_text()
    shutil.rmtree(chain / "plots")
    assert "validation_accuracy" in html
    assert "accuracy.png" in html


def test_metrics_diff_lists_what_changed_only(chain):
    path = chain / "reports/official-6/metrics/ensemble.json"
    original = path.read_text()
    path.write_text(json.dumps(json.loads(original) | {"accuracy": 0.9}))
    changed = dvc(chain, "metrics", "diff", "--md").stdout
    path.write_text(original)
    rows = [line for line in changed.splitlines() if ".json" in line]
    assert len(rows) == 1
    assert "ensemble.json" in rows[0]


@pytest.fixture(scope="module")
def slower(chain) -> str:
    """The name of an experiment that ran in a temporary copy."""
    rate = "recipes.short.learning_rate=0.0001"
    dvc(chain, "exp", "run", "--temp", "--name", "slower", "-S", rate, "train_shallow@shallow")
    return "slower"


def test_experiment_runs_in_a_committed_copy(chain, slower):
    """Searching compares validation figures; the columns are few, and the workspace stays as it was."""
    everything = dvc(chain, "exp", "show", "--csv").stdout
    assert "reports/validation/shallow.json:validation" in everything.splitlines()[0]
    changed = dvc(chain, "exp", "show", "--only-changed", "--csv").stdout
    assert slower in changed
    assert "recipes.short.learning_rate" in changed.splitlines()[0]
    assert len(changed.splitlines()[0].split(",")) <= 10
    assert git(chain, "status", "--porcelain") == ""


def test_applied_experiment_can_be_undone(chain, slower):
    """As docs/experiments.md says."""
    run = "train_shallow@shallow"
    dvc(chain, "exp", "apply", slower)
    assert load_params(chain / "params.yaml").recipes["short"].learning_rate == 0.0001
    assert "up to date" in dvc(chain, "status", run).stdout
    git(chain, "restore", "params.yaml", "dvc.lock", "reports")
    dvc(chain, "checkout")
    assert git(chain, "status", "--porcelain") == ""
    assert "up to date" in dvc(chain, "status", run).stdout


def test_several_runs_train_at_once_and_are_recorded(chain, tmp_path):
    """Without DVC, which then takes up the finished trainings instead of training again."""
    copy = tmp_path / "project"
    shutil.copytree(chain, copy, symlinks=True)
    text = (copy / "params.yaml").read_text()
    assert "learning_rate: 0.001" in text
    (copy / "params.yaml").write_text(text.replace("learning_rate: 0.001", "learning_rate: 0.002"))
    command = [sys.executable, "-m", "tools.train", "shallow", "wide", "small", "--jobs", "2"]
    result = subprocess.run(command, cwd=copy, env=environment(), capture_output=True, text=True)
    assert result.returncode == 0, result.stdout[-3000:] + result.stderr[-3000:]
    assert "train_resnet@small is up to date" in result.stdout
    for run in ("shallow", "wide"):
        assert "trained already" not in (copy / f".checkpoints/logs/{run}.log").read_text()
    assert result.stdout.count("trained already: to train again, delete .checkpoints/official/") == 2
    status = dvc(copy, "status", "train_shallow@shallow", "train_wide@wide").stdout
    assert "up to date" in status


def test_killed_pipeline_completes_with_the_same_bytes(chain, tmp_path):
    """A second run of everything in another directory, so the lock also shows that nothing depends on chance."""
    copy = tmp_path / "project"
    make_copy(copy, OVERRIDES)
    kill_in_stage(copy, "stages.align")
    assert not (copy / "data/aligned").exists()
    kill_in_stage(copy, "stages.train_wide", copy / ".checkpoints/study/study-wide/snapshots")
    assert not (copy / "models/study/study-wide").exists()
    dvc(copy, "repro")
    assert (copy / "dvc.lock").read_bytes() == (chain / "dvc.lock").read_bytes()


def test_wrong_parameter_stops_the_stage_in_one_line(tmp_path):
    copy = tmp_path / "project"
    make_copy(copy, {"download": {"synthetic_face": 10}})
    result = try_dvc(copy, "repro", "download")
    assert result.returncode != 0
    assert "download.synthetic_face: unknown key" in result.stderr
    assert "Traceback" not in result.stderr
    assert not (copy / "data/raw/fer2013.csv").exists()


def kill_in_stage(copy: Path, module: str, sign: Path | None = None) -> None:
    """Run the pipeline and kill -9 all of it when the stage ``module`` is at work, or when its ``sign`` appears."""
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
