"""The stage `export`, in a directory with the faces, the network and the report that it reads."""

import hashlib
import json
from pathlib import Path

import numpy as np
import pytest

from facial_expression.emotions import NAMES
from facial_expression.networks import title_of
from facial_expression.probabilities import renormalize
from facial_expression.training import snapshots
from helpers.onnx_networks import CLASSES, build_example, draw_faces, run_onnx
from helpers.stage_project import run_stage, write_faces, write_params

REPORT = Path("reports/official-6")
RUNS = {
    "shallow": {"network": {"module": "shallow"}},
    "wide": {"network": {"module": "wide"}, "input": "centered"},
    "small": {"network": {"module": "resnet"}, "input": "centered"},
    "small-original": {"network": {"module": "resnet"}, "input": "decoded"},
}
VALIDATION_ACCURACY = {"shallow": 0.5, "wide": 0.6, "small": 0.4, "small-original": 0.7}


def write_report(directory):
    """What the export reads of a report: `wide` is the best run that can be served."""
    records = {}
    for number, (run, accuracy) in enumerate(VALIDATION_ACCURACY.items(), start=1):
        for name, gain in ((run, 0), (f"{run}-ensemble", 0.3)):
            snapshots_of_run = {run: [100 * number]}
            records[name] = {"validation_accuracy": accuracy + gain, "temperature": 1.5, "snapshots": snapshots_of_run}
    directory.mkdir(parents=True)
    (directory / "models.json").write_text(json.dumps(records))


def make_project(directory):
    """Everything that the stage reads, with two trained networks; return the directory and the networks."""
    write_params(directory, RUNS, export_runs=["wide", "small-original"])
    images = draw_faces(63)
    # Too small for the networks, if shown to them, as a whole and as other crops.
    for name in ("filtered", "aligned", "decoded"):
        write_faces(directory / "data" / name, images[:, ::2, ::2])
    write_faces(directory / "data/centered", images)
    networks = []
    for seed, (name, iteration) in enumerate({"wide": 200, "small-original": 400}.items()):
        model = directory / "models/official" / name
        model.mkdir(parents=True)
        network = build_example("wide", seed, classes=len(NAMES))
        about = {"protocol": "official", "input": RUNS[name]["input"], "network": {"module": "wide"}}
        about |= {"classes": list(NAMES), "recipe": {"seed": seed}, "runtime": {"backend": "jax"}}
        snapshots.write_description(model, network, about)
        snapshots.write_snapshot(model, network, iteration)
        networks.append(network)
    write_report(directory / REPORT)
    return directory, networks


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    """A project, its networks, and what two runs of the stage printed and wrote.

    Equal constants of these networks swap names between the hash seeds 0 and 3.
    """
    directory, networks = make_project(tmp_path_factory.mktemp("project"))
    printed, written = [], []
    for variables in ({"PYTHONHASHSEED": "0"}, {"PYTHONHASHSEED": "3", "PYTHONIOENCODING": "ascii"}):
        finished = run_stage(directory, "export", **variables)
        assert finished.returncode == 0, finished.stderr
        printed.append(finished.stdout)
        folders = (directory / "models/serving", directory / "models/variants")
        written.append({path.name: path.read_bytes() for folder in folders for path in folder.iterdir()})
    return directory, networks, printed, written


def test_writes_the_same_bytes_in_every_process(exported):
    *_, written = exported
    assert sorted(written[0]) == ["card.json", "fp16.onnx", "fp32.onnx", "int8.onnx", "model.onnx"]
    assert written[0] == written[1]


def test_prints_the_variants_in_any_encoding(exported):
    *_, printed, _ = exported
    for text in printed:
        assert "exporting models/official/wide, snapshot 200" in text
        assert "exporting models/official/small-original, snapshot 400" in text
        assert [name for name in ("fp32", "fp16", "int8") if f"{name} is served" in text]
    assert printed[1].isascii()


def test_card_describes_the_served_networks(exported):
    directory, networks, _, written = exported
    card = json.loads(written[0]["card.json"])
    assert (card["run"], card["protocol"]) == ("wide + small-original", "official")
    titles = title_of(networks[0], "wide"), title_of(networks[1], "resnet")
    assert card["title"] == f"the average of 2 networks, {' and '.join(titles)}"
    members = [(member["run"], member["snapshot"], member["input"]) for member in card["members"]]
    assert members == [("wide", 200, "centered"), ("small-original", 400, "decoded")]
    assert (card["classes"], card["trained_classes"]) == (list(CLASSES), list(NAMES))
    assert card["views"] == {"mirror": True, "shift": 0.0, "scale": 0.08, "rotation": 0.0}
    assert card["preprocessing"]["crop"] == "centered"
    names = ("centered/images.npy", "decoded/images.npy", "filtered/faces.csv")
    hashes = {name: hashlib.sha256((directory / "data" / name).read_bytes()).hexdigest() for name in names}
    assert card["data"] == {name: {"sha256": digest} for name, digest in hashes.items()}


def test_served_file_is_the_chosen_variant(exported):
    *_, written = exported
    card = json.loads(written[0]["card.json"])
    served = written[0][f"{card['model']['variant']}.onnx"]
    assert written[0]["model.onnx"] == served
    assert card["model"]["bytes"] == len(served)
    assert card["model"]["sha256"] == hashlib.sha256(served).hexdigest()


def test_metrics_are_those_of_the_served_file(exported):
    *_, written = exported
    card = json.loads(written[0]["card.json"])
    for name in ("accuracy", "validation_accuracy"):
        assert card["metrics"][name] == pytest.approx(card["model"][name], abs=1e-6)
    assert card["metrics"]["temperature"] == card["temperature"] != 1.0
    assert card["metrics"]["n"] == 18  # 21 test faces, of which 3 show disgust
    assert list(card["metrics"]["recall"]) == list(CLASSES)


def test_exports_the_probabilities_of_the_report_classes(exported):
    directory, networks, *_ = exported
    images, kept = draw_faces(10), [NAMES.index(name) for name in CLASSES]
    expected = np.mean([renormalize(snapshots.predict(network, images), kept) for network in networks], axis=0)
    np.testing.assert_allclose(run_onnx(directory / "models/variants/fp32.onnx", images), expected, atol=1e-5)


def fail(directory):
    """The last line of the stage's failure, after which nothing has been written."""
    finished = run_stage(directory, "export")
    assert finished.returncode == 1
    assert "Traceback" not in finished.stderr
    assert not (directory / "models/serving").exists()
    assert not (directory / "models/variants").exists()
    return finished.stderr.splitlines()[-1]


def test_missing_report_names_the_command_that_writes_it(tmp_path):
    write_params(tmp_path, RUNS)
    expected = f"export: {REPORT / 'models.json'} is missing: run `dvc repro evaluate@official-6`"
    assert fail(tmp_path) == expected


def test_report_without_a_run_that_can_be_served_is_named(tmp_path):
    write_params(tmp_path, {"small-original": RUNS["small-original"]})
    for name in ("filtered", "centered"):
        write_faces(tmp_path / "data" / name, draw_faces(63))
    write_report(tmp_path / REPORT)
    assert "can be served: add a run with the input export.input" in fail(tmp_path)
