"""Predictions that all reports share: on disk, and for some faces and some classes."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from facial_expression.errors import UserError
from facial_expression.evaluation.predictions import PREDICTED_PARTS, Predictions, read_predictions, write_predictions
from facial_expression.probabilities import average_views

ROOT = Path(__file__).parents[2]
ROWS = {"validation": np.array([2, 5, 7]), "test": np.array([1, 30, 8, 4])}


@pytest.fixture
def predictions() -> Predictions:
    """Two snapshots, two views, four classes."""
    random = np.random.default_rng(0)
    probabilities = {
        part: random.dirichlet(np.ones(4), (2, 2, len(rows))).astype(np.float32) for part, rows in ROWS.items()
    }
    return Predictions((10, 200), ROWS, probabilities, parameters=1234)


def test_reads_what_was_written_with_the_same_bytes(predictions, tmp_path):
    path = tmp_path / "new" / "wide.npz"
    write_predictions(path, predictions)
    read = read_predictions(path)
    assert (read.iterations, read.parameters) == ((10, 200), 1234)
    assert type(read.parameters) is int  # for JSON
    for part in PREDICTED_PARTS:
        np.testing.assert_array_equal(read.rows[part], ROWS[part])
        np.testing.assert_array_equal(read.probabilities[part], predictions.probabilities[part])
        assert read.probabilities[part].dtype == np.float32
    write_predictions(tmp_path / "again.npz", read)
    assert (tmp_path / "again.npz").read_bytes() == path.read_bytes()


def test_all_faces_and_classes_are_the_mean_of_the_views(predictions):
    chosen = predictions.of_faces(ROWS, range(4))
    assert list(chosen) == [10, 200]
    for number, iteration in enumerate(chosen):
        for part, probabilities in zip(PREDICTED_PARTS, chosen[iteration], strict=True):
            np.testing.assert_allclose(probabilities, predictions.probabilities[part][number].mean(axis=0), atol=1e-6)


def test_faces_and_classes_come_in_the_requested_order(predictions):
    rows = {"validation": np.array([7]), "test": np.array([4, 1, 30])}
    validation, test = predictions.of_faces(rows, (3, 1))[200]
    np.testing.assert_array_equal(validation, average_views(predictions.probabilities["validation"][1][:, [2]], (3, 1)))
    np.testing.assert_array_equal(test, average_views(predictions.probabilities["test"][1][:, [3, 0, 1]], (3, 1)))
    np.testing.assert_allclose(test.sum(axis=1), 1, atol=1e-6)


@pytest.mark.parametrize("part", PREDICTED_PARTS)
@pytest.mark.parametrize("row", [0, 6, 99])
def test_rejects_face_without_predictions(predictions, part, row):
    rows = ROWS | {part: np.array([*ROWS[part], row])}
    with pytest.raises(UserError, match=f"row {row} of the {part} part has no predictions: predict again"):
        predictions.of_faces(rows, (0, 1))


def test_rejects_class_that_was_not_learned(predictions):
    with pytest.raises(UserError, match="class 4 is needed, but the predictions cover 4 classes: predict again"):
        predictions.of_faces(ROWS, (0, 4))


def test_missing_file_names_the_command_that_writes_it(tmp_path):
    with pytest.raises(UserError, match=r"wide\.npz is missing: run `dvc repro`"):
        read_predictions(tmp_path / "wide.npz")


@pytest.mark.parametrize("damage", ["empty", "cut", "text", "other", "older"])
def test_rejects_damaged_file(predictions, tmp_path, damage):
    path = tmp_path / "wide.npz"
    write_predictions(path, predictions)
    content = path.read_bytes()
    if damage == "other":
        np.savez(path, iterations=[1])
    elif damage == "older":
        with np.load(path) as arrays:
            np.savez(path, **{name: array for name, array in arrays.items() if name != "parameters"})
    else:
        path.write_bytes({"empty": b"", "cut": content[: len(content) // 2], "text": b"row,emotion\n"}[damage])
    with pytest.raises(UserError, match=r"wide\.npz holds no predictions .*: delete it and run `dvc repro`"):
        read_predictions(path)


@pytest.mark.parametrize("stage", ["evaluate", "predict", "export"])
def test_stages_start_without_importing_keras(stage):
    """Evaluation needs none; the others configure the runtime first."""
    code = f"import sys, stages.{stage}; sys.exit('keras' in sys.modules or 'tensorflow' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=False).returncode == 0
