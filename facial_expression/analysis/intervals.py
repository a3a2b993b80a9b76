"""95% intervals: of fractions, and of means over faces of which some show the same picture."""

from collections.abc import Callable, Sequence
from typing import TypedDict

import numpy as np
from scipy.stats import binomtest

RESAMPLES = 10_000
FEWER_RESAMPLES = 1000
"""For statistics that must be computed anew for each resample."""


class Ends(TypedDict):
    """The ends of a 95% interval."""

    low: float
    high: float


class Fraction(TypedDict):
    """A fraction with the ends of its 95% interval, each 0 to 1, and the number of faces behind it."""

    value: float
    low: float
    high: float
    n: int


def wilson(successes: int, n: int) -> Fraction | None:
    """The fraction of successes with Wilson's score interval (Wilson 1927), rounded to 6 decimals; None for n = 0.

    Unlike the bootstrap's, it stays wide where few faces are all right or all wrong.
    """
    if n == 0:
        return None
    interval = binomtest(successes, n).proportion_ci(method="wilson")
    value, low, high = (round(float(end), 6) for end in (successes / n, interval.low, interval.high))
    return {"value": value, "low": low, "high": high, "n": n}


def share(correct: np.ndarray) -> Fraction | None:
    """The fraction of true values in a bool array, with its interval; None for an empty one."""
    return wilson(int(correct.sum()), len(correct))


def cluster_interval(values: np.ndarray, clusters: np.ndarray, seed: int) -> tuple[float, float]:
    """95% interval of a mean, by a bootstrap that draws whole clusters (Davison & Hinkley 1997, section 3.8).

    Faces that show the same picture are right or wrong together, so they count as one draw. Clusters with the same
    size and the same sum are exchangeable; so it is enough to draw how often each such kind occurs.

    Args:
        values: float or int, shape (N,), such as 1 for a correct prediction and 0 for a wrong one.
        clusters: shape (N,), a key per face, equal for the same picture.
        seed: of the bootstrap.

    Returns:
        Both ends, rounded to 6 decimals.
    """
    _, member = np.unique(clusters, return_inverse=True)
    sizes, sums = np.bincount(member), np.bincount(member, weights=values)
    kinds, counts = np.unique(np.stack([sizes, sums]), axis=1, return_counts=True)
    drawn = np.random.default_rng(seed).multinomial(len(sizes), counts / len(sizes), size=RESAMPLES)
    means = (drawn @ kinds[1]) / (drawn @ kinds[0])
    low, high = np.quantile(means, [0.025, 0.975])
    return round(float(low), 6), round(float(high), 6)


def resample_faces(clusters: np.ndarray, seed: int) -> list[np.ndarray]:
    """Bootstrap samples of faces that draw whole clusters, for statistics that are no means.

    Args:
        clusters: shape (N,), a key per face, equal for the same picture.
        seed: of the bootstrap.

    Returns:
        ``FEWER_RESAMPLES`` arrays of indices of faces.
    """
    order = np.argsort(clusters, kind="stable")
    _, starts, sizes = np.unique(clusters[order], return_index=True, return_counts=True)
    generator = np.random.default_rng(seed)
    samples = []
    for _ in range(FEWER_RESAMPLES):
        drawn = generator.integers(0, len(starts), len(starts))
        within = np.arange(sizes[drawn].sum()) - np.repeat(np.cumsum(sizes[drawn]) - sizes[drawn], sizes[drawn])
        samples.append(order[np.repeat(starts[drawn], sizes[drawn]) + within])
    return samples


def interval_over(samples: Sequence[np.ndarray], statistic: Callable[[np.ndarray], float]) -> Ends:
    """95% percentile interval of a statistic of faces, which takes their indices."""
    low, high = np.quantile([statistic(sample) for sample in samples], [0.025, 0.975])
    return {"low": round(float(low), 6), "high": round(float(high), 6)}


def mean_and_deviation(values: Sequence[float]) -> dict[str, float | int | None]:
    """``mean``, ``deviation`` (of a sample; None for a single value) and ``n``, rounded to 6 decimals."""
    deviation = round(float(np.std(values, ddof=1)), 6) if len(values) > 1 else None
    return {"mean": round(float(np.mean(values)), 6), "deviation": deviation, "n": len(values)}
