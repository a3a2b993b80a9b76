"""Exported networks: the same probabilities and the same bytes, from the best network to what is served."""

import hashlib
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import onnx
import onnxruntime
import pandas as pd
import pytest

from facial_expression import exporting, snapshots
from facial_expression.emotions import NAMES
from facial_expression.ensembling import condition
from facial_expression.facetable import FaceTable, write_face_table
from facial_expression.networks import resnet34, shallow, wide
from facial_expression.params import load_params
from facial_expression.protocols import PARTS
from facial_expression.synthetic import draw_face

ROOT = Path(__file__).parents[1]
CLASSES = ("angry", "fear", "happy", "sad", "surprise", "neutral")


def random_faces(count, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (count, 48, 48), dtype=np.uint8)


def drawn_faces(count):
    generator = np.random.default_rng(0)
    return np.stack([draw_face(NAMES[number % len(NAMES)], generator) for number in range(count)])


def build_narrow_resnet(classes):
    """ResNet-34 with all its layers but few filters, which converts in a second, not in fifteen."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(resnet34, "FILTERS", tuple(filters // 8 for filters in resnet34.FILTERS))
        network = resnet34.build(classes)
    for _ in range(30):  # Without running means of its own, one class gets everything and any export looks right.
        network(random_faces(16)[..., None], training=True)
    return network


BUILDS = {"shallow": shallow.build, "wide": wide.build, "resnet": build_narrow_resnet}


def build(name, seed=1, classes=CLASSES):
    keras.utils.set_random_seed(seed)
    return BUILDS[name](len(classes))


def run(path, images):
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    return session.run(["probabilities"], {"pixels": images[..., None].astype(np.float32)})[0]


@pytest.fixture(scope="module", params=BUILDS)
def exported(request, tmp_path_factory):
    network, path = build(request.param), tmp_path_factory.mktemp(request.param) / "model.onnx"
    exporting.export_onnx(network, path, opset=17)
    return network, path


@pytest.fixture(scope="module")
def exported_shallow(tmp_path_factory):
    network, path = build("shallow"), tmp_path_factory.mktemp("card") / "model.onnx"
    exporting.export_onnx(network, path, opset=17)
    return network, path


@pytest.mark.parametrize("faces", [random_faces, drawn_faces])
def test_same_probabilities_as_keras(exported, faces):
    network, path = exported
    images = faces(40)
    expected = snapshots.predict(network, images)
    assert expected.max() < 0.999  # else all networks agree
    np.testing.assert_allclose(run(path, images), expected, atol=1e-5)
    assert exporting.largest_difference(network, path, images) == np.abs(run(path, images) - expected).max()


def test_answer_is_given_in_batches_and_for_mirror_images_too(exported):
    _, path = exported
    images = drawn_faces(7)
    np.testing.assert_allclose(exporting.answer(path, images, batch_size=3), run(path, images), atol=1e-6)
    both = (run(path, images) + run(path, images[:, :, ::-1])) / 2
    np.testing.assert_allclose(exporting.answer(path, images, flip=True), both, atol=1e-6)


def test_any_number_of_faces(exported):
    _, path = exported
    images = drawn_faces(7)
    seven, one = run(path, images), run(path, images[:1])
    assert seven.shape == (7, len(CLASSES))
    assert one.shape == (1, len(CLASSES))
    assert seven.dtype == np.float32
    np.testing.assert_allclose(seven.sum(axis=1), 1, atol=1e-5)
    np.testing.assert_allclose(one, seven[:1], atol=1e-5)


def test_interface_says_what_goes_in_and_out(exported):
    network, path = exported
    model = onnx.load(path)
    onnx.checker.check_model(model, full_check=True)
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    (pixels,), (probabilities,) = session.get_inputs(), session.get_outputs()
    assert (pixels.name, pixels.shape, pixels.type) == ("pixels", ["faces", 48, 48, 1], "tensor(float)")
    assert (probabilities.name, probabilities.shape) == ("probabilities", ["faces", len(CLASSES)])
    assert model.graph.name == network.name


@pytest.mark.parametrize("opset", [13, 18])
def test_writes_the_opset_that_was_asked_for(tmp_path, opset):
    network = build("wide")
    exporting.export_onnx(network, tmp_path / "model.onnx", opset)
    assert [entry.version for entry in onnx.load(tmp_path / "model.onnx").opset_import] == [opset]
    exporting.largest_difference(network, tmp_path / "model.onnx", random_faces(5))


def test_unknown_opset_is_an_error_and_leaves_no_file(tmp_path):
    with pytest.raises(ValueError, match="99"):
        exporting.export_onnx(build("wide"), tmp_path / "model.onnx", opset=99)
    assert not list(tmp_path.iterdir())


def test_another_conversion_in_between_changes_no_byte(exported, tmp_path):
    network, path = exported
    for number in range(2):
        exporting.export_onnx(network, tmp_path / f"{number}.onnx", opset=17)
        assert (tmp_path / f"{number}.onnx").read_bytes() == path.read_bytes()


@pytest.mark.parametrize("backend", ["jax", "torch"])
def test_another_backend_is_an_error_that_says_what_to_do(monkeypatch, tmp_path, exported_shallow, backend):
    monkeypatch.setattr(keras.backend, "backend", lambda: backend)
    with pytest.raises(RuntimeError, match=f"tensorflow backend, not {backend}.*KERAS_BACKEND=tensorflow"):
        exporting.export_onnx(exported_shallow[0], tmp_path / "model.onnx", opset=17)


def test_another_networks_file_is_an_error(exported_shallow):
    with pytest.raises(ValueError, match=r"off by 0\.\d+, more than 0\.0001"):
        exporting.largest_difference(build("shallow", seed=2), exported_shallow[1], random_faces(5))


def test_what_is_not_a_number_is_an_error(exported_shallow):
    network = build("shallow")
    network.get_layer("probabilities").bias.assign(np.full(len(CLASSES), np.nan))
    with pytest.raises(ValueError, match="off by nan"):
        exporting.largest_difference(network, exported_shallow[1], random_faces(5))


def evaluation(validation_accuracy, accuracy=None):
    """Metrics and selection as evaluate writes them; ensembles are better than all, and of one snapshot each."""
    iterations = {family: 100 * number for number, family in enumerate(validation_accuracy, start=1)}
    metrics, selection = {}, {}
    for family, iteration in iterations.items():
        for name, gain in ((family, 0), (f"{family}_ensemble", 0.3)):
            metrics[name] = {
                "accuracy": (accuracy or validation_accuracy)[family],
                "temperature": 1.5,
                "validation_accuracy": validation_accuracy[family] + gain,
            }
            selection[name] = {"snapshots": {family: [iteration]}, "weights": {family: 1.0}}
    metrics["ensemble"] = {"accuracy": 0.99, "validation_accuracy": 0.99}
    selection["ensemble"] = {"snapshots": {family: [iteration] for family, iteration in iterations.items()}}
    return metrics, selection


def test_chooses_by_validation_not_by_test_accuracy():
    metrics, selection = evaluation(
        {"shallow": 0.51, "wide": 0.55, "resnet": 0.53}, {"shallow": 0.6, "wide": 0.4, "resnet": 0.7}
    )
    assert exporting.choose_network(metrics, selection) == ("wide", 200)


def test_chooses_the_first_among_equals():
    metrics, selection = evaluation({"shallow": 0.5, "wide": 0.55, "resnet": 0.55})
    assert exporting.choose_network(metrics, selection) == ("wide", 200)


def test_chooses_none_of_those_that_cannot_be_served():
    metrics, selection = evaluation({"shallow": 0.5, "wide": 0.55, "uncropped": 0.6})
    assert exporting.choose_network(metrics, selection) == ("uncropped", 300)
    assert exporting.choose_network(metrics, selection, excluded=["uncropped"]) == ("wide", 200)
    with pytest.raises(ValueError, match="no single network among shallow, "):
        exporting.choose_network(metrics, selection, excluded=["shallow", "wide", "uncropped"])


def test_reports_of_two_evaluations_are_an_error():
    metrics, selection = evaluation({"shallow": 0.5, "wide": 0.6})
    del selection["wide"]
    with pytest.raises(ValueError, match="not of the same evaluation"):
        exporting.choose_network(metrics, selection)


def test_reports_without_a_single_network_are_an_error():
    metrics, selection = evaluation({"shallow": 0.5})
    with pytest.raises(ValueError, match="no single network among ensemble"):
        exporting.choose_network({"ensemble": metrics["ensemble"]}, {"ensemble": selection["ensemble"]})


def write_table(directory, protocol, images, faces=42):
    """Faces of all classes, a third in each part."""
    names = [NAMES[number % len(NAMES)] for number in range(faces)]
    parts = [PARTS[number // len(NAMES) % len(PARTS)] for number in range(faces)]
    columns = {"row": range(faces), "emotion": names, "usage": "PublicTest", protocol: parts}
    rows = pd.DataFrame(columns | {"detected": [number % 2 == 0 for number in range(faces)]})
    write_face_table(directory, FaceTable(images, rows))


@pytest.fixture
def project(tmp_path):
    """A project after evaluate: only ``wide`` is there, the best that can be served. It sees framed faces."""
    params = load_params(ROOT / "params.yaml")
    protocol = params.export.protocol
    shutil.copy(ROOT / "params.yaml", tmp_path)
    images = drawn_faces(42)
    write_table(tmp_path / "data/filtered", protocol, images[:, ::2, ::2])  # too small for the network, if shown to it
    write_table(tmp_path / "data/framed", protocol, images)
    model, report = tmp_path / "models" / protocol / "wide", tmp_path / "reports" / protocol
    model.mkdir(parents=True)
    network = build("wide", classes=NAMES)
    about = {"protocol": protocol, "recipe": {"seed": 3, "pictures": "framed"}, "runtime": {"backend": "jax"}}
    snapshots.write_description(model, network, {"classes": list(NAMES), **about})
    snapshots.write_snapshot(model, network, 200)
    report.mkdir(parents=True)
    metrics, selection = evaluation({"shallow": 0.5, "wide": 0.6, "resnet": 0.4, "uncropped": 0.7})
    (report / "metrics.json").write_text(json.dumps(metrics))
    (report / "selection.json").write_text(json.dumps(selection))
    return tmp_path, report, network


def export(directory, hash_seed=0):
    """Run the stage in a process of its own; equal constants of this network swap names between seeds 0 and 3."""
    onednn = str(load_params(ROOT / "params.yaml").runtime.onednn)
    words = {"KERAS_BACKEND": "tensorflow", "TF_ENABLE_ONEDNN_OPTS": onednn, "PYTHONHASHSEED": str(hash_seed)}
    command = [sys.executable, "-m", "stages.export"]
    environment = os.environ | words | {"PYTHONPATH": str(ROOT)}
    return subprocess.run(command, cwd=directory, env=environment, capture_output=True, text=True, check=False)


def test_stage_writes_the_best_network_with_the_same_bytes_in_every_process(project):
    directory, _, _ = project
    written = []
    for hash_seed in (0, 3):
        finished = export(directory, hash_seed)
        assert finished.returncode == 0, finished.stderr
        assert "snapshot 200" in finished.stdout
        assert "is served" in finished.stdout
        folders = (directory / "models/serving", directory / "models/variants")
        written.append({path.name: path.read_bytes() for folder in folders for path in folder.iterdir()})
    assert written[0] == written[1]
    assert sorted(written[0]) == ["card.json", "fp16.onnx", "fp32.onnx", "int8.onnx", "model.onnx"]
    card = json.loads(written[0]["card.json"])
    assert (card["family"], card["snapshot"]) == ("wide", 200)
    served, metrics = card["model"], card["metrics"]
    for name in ("accuracy", "validation_accuracy"):  # of the file that is served, not of Keras's network
        assert metrics[name] == pytest.approx(served[name], abs=1e-6)
    assert metrics["temperature"] == 1.5
    assert metrics["n"] == 12
    assert card["classes"] == list(CLASSES)
    assert card["trained_classes"] == list(NAMES)
    assert card["temperature"] == 1.5
    assert card["preprocessing"]["pictures"] == "framed"
    for name, table in {"images.npy": "framed", "faces.csv": "filtered"}.items():
        content = (directory / "data" / table / name).read_bytes()
        assert card["data"][name]["sha256"] == hashlib.sha256(content).hexdigest()
    assert written[0]["model.onnx"] == written[0][f"{card['model']['variant']}.onnx"]


def test_stage_exports_the_answers_for_the_classes_that_count(project):
    directory, _, network = project
    assert export(directory).returncode == 0
    images = drawn_faces(10)
    kept = [NAMES.index(name) for name in CLASSES]
    expected = condition(snapshots.predict(network, images), kept)
    np.testing.assert_allclose(run(directory / "models/variants/fp32.onnx", images), expected, atol=1e-5)


def test_stage_without_reports_names_the_missing_one_and_writes_nothing(project):
    directory, report, _ = project
    (report / "selection.json").unlink()
    finished = export(directory)
    assert finished.returncode == 1
    assert "selection.json is missing: run `dvc repro evaluate`" in finished.stderr.splitlines()[-1]
    assert not (directory / "models/serving").exists()
