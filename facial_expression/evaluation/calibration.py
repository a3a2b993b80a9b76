"""Calibration on validation faces: a temperature and a confidence threshold."""

import numpy as np
from scipy.optimize import minimize_scalar

from facial_expression.probabilities import apply_temperature


def fit_temperature(probabilities: np.ndarray, labels: np.ndarray) -> float:
    """The temperature with the least negative log likelihood (Guo et al. 2017, section 4.2).

    Args:
        probabilities: float, shape (N, classes), rows summing to 1, of validation faces.
        labels: int, shape (N,), the true classes.

    Returns:
        0.1 to 10, with 4 decimals; for :func:`facial_expression.probabilities.apply_temperature`.
    """

    def loss(logarithm: float) -> float:
        of_label = apply_temperature(probabilities, np.exp(logarithm))[np.arange(len(labels)), labels]
        return -np.log(np.maximum(of_label.astype(np.float64), 1e-12)).mean()

    found = minimize_scalar(loss, bounds=(np.log(0.1), np.log(10)), method="bounded", options={"xatol": 1e-6})
    return round(float(np.exp(found.x)), 4)


def confidence_threshold(probabilities: np.ndarray, labels: np.ndarray, accuracy: float = 0.5) -> float:
    """The confidence below which predictions have at most a given accuracy.

    Args:
        probabilities: float, shape (N, classes), of validation faces.
        labels: int, shape (N,), the true classes.
        accuracy: 0 to 1.

    Returns:
        The largest such confidence, with 4 decimals; 0 if even the least confident predictions are more accurate.
    """
    confidence = probabilities.max(axis=1)
    order = np.argsort(confidence, kind="stable")
    correct = probabilities.argmax(axis=1)[order] == labels[order]
    low = np.flatnonzero(np.cumsum(correct) / np.arange(1, len(correct) + 1) <= accuracy)
    return round(float(confidence[order][low[-1]]), 4) if len(low) else 0.0
