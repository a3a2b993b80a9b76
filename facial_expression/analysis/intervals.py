"""95% intervals of fractions."""

from typing import NamedTuple

from scipy.stats import binomtest


class Fraction(NamedTuple):
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
    return Fraction(value, low, high, n)
