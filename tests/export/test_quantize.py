"""Smaller files: how much smaller, how far off, and which of them is served."""

import numpy as np
import onnx
import pytest
from test_exporting import BUILDS, CLASSES, build, drawn_faces, random_faces, run

from facial_expression import compaction, snapshots
from facial_expression.card import Variant, sha256
from facial_expression.facetable import LabelledImages


@pytest.fixture(scope="module", params=BUILDS)
def written(request, tmp_path_factory):
    network, directory = build(request.param), tmp_path_factory.mktemp(request.param)
    compaction.write_variants(network, directory, 17, drawn_faces(60), random_faces(5))
    return network, directory


def test_files_are_a_half_and_a_quarter(written):
    _, directory = written
    sizes = {name: (directory / f"{name}.onnx").stat().st_size for name in ("fp32", "fp16", "int8")}
    assert sizes["fp16"] < 0.55 * sizes["fp32"]
    assert sizes["int8"] < 0.35 * sizes["fp32"]


@pytest.mark.parametrize(("name", "tolerance"), [("fp16", 1e-3), ("int8", 0.05)])
def test_answers_are_close_but_not_the_same(written, name, tolerance):
    network, directory = written
    images = drawn_faces(40)
    difference = np.abs(run(directory / f"{name}.onnx", images) - snapshots.predict(network, images)).mean()
    assert 1e-6 < difference < tolerance


def test_interface_is_that_of_the_largest(written):
    _, directory = written
    for name in ("fp16", "int8"):
        model = onnx.load(directory / f"{name}.onnx")
        onnx.checker.check_model(model, full_check=True)
        assert run(directory / f"{name}.onnx", drawn_faces(3)).shape == (3, len(CLASSES))


def test_same_bytes_again(written, tmp_path):
    network, directory = written
    compaction.write_variants(network, tmp_path, 17, drawn_faces(60), random_faces(5))
    for path in directory.iterdir():
        assert (tmp_path / path.name).read_bytes() == path.read_bytes(), path.name


def test_calibration_faces_matter(written, tmp_path):
    _, directory = written
    compaction.quantize(directory / "fp32.onnx", tmp_path / "int8.onnx", np.zeros((10, 48, 48), np.uint8))
    assert (tmp_path / "int8.onnx").read_bytes() != (directory / "int8.onnx").read_bytes()


def test_worth_is_measured_on_the_files(written):
    network, directory = written
    images = drawn_faces(30)
    both = (snapshots.predict(network, images) + snapshots.predict(network, images[:, :, ::-1])) / 2
    right = LabelledImages(images, both.argmax(axis=1), np.arange(30))
    wrong = LabelledImages(images, (right.labels + 1) % len(CLASSES), np.arange(30))
    variants = compaction.measure_variants(network, directory, right, wrong, flip=True)
    assert list(variants) == ["fp32", "fp16", "int8"]
    assert (variants["fp32"].validation_accuracy, variants["fp32"].accuracy) == (1, 0)
    assert variants["fp32"].largest_difference < variants["fp16"].largest_difference < 0.01
    for name, variant in variants.items():
        assert (variant.bytes, variant.sha256) == (
            (directory / f"{name}.onnx").stat().st_size,
            sha256(directory / f"{name}.onnx"),
        )


def variants(**accuracies):
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
def test_smallest_file_that_loses_little_is_served(accuracies, served):
    assert compaction.choose_variant(variants(**accuracies), 0.003) == served
