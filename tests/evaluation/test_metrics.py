"""Metrics against values computed by hand and independent references."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binom

from facial_expression.evaluation import metrics

LABELS = np.array([0, 0, 0, 1, 1, 2])
PREDICTIONS = np.array([0, 0, 1, 1, 1, 1])

pytestmark = pytest.mark.filterwarnings("error")


def right(count, n):
    """Labels and predictions of ``n`` faces, ``count`` of them right."""
    return np.zeros(n, int), (np.arange(n) >= count).astype(int)


def confident(confidences, classes=2):
    """Probabilities that give class 0 these confidences and share the rest."""
    probabilities = np.repeat((1 - np.array(confidences)[:, None]) / (classes - 1), classes, axis=1)
    probabilities[:, 0] = confidences
    return probabilities.astype(np.float32)


@pytest.mark.parametrize(("count", "n"), [(2300, 3737), (5, 10), (95, 100)])
def test_interval_is_the_limit_of_many_resamples(count, n):
    accuracy = metrics.accuracy(*right(count, n), seed=0)
    low, high = binom.ppf([0.025, 0.975], n, count / n) / n
    tolerance = max(1 / n, 0.001)
    assert accuracy.value == count / n
    assert accuracy.low == pytest.approx(low, abs=tolerance)
    assert accuracy.high == pytest.approx(high, abs=tolerance)


def test_interval_agrees_with_resampling_the_faces():
    labels, predictions = right(70, 100)
    correct = labels == predictions
    faces = np.random.default_rng(1).integers(0, 100, (10_000, 100))
    low, high = np.quantile(correct[faces].mean(axis=1), [0.025, 0.975])
    assert metrics.accuracy(labels, predictions, seed=0)[1:] == pytest.approx((low, high), abs=0.011)


def test_interval_depends_on_the_seed_alone():
    draws = [metrics.accuracy(*right(300, 1001), seed=seed, resamples=100) for seed in (3, 3, 4)]
    assert draws[0] == draws[1] != draws[2]


@pytest.mark.parametrize(("count", "n"), [(8, 8), (0, 8), (1, 1), (0, 1)])
def test_interval_is_a_point_if_all_are_right_or_wrong(count, n):
    assert metrics.accuracy(*right(count, n), seed=0) == (count / n,) * 3


@given(st.integers(1, 500).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))), st.integers(0, 9))
def test_interval_contains_the_accuracy(counts, seed):
    accuracy = metrics.accuracy(*right(*counts), seed=seed, resamples=1000)
    assert 0 <= accuracy.low <= accuracy.value <= accuracy.high <= 1


def test_macro_f1_by_hand():
    # Class 0: precision 1, recall 2/3. Class 1: precision 2/4, recall 1. Class 2 is never predicted: 0.
    assert metrics.macro_f1(LABELS, PREDICTIONS) == pytest.approx((0.8 + 2 / 3 + 0) / 3)


def test_macro_f1_counts_only_classes_that_occur():
    assert metrics.macro_f1(np.array([4]), np.array([4])) == 1
    assert metrics.macro_f1(np.array([4]), np.array([2])) == 0


def test_recall_of_class_without_faces_is_nan():
    np.testing.assert_allclose(metrics.recall(LABELS, PREDICTIONS, 4), [2 / 3, 1, 0, np.nan])


def test_confusion_matrix_has_true_classes_down():
    expected = [[2, 1, 0, 0], [0, 2, 0, 0], [0, 1, 0, 0], [0, 0, 0, 0]]
    np.testing.assert_array_equal(metrics.confusion_matrix(LABELS, PREDICTIONS, 4), expected)


def test_calibration_error_by_hand():
    # Two faces share the bin (0.6, 0.667]: gap |0.63 - 0.5|; the third has (0.867, 0.933] to itself: gap |0.9 - 1|.
    probabilities = confident([0.62, 0.64, 0.9])
    error = metrics.expected_calibration_error(np.array([0, 1, 0]), probabilities)
    assert error == pytest.approx((2 * 0.13 + 0.1) / 3, abs=1e-6)


def test_confidence_on_an_edge_is_in_the_bin_below():
    # In one bin, (0.5, 0.6], the two gaps cancel: 0.6 - 1 and 0.55 - 0; in two bins they would add up.
    error = metrics.expected_calibration_error(np.array([0, 1]), confident([0.6, 0.55]), bins=10)
    assert error == pytest.approx(abs(0.6 - 1 + 0.55) / 2, abs=1e-6)


def test_calibration_error_of_extremes():
    certain = confident([1.0, 1.0])
    assert metrics.expected_calibration_error(np.array([0, 0]), certain) == 0
    assert metrics.expected_calibration_error(np.array([1, 1]), certain) == 1
    assert metrics.expected_calibration_error(np.array([0]), confident([0.75])) == pytest.approx(0.25)


def reference_calibration_error(labels, probabilities, bins):
    """The definition of Guo et al., bin by bin."""
    confidence = probabilities.max(axis=1)
    correct = probabilities.argmax(axis=1) == labels
    total = 0.0
    for index in range(bins):
        inside = (confidence > np.float32(index / bins)) & (confidence <= np.float32((index + 1) / bins))
        if inside.any():
            total += inside.mean() * abs(correct[inside].mean() - confidence[inside].astype(float).mean())
    return total


@given(st.integers(0, 10_000), st.integers(1, 60), st.integers(2, 7))
def test_calibration_error_follows_the_definition(seed, n, classes):
    random = np.random.default_rng(seed)
    probabilities = random.dirichlet(np.full(classes, 0.5), n).astype(np.float32)
    labels = random.integers(0, classes, n)
    error = metrics.expected_calibration_error(labels, probabilities)
    assert error == pytest.approx(reference_calibration_error(labels, probabilities, 15), abs=1e-9)


def test_mcnemar_by_hand():
    # Only the first is right on 6 faces, only the second on 1: p = 2 * (1 + 7) / 2**7.
    labels = np.zeros(10, int)
    first = np.array([0] * 6 + [1] + [0, 0, 1])
    second = np.array([1] * 6 + [0] + [0, 0, 2])
    assert metrics.mcnemar(labels, first, second) == (6, 1, pytest.approx(0.125))


def test_mcnemar_of_equal_predictions_has_p_one():
    assert metrics.mcnemar(LABELS, PREDICTIONS, PREDICTIONS) == (0, 0, 1.0)


@given(st.integers(0, 1000))
def test_mcnemar_is_symmetric(seed):
    labels, first, second = np.random.default_rng(seed).integers(0, 3, (3, 30))
    test, swapped = metrics.mcnemar(labels, first, second), metrics.mcnemar(labels, second, first)
    assert (test.only_first, test.only_second) == (swapped.only_second, swapped.only_first)
    assert test.p_value == pytest.approx(swapped.p_value)
