"""Predictions that all reports share: on disk, and what becomes of them for some faces and some classes."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from facial_expression.ensembling import recognise
from facial_expression.predictions import SCORED_PARTS, Predictions, read_predictions, write_predictions

ROOT = Path(__file__).parent.parent
ROWS = {"validation": np.array([2, 5, 7]), "test": np.array([1, 30, 8, 4])}


@pytest.fixture
def predictions() -> Predictions:
    """Two snapshots, two views, four classes."""
    random = np.random.default_rng(0)
    probabilities = {
        part: random.dirichlet(np.ones(4), (2, 2, len(rows))).astype(np.float32) for part, rows in ROWS.items()
    }
    return Predictions((10, 200), ROWS, probabilities)


def test_what_is_read_is_what_was_written_and_the_same_bytes_each_time(predictions, tmp_path):
    path = tmp_path / "new" / "wide.npz"
    write_predictions(path, predictions)
    read = read_predictions(path)
    assert read.iterations == (10, 200)
    for part in SCORED_PARTS:
        np.testing.assert_array_equal(read.rows[part], ROWS[part])
        np.testing.assert_array_equal(read.probabilities[part], predictions.probabilities[part])
    write_predictions(tmp_path / "again.npz", read)
    assert (tmp_path / "again.npz").read_bytes() == path.read_bytes()


def test_all_faces_and_classes_are_the_mean_of_the_views(predictions):
    answers = predictions.recognise(ROWS, range(4))
    assert list(answers) == [10, 200]
    for number, iteration in enumerate(answers):
        for part, answer in zip(SCORED_PARTS, answers[iteration], strict=True):
            np.testing.assert_allclose(answer, predictions.probabilities[part][number].mean(axis=0), atol=1e-6)


def test_faces_come_in_the_order_asked_for_with_the_classes_kept(predictions):
    rows = {"validation": np.array([7]), "test": np.array([4, 1, 30])}
    validation, test = predictions.recognise(rows, (3, 1))[200]
    np.testing.assert_array_equal(validation, recognise(predictions.probabilities["validation"][1][:, [2]], (3, 1)))
    np.testing.assert_array_equal(test, recognise(predictions.probabilities["test"][1][:, [3, 0, 1]], (3, 1)))
    np.testing.assert_allclose(test.sum(axis=1), 1, atol=1e-6)


@pytest.mark.parametrize("part", SCORED_PARTS)
@pytest.mark.parametrize("row", [0, 6, 99])
def test_a_face_without_prediction_is_named(predictions, part, row):
    rows = ROWS | {part: np.array([*ROWS[part], row])}
    with pytest.raises(ValueError, match=f"row {row} of the {part} part has no predictions: predict again"):
        predictions.recognise(rows, (0, 1))


def test_a_class_that_the_networks_do_not_know_is_named(predictions):
    with pytest.raises(ValueError, match="class 4 is wanted, but the networks know 4 classes"):
        predictions.recognise(ROWS, (0, 4))


def test_a_missing_file_names_the_stage_that_writes_it(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"wide\.npz is missing: run `dvc repro predict`"):
        read_predictions(tmp_path / "wide.npz")


@pytest.mark.parametrize("damage", ["empty", "cut", "text", "other"])
def test_a_damaged_file_is_named(predictions, tmp_path, damage):
    path = tmp_path / "wide.npz"
    write_predictions(path, predictions)
    content = path.read_bytes()
    if damage == "other":
        np.savez(path, iterations=[1])
    else:
        path.write_bytes({"empty": b"", "cut": content[: len(content) // 2], "text": b"row,emotion\n"}[damage])
    with pytest.raises(ValueError, match=r"wide\.npz holds no predictions"):
        read_predictions(path)


def test_scoring_needs_no_keras():
    code = "import sys, stages.evaluate; sys.exit('keras' in sys.modules or 'tensorflow' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=False).returncode == 0
