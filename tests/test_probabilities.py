"""Soft voting, renormalization to fewer classes, averaging of views, and temperature."""

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from facial_expression.probabilities import apply_temperature, average_views, renormalize, soft_vote


@st.composite
def rows_of_probabilities(draw, least=0.0):
    """Float32 rows that sum to 1 before rounding; with zeros, ties and near ties unless ``least`` is above 0."""
    shape = draw(st.tuples(st.integers(1, 4), st.integers(2, 7)))
    drawn = draw(arrays(np.float64, shape, elements=st.floats(least, 1)))
    assume((drawn.sum(axis=1) > 1e-3).all())
    return (drawn / drawn.sum(axis=1, keepdims=True)).astype(np.float32)


@st.composite
def with_kept_classes(draw):
    """Probabilities, and some of their classes in any order."""
    probabilities = draw(rows_of_probabilities())
    classes = draw(st.permutations(range(probabilities.shape[1])))
    return probabilities, classes[: draw(st.integers(1, len(classes)))]


def keeps_order(before, after):
    """Whether what was larger in a row of ``before`` is at least as large in ``after``."""
    larger = before[:, :, None] > before[:, None, :]
    return (~larger | (after[:, :, None] >= after[:, None, :])).all()


def test_vote_is_mean_by_default():
    first, second = np.float32([[0.8, 0.2], [0.5, 0.5]]), np.float32([[0.2, 0.8], [0.1, 0.9]])
    vote = soft_vote([first, second])
    assert vote.dtype == np.float32
    np.testing.assert_allclose(vote, [[0.5, 0.5], [0.3, 0.7]], atol=1e-7)


def test_vote_normalizes_weights():
    first, second = np.float32([[1, 0]]), np.float32([[0, 1]])
    np.testing.assert_allclose(soft_vote([first, second], [3, 1]), [[0.75, 0.25]])


def test_vote_rejects_different_shapes():
    with pytest.raises(ValueError, match="shape"):
        soft_vote([np.ones((2, 3)), np.ones((3, 3))])


def test_vote_rejects_no_predictions_and_zero_weights():
    with pytest.raises(ValueError, match="at least one array"):
        soft_vote([])
    with pytest.raises(ZeroDivisionError):
        soft_vote([np.ones((2, 3))] * 2, [0, 0])


@given(st.integers(0, 1000), st.integers(1, 5))
def test_vote_lies_between_its_members(seed, count):
    generator = np.random.default_rng(seed)
    probabilities = generator.dirichlet(np.ones(3), (count, 40)).astype(np.float32)
    vote = soft_vote(probabilities)
    np.testing.assert_allclose(vote.sum(axis=1), 1, atol=1e-6)
    assert (vote >= probabilities.min(axis=0) - 1e-6).all()
    assert (vote <= probabilities.max(axis=0) + 1e-6).all()


def test_renormalizes_kept_classes_in_given_order():
    probabilities = np.float32([[0.1, 0.2, 0.3, 0.4], [0.5, 0.5, 0, 0]])
    renormalized = renormalize(probabilities, [3, 1])
    assert renormalized.dtype == np.float32
    np.testing.assert_allclose(renormalized, [[2 / 3, 1 / 3], [0, 1]], atol=1e-7)


@given(with_kept_classes())
def test_renormalizing_keeps_order_and_ratios(case):
    probabilities, kept = case
    renormalized = renormalize(probabilities, kept)
    assert renormalized.shape == (len(probabilities), len(kept))
    np.testing.assert_allclose(renormalized.sum(axis=1), 1, atol=1e-6)
    chosen = probabilities[:, kept]
    assert keeps_order(chosen, renormalized)
    possible = chosen.sum(axis=1) > 1e-20
    products = renormalized[:, :, None] * chosen[:, None, :]
    np.testing.assert_allclose(products[possible], products.transpose(0, 2, 1)[possible], rtol=1e-5, atol=1e-20)


@given(rows_of_probabilities())
def test_renormalizing_to_all_classes_changes_nothing(probabilities):
    np.testing.assert_allclose(renormalize(probabilities, range(probabilities.shape[1])), probabilities, atol=1e-6)


def test_renormalizing_zero_probabilities_is_uniform():
    probabilities = np.float32([[1, 0, 0, 0], [0, 0.5, 0.5, 0]])
    np.testing.assert_allclose(renormalize(probabilities, [1, 2, 3]), [[1 / 3] * 3, [0.5, 0.5, 0]], atol=1e-7)


def test_averages_views_after_renormalizing_each():
    face, mirrored = np.float32([[0.1, 0.1, 0.8]]), np.float32([[0.3, 0.1, 0.6]])
    np.testing.assert_allclose(average_views([face, mirrored], [0, 1]), [[0.625, 0.375]], atol=1e-7)


@given(with_kept_classes(), st.integers(1, 3))
def test_averaging_equal_views_gives_one_of_them(case, views):
    probabilities, kept = case
    averaged = average_views([probabilities] * views, kept)
    assert averaged.dtype == np.float32
    np.testing.assert_allclose(averaged, renormalize(probabilities, kept), atol=1e-6)


def test_temperature_divides_logits():
    logits = np.random.default_rng(0).normal(0, 3, (50, 5))
    for temperature in (0.5, 1.7, 4):
        powers = np.exp(logits / temperature)
        scaled = apply_temperature(np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True), temperature)
        assert scaled.dtype == np.float32
        np.testing.assert_allclose(scaled, powers / powers.sum(axis=1, keepdims=True), atol=1e-6)


@given(rows_of_probabilities(), st.floats(0.1, 10))
def test_temperature_keeps_order(probabilities, temperature):
    scaled = apply_temperature(probabilities, temperature)
    assert scaled.shape == probabilities.shape
    np.testing.assert_allclose(scaled.sum(axis=1), 1, atol=1e-6)
    assert keeps_order(probabilities, scaled)


@given(rows_of_probabilities())
def test_temperature_of_one_changes_nothing(probabilities):
    np.testing.assert_allclose(apply_temperature(probabilities, 1), probabilities, atol=1e-6)


@given(rows_of_probabilities(), st.floats(0.1, 0.99), st.floats(1.01, 10))
def test_confidence_falls_with_temperature(probabilities, low, high):
    confidence = probabilities.max(axis=1)
    assert (apply_temperature(probabilities, low).max(axis=1) >= confidence - 1e-6).all()
    assert (apply_temperature(probabilities, high).max(axis=1) <= confidence + 1e-6).all()


# Within these bounds no intermediate probability is small enough to be clipped.
@given(rows_of_probabilities(least=0.05), st.floats(0.5, 5), st.floats(0.5, 5))
def test_temperatures_multiply(probabilities, first, second):
    twice = apply_temperature(apply_temperature(probabilities, first), second)
    np.testing.assert_allclose(twice, apply_temperature(probabilities, first * second), atol=1e-6)


def test_temperature_keeps_certainty_finite():
    certain = np.float32([[0, 1, 0], [1, 0, 0]])
    np.testing.assert_allclose(apply_temperature(certain, 3), certain, atol=1e-6)
