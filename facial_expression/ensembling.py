"""Probabilities made into one answer: soft voting, conditioning on classes, and temperature."""

from collections.abc import Sequence
from itertools import product

import numpy as np


def soft_vote(probabilities: Sequence[np.ndarray], weights: Sequence[float] | None = None) -> np.ndarray:
    """Weighted mean of the voters' class probabilities.

    Args:
        probabilities: one array per voter, each of shape (N, classes), rows summing to 1.
        weights: one number per voter, at least 0 and not all 0; all equal if left out.

    Returns:
        float32, shape (N, classes), rows summing to 1.

    Raises:
        ValueError: there is no voter, or the arrays differ in shape.
        ZeroDivisionError: the weights sum to 0.
    """
    votes = np.stack(probabilities).astype(np.float64)
    return np.average(votes, axis=0, weights=weights).astype(np.float32)


def condition(probabilities: np.ndarray, kept: Sequence[int]) -> np.ndarray:
    """Probabilities of some classes, given that one of them is the true one.

    Args:
        probabilities: float, shape (N, classes), rows summing to 1.
        kept: indices of the classes that can be true.

    Returns:
        float32, shape (N, len(kept)), rows summing to 1; all alike where none of them was thought possible.
    """
    chosen = np.maximum(probabilities[:, list(kept)].astype(np.float64), np.finfo(np.float32).tiny)
    return (chosen / chosen.sum(axis=1, keepdims=True)).astype(np.float32)


def recognise(views: Sequence[np.ndarray], kept: Sequence[int]) -> np.ndarray:
    """One answer from several views of each face, for the classes that can be true.

    Args:
        views: one array per view, a face or its mirror image, each of shape (N, classes), rows summing to 1.
        kept: indices of the classes that can be true.

    Returns:
        float32, shape (N, len(kept)), rows summing to 1: the mean of the views, each conditioned first.
    """
    return soft_vote([condition(view, kept) for view in views])


def soften(probabilities: np.ndarray, temperature: float) -> np.ndarray:
    """The probabilities that the same logits give when divided by ``temperature`` (Guo et al. 2017, section 4.2).

    Args:
        probabilities: float, shape (N, classes), rows summing to 1.
        temperature: above 1 makes them more even, below 1 more certain; the most probable class stays the same.

    Returns:
        float32, shape (N, classes), rows summing to 1.
    """
    logits = np.log(np.maximum(probabilities.astype(np.float64), 1e-30)) / temperature
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    return (powers / powers.sum(axis=1, keepdims=True)).astype(np.float32)


def fit_weights(probabilities: Sequence[np.ndarray], labels: np.ndarray, step: float = 0.05) -> tuple[float, ...]:
    """The soft-voting weights with the least negative log likelihood of the labels, by search of the whole grid.

    The grid holds every weighting whose weights are multiples of ``step``, at least 0 and sum to 1. Among equals the
    most even weighting wins, then the one that gives the later voters more.

    Args:
        probabilities: one array per voter for the validation faces, each of shape (N, classes).
        labels: int, shape (N,), the true classes.
        step: a fraction of 1 such as 0.05; the search takes (1 / step) ** (voters - 1) steps or fewer.

    Returns:
        One weight per voter, 0 to 1, summing to 1.

    Raises:
        ValueError: there is no voter, or 1 is no multiple of ``step``.
    """
    if not probabilities:
        raise ValueError("weights need at least one voter's probabilities")
    units = round(1 / step)
    if not np.isclose(units * step, 1):
        raise ValueError(f"step must divide 1 evenly, as 0.05 does; it is {step}")
    # Whole units rather than fractions make the sums and the evenness exact.
    grid = np.array([(*head, units - sum(head)) for head in _heads(units, len(probabilities) - 1)])
    of_label = np.stack([voter[np.arange(len(labels)), labels] for voter in probabilities]).astype(np.float64)
    # A face that every voter finds impossible must not make all weightings equally bad.
    loss = np.array([-np.log(np.maximum(row @ of_label / units, 1e-12)).mean() for row in grid])
    equals = grid[np.isclose(loss, loss.min(), rtol=0, atol=1e-12)]
    best = equals[np.argmin((equals**2).sum(axis=1))]
    return tuple(float(weight) for weight in best / units)


def _heads(units: int, voters: int) -> list[tuple[int, ...]]:
    """What the first ``voters`` voters can get of ``units``, in ascending order."""
    return [head for head in product(range(units + 1), repeat=voters) if sum(head) <= units]
