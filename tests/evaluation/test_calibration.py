"""Temperature and confidence threshold: values known from the data are recovered, and no prediction changes."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from facial_expression.evaluation.calibration import confidence_threshold, fit_temperature
from facial_expression.evaluation.metrics import expected_calibration_error
from facial_expression.probabilities import apply_temperature


def softmax(logits):
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)


def overconfident(factor, count=20_000, classes=6, seed=0):
    """Probabilities of logits that are ``factor`` times too large, and labels drawn from the true probabilities."""
    random = np.random.default_rng(seed)
    logits = random.normal(0, 2, (count, classes))
    labels = (random.random((count, 1)) > softmax(logits).cumsum(axis=1)).sum(axis=1)
    return softmax(factor * logits).astype(np.float32), labels


def loss(probabilities, labels, temperature):
    return -np.log(
        apply_temperature(probabilities, temperature)[np.arange(len(labels)), labels].astype(np.float64)
    ).mean()


@pytest.mark.parametrize("factor", [0.4, 1, 1.7, 4])
def test_temperature_is_the_factor_of_overconfident_logits(factor):
    assert fit_temperature(*overconfident(factor)) == pytest.approx(factor, rel=0.02)


@pytest.mark.parametrize("factor", [0.4, 1.7, 4])
def test_temperature_calibrates_other_faces(factor):
    temperature = fit_temperature(*overconfident(factor, seed=1))
    probabilities, labels = overconfident(factor, seed=2)
    before = expected_calibration_error(labels, probabilities)
    after = expected_calibration_error(labels, apply_temperature(probabilities, temperature))
    assert before > 0.05
    assert after < 0.02


@pytest.mark.parametrize("seed", range(5))
def test_no_other_temperature_has_less_loss(seed):
    random = np.random.default_rng(seed)
    probabilities, labels = random.dirichlet(np.full(4, 0.5), 60).astype(np.float32), random.integers(0, 4, 60)
    least = loss(probabilities, labels, fit_temperature(probabilities, labels))
    assert least <= min(loss(probabilities, labels, temperature) for temperature in np.geomspace(0.1, 10, 200)) + 1e-7


@pytest.mark.parametrize(("shift", "end"), [(0, 0.1), (1, 10)])
def test_temperature_stays_in_bounds_if_all_right_or_wrong(shift, end):
    labels = np.arange(60) % 3
    probabilities = np.full((60, 3), 0.3, np.float32) + 0.1 * np.eye(3, dtype=np.float32)[labels]
    temperature = fit_temperature(probabilities, (labels + shift) % 3)
    assert temperature == pytest.approx(end, abs=1e-3)
    assert 0.1 <= temperature <= 10
    assert temperature == round(temperature, 4)


def test_label_of_probability_zero_gives_a_temperature():
    probabilities, labels = np.float32([[1, 0], [0.6, 0.4], [0.7, 0.3]]), np.array([1, 0, 0])
    assert 0.1 <= fit_temperature(probabilities, labels) <= 10


@given(st.integers(0, 10_000), st.integers(2, 7), st.floats(0.05, 5))
def test_fitted_temperature_changes_no_prediction(seed, classes, evenness):
    random = np.random.default_rng(seed)
    probabilities = random.dirichlet(np.full(classes, evenness), 50).astype(np.float32)
    tempered = apply_temperature(probabilities, fit_temperature(probabilities, random.integers(0, classes, 50)))
    first, second = np.sort(probabilities, axis=1).T[[-1, -2]]
    np.testing.assert_array_equal(tempered.max(axis=1), tempered[np.arange(50), probabilities.argmax(axis=1)])
    clear = first - second > 1e-5  # closer ones may become equal in float32
    np.testing.assert_array_equal(tempered.argmax(axis=1)[clear], probabilities.argmax(axis=1)[clear])


def predictions(confidences, right):
    """Probabilities of two classes with these confidences, 0.5 to 1, and labels that make them right or wrong."""
    confidences = np.array(confidences)
    return np.stack([1 - confidences, confidences], axis=1), np.array(right, int)


@pytest.mark.parametrize(
    ("accuracy", "threshold"),
    [
        (0.0, 0.55),  # the least confident prediction alone is wrong
        (0.4, 0.7),  # one of three
        (0.5, 0.8),  # two of four
        (0.59, 0.8),
        (0.6, 0.9),  # three of five
        (1.0, 0.9),
    ],
)
def test_threshold_by_hand(accuracy, threshold):
    probabilities, labels = predictions([0.7, 0.9, 0.55, 0.8, 0.6], [0, 1, 0, 1, 1])
    assert confidence_threshold(probabilities, labels, accuracy) == threshold


def test_threshold_is_at_half_by_default():
    probabilities, labels = predictions([0.7, 0.9, 0.55, 0.8, 0.6], [0, 1, 0, 1, 1])
    assert confidence_threshold(probabilities, labels) == 0.8


def test_threshold_is_zero_if_the_least_confident_is_right():
    probabilities, labels = predictions([0.7, 0.9, 0.55], [1, 0, 1])
    assert confidence_threshold(probabilities, labels) == 0.0


def test_threshold_has_four_decimals():
    probabilities, labels = predictions([0.612345, 0.9], [0, 1])
    assert confidence_threshold(probabilities, labels, 0.4) == 0.6123


@given(
    st.lists(
        st.tuples(st.integers(5001, 9999), st.booleans()), min_size=1, max_size=30, unique_by=lambda face: face[0]
    ),
    st.sampled_from([0.0, 0.3, 0.5, 0.75]),
)
def test_threshold_is_the_largest_with_at_most_this_accuracy(faces, accuracy):
    confidences, right = np.array([face[0] for face in faces]) / 10_000, np.array([face[1] for face in faces])
    threshold = confidence_threshold(*predictions(confidences, right), accuracy)
    shares = {confidence: right[confidences <= confidence].mean() for confidence in confidences}
    assert threshold == 0 or shares[threshold] <= accuracy
    assert all(share > accuracy for confidence, share in shares.items() if confidence > threshold)
