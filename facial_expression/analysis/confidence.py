"""How far a model's confidence can be trusted."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from facial_expression.analysis.intervals import interval_over, share
from facial_expression.evaluation.metrics import expected_calibration_error

BINS = 15
"""Of the reliability diagram, as for the expected calibration error."""

COVERAGES = tuple(round(0.05 * step, 2) for step in range(1, 21))


def brier_score(labels: np.ndarray, probabilities: np.ndarray) -> float:
    """Mean squared distance between probabilities and truth, 0 to 2 (Brier 1950, all classes)."""
    truth = np.eye(probabilities.shape[1])[labels]
    return float(((probabilities - truth) ** 2).sum(axis=1).mean())


def reliability(labels: np.ndarray, probabilities: np.ndarray) -> list[dict[str, float | int]]:
    """The bins of a reliability diagram that hold faces: ``confidence`` and ``accuracy`` (means) and ``n``."""
    confidence, correct = _confidence(labels, probabilities)
    edges = np.linspace(0, 1, BINS + 1, dtype=probabilities.dtype)[1:-1]
    number = np.digitize(confidence, edges, right=True)
    return [
        {
            "confidence": round(float(confidence[number == one].mean()), 6),
            "accuracy": round(float(correct[number == one].mean()), 6),
            "n": int((number == one).sum()),
        }
        for one in np.unique(number)
    ]


def calibration(labels: np.ndarray, probabilities: np.ndarray, samples: Sequence[np.ndarray]) -> dict[str, Any]:
    """``ece`` and ``brier``, the ends of their intervals, and the bins of ``reliability``.

    Args:
        labels: int, shape (N,).
        probabilities: float, shape (N, classes).
        samples: bootstrap samples (:func:`facial_expression.analysis.intervals.resample_faces`).
    """

    def error(faces: np.ndarray) -> float:
        return expected_calibration_error(labels[faces], probabilities[faces], BINS)

    def brier(faces: np.ndarray) -> float:
        return brier_score(labels[faces], probabilities[faces])

    everything = np.arange(len(labels))
    return {
        "ece": round(error(everything), 6),
        "ece_interval": interval_over(samples, error),
        "brier": round(brier(everything), 6),
        "brier_interval": interval_over(samples, brier),
        "reliability": reliability(labels, probabilities),
    }


def coverage_curve(labels: np.ndarray, probabilities: np.ndarray) -> list[dict[str, float]]:
    """Accuracy on the most confident faces (El-Yaniv & Wiener 2010: the risk-coverage curve).

    Returns:
        For each of ``COVERAGES``: ``coverage`` (share of the faces that get an answer), ``accuracy`` on these, and
        ``confidence`` (of the least confident among them).
    """
    confidence, correct = _confidence(labels, probabilities)
    order = np.argsort(-confidence, kind="stable")
    points = []
    for coverage in COVERAGES:
        answered = order[: max(1, round(coverage * len(order)))]
        points.append(
            {
                "coverage": coverage,
                "accuracy": round(float(correct[answered].mean()), 6),
                "confidence": round(float(confidence[answered[-1]]), 6),
            }
        )
    return points


def above_threshold(labels: np.ndarray, probabilities: np.ndarray, threshold: float) -> dict[str, Any]:
    """What a threshold on the confidence does: ``coverage``, and accuracy on ``answered`` and ``uncertain`` faces."""
    confidence, correct = _confidence(labels, probabilities)
    answered = confidence >= threshold
    return {
        "threshold": threshold,
        "coverage": share(answered),
        "answered": share(correct[answered]),
        "uncertain": share(correct[~answered]),
    }


def _confidence(labels: np.ndarray, probabilities: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    return probabilities.max(axis=1), probabilities.argmax(axis=1) == labels
