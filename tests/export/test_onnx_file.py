"""ONNX files: the same probabilities as Keras, and the same bytes each time."""

import keras
import numpy as np
import onnx
import onnxruntime
import pytest

from facial_expression.export import onnx_file
from facial_expression.training import snapshots
from facial_expression.views import Views
from helpers.networks import random_faces
from helpers.onnx_networks import CLASSES, NETWORKS, build_example, draw_faces, run_onnx

KEPT = (5, 0, 3)


@pytest.fixture(scope="module", params=NETWORKS)
def exported(request, tmp_path_factory):
    network, path = build_example(request.param), tmp_path_factory.mktemp(request.param) / "model.onnx"
    onnx_file.export_onnx(network, path, opset=17)
    return network, path


@pytest.fixture(scope="module")
def exported_shallow(tmp_path_factory):
    network, path = build_example("shallow"), tmp_path_factory.mktemp("shallow") / "model.onnx"
    onnx_file.export_onnx(network, path, opset=17)
    return network, path


@pytest.mark.parametrize("faces", [lambda count: random_faces(count, 48), draw_faces], ids=["noise", "drawn"])
def test_probabilities_are_those_of_keras(exported, faces):
    network, path = exported
    images = faces(40)
    expected = snapshots.predict(network, images)
    assert expected.max() < 0.999  # else all networks agree
    np.testing.assert_allclose(run_onnx(path, images), expected, atol=1e-5)
    difference = onnx_file.check_difference(network, path, images)
    assert difference == np.abs(run_onnx(path, images) - expected).max()


def test_predicts_in_batches_and_averages_views(exported):
    _, path = exported
    images = draw_faces(7)
    single = onnx_file.predict(path, images, batch_size=3)
    assert single.dtype == np.float32
    np.testing.assert_allclose(single, run_onnx(path, images), atol=1e-6)
    both = (run_onnx(path, images) + run_onnx(path, images[:, :, ::-1])) / 2
    averaged = onnx_file.predict(path, images, views=Views(mirror=True))
    assert averaged.dtype == np.float32
    np.testing.assert_allclose(averaged, both, atol=1e-6)
    assert np.abs(averaged - single).max() > 1e-4


def test_number_of_faces_is_free(exported):
    _, path = exported
    images = draw_faces(7)
    seven, one = run_onnx(path, images), run_onnx(path, images[:1])
    assert seven.shape == (7, len(CLASSES))
    assert one.shape == (1, len(CLASSES))
    assert seven.dtype == np.float32
    np.testing.assert_allclose(seven.sum(axis=1), 1, atol=1e-5)
    np.testing.assert_allclose(one, seven[:1], atol=1e-5)


def test_file_describes_its_input_and_output(exported):
    network, path = exported
    model = onnx.load(path)
    onnx.checker.check_model(model, full_check=True)
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    (pixels,), (probabilities,) = session.get_inputs(), session.get_outputs()
    assert (pixels.name, pixels.shape, pixels.type) == ("pixels", ["faces", 48, 48, 1], "tensor(float)")
    assert (probabilities.name, probabilities.shape) == ("probabilities", ["faces", len(CLASSES)])
    assert model.graph.name == network.name


@pytest.mark.parametrize("opset", [13, 18])
def test_writes_the_requested_opset(tmp_path, opset):
    network = build_example("wide")
    onnx_file.export_onnx(network, tmp_path / "model.onnx", opset)
    assert [entry.version for entry in onnx.load(tmp_path / "model.onnx").opset_import] == [opset]
    onnx_file.check_difference(network, tmp_path / "model.onnx", random_faces(5, 48))


def test_rejects_unknown_opset_and_leaves_no_file(tmp_path):
    with pytest.raises(ValueError, match="99"):
        onnx_file.export_onnx(build_example("wide"), tmp_path / "model.onnx", opset=99)
    assert not list(tmp_path.iterdir())


def test_bytes_do_not_depend_on_other_conversions(exported, tmp_path):
    network, path = exported
    for number in range(2):
        onnx_file.export_onnx(network, tmp_path / f"{number}.onnx", opset=17)
        assert (tmp_path / f"{number}.onnx").read_bytes() == path.read_bytes()


@pytest.mark.parametrize("backend", ["jax", "torch"])
def test_rejects_other_backends(monkeypatch, tmp_path, exported_shallow, backend):
    monkeypatch.setattr(keras.backend, "backend", lambda: backend)
    with pytest.raises(RuntimeError, match=f"exporting needs the tensorflow backend, not {backend}"):
        onnx_file.export_onnx(exported_shallow[0], tmp_path / "model.onnx", opset=17)


def test_rejects_file_of_another_network(exported_shallow):
    with pytest.raises(ValueError, match=r"off by 0\.\d+, more than 0\.0001"):
        onnx_file.check_difference(build_example("shallow", seed=2), exported_shallow[1], random_faces(5, 48))


def test_rejects_difference_that_is_not_a_number(exported_shallow):
    network = build_example("shallow")
    network.get_layer("probabilities").bias.assign(np.full(len(CLASSES), np.nan))
    with pytest.raises(ValueError, match="off by nan"):
        onnx_file.check_difference(network, exported_shallow[1], random_faces(5, 48))
