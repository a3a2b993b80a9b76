"""Is each model better than the one before it? Paired tests on the same faces."""

from collections.abc import Mapping
from itertools import pairwise
from typing import Any

import numpy as np
from scipy.stats import false_discovery_control

from facial_expression.analysis.intervals import cluster_interval
from facial_expression.evaluation.metrics import mcnemar


def compare(
    labels: np.ndarray, first: np.ndarray, second: np.ndarray, clusters: np.ndarray, seed: int
) -> dict[str, Any]:
    """Compare the predictions of two models for the same faces.

    Args:
        labels, first, second: int, shape (N,), true and predicted classes.
        clusters: a key per face, equal for the same picture.
        seed: of the bootstrap.

    Returns:
        ``difference`` (accuracy of the second minus that of the first) with the ends ``low`` and ``high`` of its 95%
        interval (cluster bootstrap), ``only_first`` and ``only_second`` (faces that one alone gets right) and
        ``p_value`` (exact McNemar, two-sided).
    """
    test = mcnemar(labels, first, second)
    gains = (second == labels).astype(int) - (first == labels).astype(int)
    low, high = cluster_interval(gains, clusters, seed)
    return {
        "difference": round(float(gains.mean()), 6),
        "low": low,
        "high": high,
        "only_first": test.only_first,
        "only_second": test.only_second,
        "p_value": _three_digits(test.p_value),
    }


def ladder(
    labels: np.ndarray, predictions: Mapping[str, np.ndarray], clusters: np.ndarray, seed: int
) -> list[dict[str, Any]]:
    """Compare each model with the one before it.

    Args:
        labels: int, shape (N,).
        predictions: model -> predicted classes, in the order of the steps.
        clusters: a key per face, equal for the same picture.
        seed: of the bootstrap.

    Returns:
        One entry per step: ``first`` and ``second`` (models), what :func:`compare` returns, and ``adjusted``: the
        p-value adjusted for the number of steps (Benjamini & Hochberg 1995).
    """
    names = list(predictions)
    steps = [
        {"first": first, "second": second} | compare(labels, predictions[first], predictions[second], clusters, seed)
        for first, second in pairwise(names)
    ]
    if steps:
        adjusted = false_discovery_control([step["p_value"] for step in steps])
        steps = [step | {"adjusted": _three_digits(value)} for step, value in zip(steps, adjusted, strict=True)]
    return steps


def _three_digits(value: float) -> float:
    return float(f"{value:.3g}")
