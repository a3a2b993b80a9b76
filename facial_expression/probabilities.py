"""Operations on class probabilities: soft voting, renormalization to fewer classes, temperature."""

from collections.abc import Sequence

import numpy as np


def soft_vote(probabilities: Sequence[np.ndarray] | np.ndarray, weights: Sequence[float] | None = None) -> np.ndarray:
    """Weighted mean of several predictions of the same faces.

    Args:
        probabilities: one array per prediction, each of shape (N, classes), rows summing to 1.
        weights: one weight per prediction, at least 0 and not all 0; equal weights by default.

    Returns:
        float32, shape (N, classes), rows summing to 1.

    Raises:
        ValueError: there is no prediction, or the arrays differ in shape.
        ZeroDivisionError: the weights sum to 0.
    """
    votes = np.stack(list(probabilities)).astype(np.float64)
    return np.average(votes, axis=0, weights=weights).astype(np.float32)


def renormalize(probabilities: np.ndarray, kept: Sequence[int]) -> np.ndarray:
    """Probabilities of some classes, given that one of them is the true class.

    Args:
        probabilities: float, shape (N, classes), rows summing to 1.
        kept: indices of the classes to keep.

    Returns:
        float32, shape (N, len(kept)), rows summing to 1; uniform where all kept classes had probability 0.
    """
    chosen = np.maximum(probabilities[:, list(kept)].astype(np.float64), np.finfo(np.float32).tiny)
    return (chosen / chosen.sum(axis=1, keepdims=True)).astype(np.float32)


def average_views(views: Sequence[np.ndarray] | np.ndarray, kept: Sequence[int]) -> np.ndarray:
    """Average the predictions of several views of each face, each renormalized to the kept classes first.

    Args:
        views: one array per view, such as a face and its mirror image, each of shape (N, classes).
        kept: indices of the classes to keep.

    Returns:
        float32, shape (N, len(kept)), rows summing to 1.
    """
    return soft_vote([renormalize(view, kept) for view in views])


def apply_temperature(probabilities: np.ndarray, temperature: float) -> np.ndarray:
    """The probabilities after dividing the logits by ``temperature`` (Guo et al. 2017, section 4.2).

    Args:
        probabilities: float, shape (N, classes), rows summing to 1.
        temperature: above 1 lowers the confidence, below 1 raises it; the predicted class never changes.

    Returns:
        float32, shape (N, classes), rows summing to 1.
    """
    logits = np.log(np.maximum(probabilities.astype(np.float64), 1e-30)) / temperature
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    return (powers / powers.sum(axis=1, keepdims=True)).astype(np.float32)
