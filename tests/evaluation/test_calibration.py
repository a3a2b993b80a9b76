"""Temperature and doubt: what is fitted is what was put in, and neither changes an answer."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from facial_expression.calibration import doubt_threshold, fit_temperature
from facial_expression.ensembling import soften
from facial_expression.scoring import expected_calibration_error


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
    return -np.log(soften(probabilities, temperature)[np.arange(len(labels)), labels].astype(np.float64)).mean()


@pytest.mark.parametrize("factor", [0.4, 1, 1.7, 4])
def test_temperature_is_the_factor_by_which_logits_are_too_large(factor):
    assert fit_temperature(*overconfident(factor)) == pytest.approx(factor, rel=0.02)


@pytest.mark.parametrize("factor", [0.4, 1.7, 4])
def test_softened_probabilities_of_other_faces_are_calibrated(factor):
    temperature = fit_temperature(*overconfident(factor, seed=1))
    probabilities, labels = overconfident(factor, seed=2)
    before = expected_calibration_error(labels, probabilities)
    after = expected_calibration_error(labels, soften(probabilities, temperature))
    assert before > 0.05
    assert after < 0.02


@pytest.mark.parametrize("seed", range(5))
def test_no_other_temperature_makes_the_labels_more_likely(seed):
    random = np.random.default_rng(seed)
    probabilities, labels = random.dirichlet(np.full(4, 0.5), 60).astype(np.float32), random.integers(0, 4, 60)
    least = loss(probabilities, labels, fit_temperature(probabilities, labels))
    assert least <= min(loss(probabilities, labels, temperature) for temperature in np.geomspace(0.1, 10, 200)) + 1e-7


@pytest.mark.parametrize(("shift", "end"), [(0, 0.1), (1, 10)])
def test_temperature_stays_in_its_bounds_where_all_answers_are_right_or_all_wrong(shift, end):
    labels = np.arange(60) % 3
    probabilities = np.full((60, 3), 0.3, np.float32) + 0.1 * np.eye(3, dtype=np.float32)[labels]
    temperature = fit_temperature(probabilities, (labels + shift) % 3)
    assert temperature == pytest.approx(end, abs=1e-3)
    assert 0.1 <= temperature <= 10
    assert temperature == round(temperature, 4)


def test_a_label_thought_impossible_leaves_a_temperature_all_the_same():
    probabilities, labels = np.float32([[1, 0], [0.6, 0.4], [0.7, 0.3]]), np.array([1, 0, 0])
    assert 0.1 <= fit_temperature(probabilities, labels) <= 10


@given(st.integers(0, 10_000), st.integers(2, 7), st.floats(0.05, 5))
def test_fitted_temperature_changes_no_answer(seed, classes, evenness):
    random = np.random.default_rng(seed)
    probabilities = random.dirichlet(np.full(classes, evenness), 50).astype(np.float32)
    softened = soften(probabilities, fit_temperature(probabilities, random.integers(0, classes, 50)))
    first, second = np.sort(probabilities, axis=1).T[[-1, -2]]
    np.testing.assert_array_equal(softened.max(axis=1), softened[np.arange(50), probabilities.argmax(axis=1)])
    clear = first - second > 1e-5  # closer ones may become alike in float32
    np.testing.assert_array_equal(softened.argmax(axis=1)[clear], probabilities.argmax(axis=1)[clear])


def answers(confidences, right):
    """Two classes' probabilities with these confidences, 0.5 to 1, and labels that make the answers right or wrong."""
    confidences = np.array(confidences)
    return np.stack([1 - confidences, confidences], axis=1), np.array(right, int)


@pytest.mark.parametrize(
    ("accuracy", "threshold"),
    [
        (0.0, 0.55),  # the first answer alone is wrong
        (0.4, 0.7),  # one of three
        (0.5, 0.8),  # two of four
        (0.59, 0.8),
        (0.6, 0.9),  # three of five
        (1.0, 0.9),
    ],
)
def test_doubt_by_hand(accuracy, threshold):
    probabilities, labels = answers([0.7, 0.9, 0.55, 0.8, 0.6], [0, 1, 0, 1, 1])
    assert doubt_threshold(probabilities, labels, accuracy) == threshold


def test_doubt_begins_at_half_unless_told_otherwise():
    probabilities, labels = answers([0.7, 0.9, 0.55, 0.8, 0.6], [0, 1, 0, 1, 1])
    assert doubt_threshold(probabilities, labels) == 0.8


def test_there_is_no_doubt_where_even_the_least_confident_are_right():
    probabilities, labels = answers([0.7, 0.9, 0.55], [1, 0, 1])
    assert doubt_threshold(probabilities, labels) == 0.0


def test_doubt_has_four_decimals():
    probabilities, labels = answers([0.612345, 0.9], [0, 1])
    assert doubt_threshold(probabilities, labels, 0.4) == 0.6123


@given(
    st.lists(
        st.tuples(st.integers(5001, 9999), st.booleans()), min_size=1, max_size=30, unique_by=lambda face: face[0]
    ),
    st.sampled_from([0.0, 0.3, 0.5, 0.75]),
)
def test_answers_up_to_the_threshold_are_too_seldom_right_and_up_to_any_higher_they_are_not(faces, accuracy):
    confidences, right = np.array([face[0] for face in faces]) / 10_000, np.array([face[1] for face in faces])
    threshold = doubt_threshold(*answers(confidences, right), accuracy)
    shares = {confidence: right[confidences <= confidence].mean() for confidence in confidences}
    assert threshold == 0 or shares[threshold] <= accuracy
    assert all(share > accuracy for confidence, share in shares.items() if confidence > threshold)
