"""The weights of a soft-voting ensemble, fitted on validation faces."""

from collections.abc import Sequence

import numpy as np


def fit_ensemble_weights(
    probabilities: Sequence[np.ndarray], labels: np.ndarray, tolerance: float = 1e-10, max_iterations: int = 100_000
) -> tuple[float, ...]:
    """The weights whose mixture has the least negative log likelihood, by expectation-maximization.

    The members are the fixed components of a mixture, whose likelihood is concave in the weights (Dempster, Laird and
    Rubin 1977, section 4.3). Each iteration sets a weight to the member's mean responsibility for the true classes.
    Starting from equal weights, members with equal predictions keep equal weights.

    Args:
        probabilities: one array per member for the validation faces, each of shape (N, classes).
        labels: int, shape (N,), the true classes.
        tolerance: stop once no weight changes by more than this.
        max_iterations: stop at the latest after this many iterations.

    Returns:
        One weight per member, 0 to 1, rounded to 4 decimals and summing to 1.

    Raises:
        ValueError: there is no member.
    """
    if not probabilities:
        raise ValueError("ensemble weights need at least one member's probabilities")
    rows = np.arange(len(labels))
    # A face to which all members give probability 0 must not turn into 0 / 0.
    of_label = np.maximum(np.stack([member[rows, labels] for member in probabilities]).astype(np.float64), 1e-12)
    weights = np.full(len(of_label), 1 / len(of_label))
    for _ in range(max_iterations):
        responsibility = weights[:, None] * of_label
        updated = (responsibility / responsibility.sum(axis=0)).mean(axis=1)
        change = np.abs(updated - weights).max()
        weights = updated
        if change < tolerance:
            break
    return _round_to_sum_one(weights)


def _round_to_sum_one(weights: np.ndarray, decimals: int = 4) -> tuple[float, ...]:
    """Round, and give the largest weight what rounding lost, so that tiny differences between machines vanish."""
    units = np.round(weights * 10**decimals).astype(int)
    units[np.argmax(units)] += 10**decimals - units.sum()
    return tuple(float(unit) / 10**decimals for unit in units)
