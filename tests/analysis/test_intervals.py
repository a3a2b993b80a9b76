import numpy as np
import pytest

from facial_expression.analysis.intervals import (
    cluster_interval,
    interval_over,
    mean_and_deviation,
    resample_faces,
    share,
    wilson,
)


def test_wilson_interval_of_a_known_case():
    """Newcombe 1998, Statistics in Medicine 17, table I, method 3: 81 of 263."""
    rounded = {key: round(value, 4) for key, value in wilson(81, 263).items()}
    assert rounded == {"value": 0.308, "low": 0.2553, "high": 0.3662, "n": 263}


def test_all_right_leaves_room_for_doubt():
    assert wilson(5, 5)["low"] < 0.6
    assert wilson(5, 5)["high"] == 1


def test_fraction_of_nothing_is_none():
    assert wilson(0, 0) is None
    assert share(np.zeros(0, bool)) is None


def test_clusters_of_one_give_the_interval_of_faces():
    values = np.arange(1000) % 4 == 0
    low, high = cluster_interval(values, np.arange(1000), seed=1)
    assert low == pytest.approx(0.25 - 1.96 * np.sqrt(0.25 * 0.75 / 1000), abs=0.003)
    assert high == pytest.approx(0.25 + 1.96 * np.sqrt(0.25 * 0.75 / 1000), abs=0.003)


def test_copies_of_every_face_widen_the_interval():
    """A hundred faces, each four times, say as much as a hundred faces."""
    values, clusters = np.repeat(np.arange(100) % 2, 4), np.repeat(np.arange(100), 4)
    low, high = cluster_interval(values, clusters, seed=1)
    assert high - low == pytest.approx(2 * 1.96 * 0.5 / 10, abs=0.02)
    assert cluster_interval(values, clusters, seed=1) == (low, high)


def test_deviation_needs_two_values():
    assert mean_and_deviation([0.5]) == {"mean": 0.5, "deviation": None, "n": 1}
    assert mean_and_deviation([0.4, 0.6]) == {"mean": 0.5, "deviation": pytest.approx(0.141421), "n": 2}


def test_samples_hold_clusters_as_a_whole():
    clusters = np.array([7, 3, 7, 5, 3, 7])
    samples = resample_faces(clusters, seed=1)
    for sample in samples:
        counts = np.bincount(sample, minlength=6)
        assert counts[0] == counts[2] == counts[5]
        assert counts[1] == counts[4]
        assert counts[0] + counts[1] + counts[3] == 3
    assert len({tuple(sample) for sample in samples}) > 5


def test_interval_of_a_mean_is_the_same_either_way():
    values, clusters = np.arange(600) % 3 == 0, np.arange(600) // 2
    ends = interval_over(resample_faces(clusters, seed=1), lambda faces: float(values[faces].mean()))
    assert (ends["low"], ends["high"]) == pytest.approx(cluster_interval(values, clusters, seed=1), abs=0.006)
