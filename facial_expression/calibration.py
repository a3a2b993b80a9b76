"""Probabilities that mean what they say: a temperature and a threshold of doubt, both fitted on validation faces."""

import numpy as np
from scipy.optimize import minimize_scalar

from facial_expression.ensembling import soften


def fit_temperature(probabilities: np.ndarray, labels: np.ndarray) -> float:
    """The temperature with the least negative log likelihood of the labels (Guo et al. 2017, section 4.2).

    Args:
        probabilities: float, shape (N, classes), rows summing to 1, of validation faces.
        labels: int, shape (N,), the true classes.

    Returns:
        0.1 to 10, with 4 decimals; for :func:`facial_expression.ensembling.soften`.
    """

    def loss(logarithm: float) -> float:
        of_label = soften(probabilities, np.exp(logarithm))[np.arange(len(labels)), labels]
        return -np.log(np.maximum(of_label.astype(np.float64), 1e-12)).mean()

    found = minimize_scalar(loss, bounds=(np.log(0.1), np.log(10)), method="bounded", options={"xatol": 1e-6})
    return round(float(np.exp(found.x)), 4)


def doubt_threshold(probabilities: np.ndarray, labels: np.ndarray, accuracy: float = 0.5) -> float:
    """The confidence up to which answers are right too seldom to be given without a warning.

    Args:
        probabilities: float, shape (N, classes), of validation faces.
        labels: int, shape (N,), the true classes.
        accuracy: share of right answers, 0 to 1, that those up to the threshold reach at most.

    Returns:
        The largest such confidence, with 4 decimals; 0 if even the least confident answers are better than that.
    """
    confidence = probabilities.max(axis=1)
    order = np.argsort(confidence, kind="stable")
    right = probabilities.argmax(axis=1)[order] == labels[order]
    low = np.flatnonzero(np.cumsum(right) / np.arange(1, len(right) + 1) <= accuracy)
    return round(float(confidence[order][low[-1]]), 4) if len(low) else 0.0
