"""Metrics: pure functions of labels, predicted classes and probabilities.

Throughout, ``labels`` and ``predictions`` are int arrays of shape (N,) with class indices 0 to C - 1, N at least 1, and
``probabilities`` is a float array of shape (N, C) whose rows sum to 1.
"""

from typing import NamedTuple

import numpy as np
from scipy.stats import binomtest
from sklearn import metrics


class Accuracy(NamedTuple):
    """Fraction of correct predictions and the ends of its 95% interval, each 0 to 1."""

    value: float
    low: float
    high: float


class PairedTest(NamedTuple):
    """Faces that only one of two models gets right, and the two-sided p-value of equal accuracy."""

    only_first: int
    only_second: int
    p_value: float


def accuracy(labels: np.ndarray, predictions: np.ndarray, seed: int, resamples: int = 10_000) -> Accuracy:
    """Accuracy with its 95% percentile bootstrap interval over faces (Efron & Tibshirani 1993, chapter 13).

    A bootstrap sample draws N faces with replacement, and each draw is correct with probability equal to the observed
    accuracy. The number of correct faces in a sample is therefore binomial, so drawing that number is exactly the
    bootstrap of the mean. Where all predictions are right (or all wrong), the interval is a point, which says little
    for few faces.
    """
    value = float(metrics.accuracy_score(labels, predictions))
    correct = np.random.default_rng(seed).binomial(len(labels), value, size=resamples)
    low, high = np.quantile(correct / len(labels), [0.025, 0.975])
    return Accuracy(value, float(low), float(high))


def macro_f1(labels: np.ndarray, predictions: np.ndarray) -> float:
    """Unweighted mean of the F1 scores, 0 to 1, over the classes that occur among the labels or the predictions."""
    return float(metrics.f1_score(labels, predictions, average="macro"))


def recall(labels: np.ndarray, predictions: np.ndarray, classes: int) -> np.ndarray:
    """Recall of each class: float64, shape (classes,), NaN for a class without faces."""
    return metrics.recall_score(labels, predictions, labels=range(classes), average=None, zero_division=np.nan)


def confusion_matrix(labels: np.ndarray, predictions: np.ndarray, classes: int) -> np.ndarray:
    """Counts of faces: int64, shape (classes, classes), true classes down and predicted classes across."""
    return metrics.confusion_matrix(labels, predictions, labels=range(classes))


def expected_calibration_error(labels: np.ndarray, probabilities: np.ndarray, bins: int = 15) -> float:
    """Mean gap between confidence and accuracy, 0 (calibrated) to 1, over equal-width bins of confidence.

    Guo et al. 2017, "On Calibration of Modern Neural Networks", equation 3: the confidence of a face is its largest
    probability, bin m holds the confidences in ((m - 1) / bins, m / bins], and each bin counts by its faces.
    """
    # The edges are compared in the precision of the probabilities: float32 1/3 must not fall above a float64 1/3.
    edges = np.linspace(0, 1, bins + 1, dtype=probabilities.dtype)[1:-1]
    confidence = probabilities.max(axis=1)
    surplus = confidence.astype(np.float64) - (probabilities.argmax(axis=1) == labels)
    gaps = np.bincount(np.digitize(confidence, edges, right=True), weights=surplus, minlength=bins)
    return float(np.abs(gaps).sum() / len(labels))


def mcnemar(labels: np.ndarray, first: np.ndarray, second: np.ndarray) -> PairedTest:
    """Exact McNemar test of two models' predictions for the same faces (McNemar 1947; exact binomial form).

    Under equal accuracy, either model is equally likely to be the one that is right.
    """
    first_correct, second_correct = first == labels, second == labels
    only_first = int(np.sum(first_correct & ~second_correct))
    only_second = int(np.sum(second_correct & ~first_correct))
    discordant = only_first + only_second
    p_value = float(binomtest(only_first, discordant).pvalue) if discordant else 1.0
    return PairedTest(only_first, only_second, p_value)
