"""Variants: how much smaller, how far off, and which one is served."""

import numpy as np
import onnx
import pytest

from facial_expression.data.face_table import LabeledImages
from facial_expression.export import quantize
from facial_expression.export.card import Variant
from facial_expression.files import sha256
from facial_expression.training import snapshots
from facial_expression.views import ONE_VIEW, Views
from helpers.networks import random_faces
from helpers.onnx_networks import CLASSES, NETWORKS, build_example, draw_faces, run_onnx


@pytest.fixture(scope="module", params=NETWORKS)
def written(request, tmp_path_factory):
    network, directory = build_example(request.param), tmp_path_factory.mktemp(request.param)
    quantize.write_variants(network, directory, 17, draw_faces(60), random_faces(5, 48))
    return network, directory


def test_files_have_half_and_a_quarter_of_the_size(written):
    _, directory = written
    sizes = {name: (directory / f"{name}.onnx").stat().st_size for name in ("fp32", "fp16", "int8")}
    assert sizes["fp16"] < 0.55 * sizes["fp32"]
    assert sizes["int8"] < 0.35 * sizes["fp32"]


@pytest.mark.parametrize(("name", "tolerance"), [("fp16", 1e-3), ("int8", 0.05)])
def test_probabilities_are_close_but_not_equal(written, name, tolerance):
    network, directory = written
    images = draw_faces(40)
    difference = np.abs(run_onnx(directory / f"{name}.onnx", images) - snapshots.predict(network, images)).mean()
    assert 1e-6 < difference < tolerance


def test_variants_have_the_same_interface(written):
    _, directory = written
    for name in ("fp16", "int8"):
        model = onnx.load(directory / f"{name}.onnx")
        onnx.checker.check_model(model, full_check=True)
        assert run_onnx(directory / f"{name}.onnx", draw_faces(3)).shape == (3, len(CLASSES))


def test_writes_the_same_bytes_again(written, tmp_path):
    network, directory = written
    quantize.write_variants(network, tmp_path, 17, draw_faces(60), random_faces(5, 48))
    for path in directory.iterdir():
        assert (tmp_path / path.name).read_bytes() == path.read_bytes(), path.name


def test_calibration_faces_set_the_ranges(written, tmp_path):
    _, directory = written
    quantize.quantize(directory / "fp32.onnx", tmp_path / "int8.onnx", np.zeros((10, 48, 48), np.uint8))
    assert (tmp_path / "int8.onnx").read_bytes() != (directory / "int8.onnx").read_bytes()


@pytest.mark.parametrize("views", [ONE_VIEW, Views(mirror=True)])
def test_accuracy_is_measured_on_the_files(written, views):
    network, directory = written
    images = draw_faces(30)
    predicted = [snapshots.predict(network, view) for view in (images, images[:, :, ::-1])[: views.count]]
    right = LabeledImages(images, np.mean(predicted, axis=0).argmax(axis=1), np.arange(30))
    wrong = LabeledImages(images, (right.labels + 1) % len(CLASSES), np.arange(30))
    variants = quantize.measure_variants(network, directory, right, wrong, views)
    assert list(variants) == ["fp32", "fp16", "int8"]
    assert (variants["fp32"].validation_accuracy, variants["fp32"].accuracy) == (1, 0)
    assert variants["fp32"].max_difference < variants["fp16"].max_difference < 0.01
    for name, variant in variants.items():
        path = directory / f"{name}.onnx"
        assert (variant.bytes, variant.sha256) == (path.stat().st_size, sha256(path))


def make_variants(**accuracies):
    sizes = {"fp32": 400, "fp16": 200, "int8": 100}
    return {name: Variant(sizes[name], "", accuracy, 0.9, 0.0) for name, accuracy in accuracies.items()}


@pytest.mark.parametrize(
    ("accuracies", "served"),
    [
        ({"fp32": 0.6, "fp16": 0.6, "int8": 0.6}, "int8"),
        ({"fp32": 0.6, "fp16": 0.6, "int8": 0.5971}, "int8"),
        ({"fp32": 0.6, "fp16": 0.6, "int8": 0.5969}, "fp16"),
        ({"fp32": 0.6, "fp16": 0.59, "int8": 0.59}, "fp32"),
        ({"fp32": 0.6, "fp16": 0.59, "int8": 0.61}, "int8"),
    ],
)
def test_serves_the_smallest_variant_that_is_accurate(accuracies, served):
    assert quantize.choose_variant(make_variants(**accuracies), 0.003) == served
