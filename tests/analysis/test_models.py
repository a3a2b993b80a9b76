"""What is said about models: steps of the ladder, confidence, labels, groups, probabilities, variants."""

import numpy as np
import pandas as pd
import pytest

from facial_expression.analysis.confidence import above_threshold, brier_score, calibration, coverage_curve
from facial_expression.analysis.groups import group_faces, turn
from facial_expression.analysis.intervals import resample_faces
from facial_expression.analysis.label_noise import suspect_labels
from facial_expression.analysis.ladder import compare, ladder
from facial_expression.analysis.model_analysis import macro_f1
from facial_expression.analysis.model_probabilities import best_iteration, model_probabilities
from facial_expression.analysis.tables import read_table, to_arrays, to_table
from facial_expression.errors import UserError
from facial_expression.evaluation import metrics
from facial_expression.evaluation.metrics import expected_calibration_error
from facial_expression.evaluation.predictions import Predictions
from facial_expression.faces.mean_shape import load_mean_shape

LABELS = np.zeros(100, int)
FACES = np.arange(100)


def wrong(count: int) -> np.ndarray:
    """Predictions of which the first are wrong."""
    return (np.arange(100) < count).astype(int)


def test_step_of_the_ladder_is_a_paired_test():
    step = compare(LABELS, wrong(30), wrong(10), FACES, seed=1)
    assert step["difference"] == 0.2
    assert 0.1 < step["low"] < 0.2 < step["high"] < 0.3
    assert (step["only_first"], step["only_second"]) == (0, 20)
    assert step["p_value"] == pytest.approx(2 * 0.5**20, rel=0.01)


def test_ladder_adjusts_for_the_number_of_steps():
    steps = ladder(LABELS, {"a": wrong(30), "b": wrong(24), "c": wrong(24), "d": wrong(17)}, FACES, seed=1)
    assert [(step["first"], step["second"]) for step in steps] == [("a", "b"), ("b", "c"), ("c", "d")]
    values = [step["p_value"] for step in steps]
    assert values == [0.0312, 1, 0.0156]
    assert [step["adjusted"] for step in steps] == [0.0468, 1, 0.0468]
    assert ladder(LABELS, {"a": wrong(3)}, FACES, seed=1) == []


def test_fast_macro_f1_is_that_of_the_metrics():
    random = np.random.default_rng(5)
    for classes in (2, 6):
        labels, predictions = random.integers(0, classes, (2, 50))
        assert macro_f1(labels, predictions) == pytest.approx(metrics.macro_f1(labels, predictions))
    assert macro_f1(np.array([0, 0, 2]), np.array([0, 0, 0])) == pytest.approx(0.4)


def test_brier_score_of_known_cases():
    labels = np.array([0, 1])
    assert brier_score(labels, np.eye(2, dtype=np.float32)) == 0
    assert brier_score(labels, np.full((2, 2), 0.5, np.float32)) == 0.5
    assert brier_score(labels, np.eye(2, dtype=np.float32)[::-1]) == 2


def test_reliability_bins_give_the_calibration_error():
    random = np.random.default_rng(1)
    logits = random.normal(size=(500, 4))
    probabilities = (np.exp(2 * logits) / np.exp(2 * logits).sum(axis=1, keepdims=True)).astype(np.float32)
    labels = random.integers(0, 4, 500)
    found = calibration(labels, probabilities, resample_faces(np.arange(500), seed=1))
    gaps = [one["n"] * abs(one["confidence"] - one["accuracy"]) for one in found["reliability"]]
    assert sum(one["n"] for one in found["reliability"]) == 500
    assert found["brier_interval"]["low"] < found["brier"] < found["brier_interval"]["high"]
    assert sum(gaps) / 500 == pytest.approx(expected_calibration_error(labels, probabilities), abs=1e-5)


def test_coverage_takes_the_surest_faces_first():
    confidence = np.linspace(0.5, 1, 100, dtype=np.float32)
    probabilities = np.stack([confidence, 1 - confidence], axis=1)
    labels = (np.arange(100) < 40).astype(int)  # the least sure are wrong
    curve = {point["coverage"]: point["accuracy"] for point in coverage_curve(labels, probabilities)}
    assert curve[0.6] == 1
    assert curve[0.8] == 0.75
    assert curve[1.0] == 0.6
    shown = above_threshold(labels, probabilities, float(confidence[40]))
    assert [shown[key]["value"] for key in ("coverage", "answered", "uncertain")] == [0.6, 1, 0]
    assert above_threshold(labels, probabilities, 0.0)["uncertain"] is None


def test_planted_wrong_labels_are_suspected_first():
    random = np.random.default_rng(2)
    truth = random.integers(0, 3, 300)
    probabilities = 0.85 * np.eye(3)[truth] + 0.05
    labels = truth.copy()
    labels[:10] = (truth[:10] + 1) % 3
    suspects, suggested = suspect_labels(labels, probabilities)
    assert set(suspects) == set(range(10))
    np.testing.assert_array_equal(suggested, truth[suspects])


def test_class_that_no_face_carries_is_never_suggested():
    probabilities = np.tile([0.2, 0.1, 0.7], (5, 1))
    suspects, _ = suspect_labels(np.zeros(5, int), probabilities)
    assert len(suspects) == 0


@pytest.fixture
def landmarks() -> np.ndarray:
    return np.repeat(48 * load_mean_shape().picture[None], 3, axis=0).astype(np.float32)


def test_turned_head_is_further_from_frontal(landmarks):
    landmarks[1, 30, 0] += 6  # the nose moves towards one ear
    landmarks[2, 30, 0] -= 6
    frontal, right, left = turn(landmarks)
    assert frontal < 0.05
    assert right > 0.2
    assert left > 0.2


def test_groups_measure_found_faces_alone(landmarks):
    angle = np.radians(20)
    landmarks[1] = landmarks[1] @ np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    box = {"left": 10.0, "top": 10.0, "width": 20.0, "height": 20.0}
    faces = pd.DataFrame({"detected": [True, True, False], "detector_pass": [1, 2, 0]} | box)
    groups = group_faces(faces, landmarks, np.full((3, 48, 48), 100, np.uint8))
    assert groups["found"].member.tolist() == [0, 1, 2]
    assert groups["tilt"].names[-1] == "from 15"
    assert groups["tilt"].member.tolist() == [0, 3, -1]
    for kind in ("turn", "size", "brightness"):
        assert (groups[kind].member[:2] >= 0).all()
        assert groups[kind].member[2] == -1


def test_model_is_remade_from_its_snapshots():
    random = np.random.default_rng(3)

    def run() -> Predictions:
        shape = (2, 2, 5, 3)
        parts = {part: random.dirichlet(np.ones(3), size=shape[:3]).astype(np.float32) for part in rows}
        return Predictions((100, 200), rows, parts, 10)

    rows = {"validation": np.arange(5), "test": np.arange(10, 15)}
    runs = {"a": run(), "b": run()}
    record = {"snapshots": {"a": [200], "b": [100, 200]}, "weights": {"a": 0.25, "b": 0.75}}
    _, test = model_probabilities(record, runs, rows, [0, 1, 2])
    of_a, of_b = (runs[name].probabilities["test"] for name in "ab")
    np.testing.assert_allclose(test, 0.25 * of_a[1].mean(axis=0) + 0.75 * of_b.mean(axis=(0, 1)), atol=1e-6)
    sure = runs["a"].probabilities["validation"]
    sure[0] = np.eye(3, dtype=np.float32)[[0, 1, 2, 0, 1]]
    assert best_iteration(runs["a"], np.array([0, 1, 2, 0, 1])) == 100
    sure[1] = sure[0]
    assert best_iteration(runs["a"], np.array([0, 1, 2, 0, 1])) == 200


def test_arrays_survive_a_table(tmp_path):
    arrays = np.random.default_rng(4).normal(size=(2, 3, 4)).round(5)
    to_table(arrays, ["one", "two"], "name", "value").to_csv(tmp_path / "table.csv", index=False)
    read = to_arrays(read_table(tmp_path / "table.csv", ["name", "value"], "make"), "name", "value")
    assert list(read) == ["one", "two"]
    np.testing.assert_array_equal(np.stack(list(read.values())), arrays)


def test_table_that_cannot_be_read_is_named(tmp_path):
    path = tmp_path / "table.csv"
    for content in (b"", b"\xff\xfe\x00"):
        path.write_bytes(content)
        with pytest.raises(UserError, match=r"table\.csv is not a table .*: run `make`"):
            read_table(path, ["a"], "make")
