"""Soft voting and the search of its weights, conditioning on classes, and temperature."""

from itertools import permutations

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from sklearn.metrics import log_loss

from facial_expression.ensembling import condition, fit_weights, soft_vote, soften


def voters(seed, count, n=40, classes=3):
    random = np.random.default_rng(seed)
    probabilities = [random.dirichlet(np.ones(classes), n).astype(np.float32) for _ in range(count)]
    return probabilities, random.integers(0, classes, n)


def test_vote_is_the_mean():
    first, second = np.float32([[0.8, 0.2], [0.5, 0.5]]), np.float32([[0.2, 0.8], [0.1, 0.9]])
    vote = soft_vote([first, second])
    assert vote.dtype == np.float32
    np.testing.assert_allclose(vote, [[0.5, 0.5], [0.3, 0.7]], atol=1e-7)


def test_vote_follows_the_weights_whatever_their_sum():
    first, second = np.float32([[1, 0]]), np.float32([[0, 1]])
    np.testing.assert_allclose(soft_vote([first, second], [3, 1]), [[0.75, 0.25]])


def test_vote_of_different_shapes_is_refused():
    with pytest.raises(ValueError, match="shape"):
        soft_vote([np.ones((2, 3)), np.ones((3, 3))])


@settings(deadline=None)
@given(st.integers(0, 1000), st.integers(1, 5))
def test_vote_sums_to_one_and_stays_between_its_voters(seed, count):
    probabilities, _ = voters(seed, count)
    vote = soft_vote(probabilities)
    np.testing.assert_allclose(vote.sum(axis=1), 1, atol=1e-6)
    assert (vote >= np.min(probabilities, axis=0) - 1e-6).all()
    assert (vote <= np.max(probabilities, axis=0) + 1e-6).all()


def test_a_voter_that_knows_gets_everything():
    labels = np.array([0, 1, 0, 1])
    knows = np.float32([[0.99, 0.01], [0.01, 0.99]])[labels]
    guesses = np.full((4, 2), 0.5, np.float32)
    assert fit_weights([guesses, knows, guesses], labels) == (0, 1, 0)


def test_known_optimum_of_two_voters():
    # The loss is -(3 log w + log(1 - w)) up to a constant: the best w is 3/4.
    first, second = np.float32([[1, 0]] * 3 + [[0, 1]]), np.float32([[0, 1]] * 3 + [[1, 0]])
    assert fit_weights([first, second], np.zeros(4, int)) == pytest.approx((0.75, 0.25))


@settings(deadline=None)
@given(st.integers(0, 200))
def test_no_weighting_of_the_grid_is_better(seed):
    probabilities, labels = voters(seed, 3)
    weights = fit_weights(probabilities, labels, step=0.25)
    assert sum(weights) == pytest.approx(1)

    def loss(weights):
        vote = np.average(np.float64(probabilities), axis=0, weights=weights)
        return log_loss(labels, vote / vote.sum(axis=1, keepdims=True), labels=range(3))

    grid = [(a, b, 4 - a - b) for a in range(5) for b in range(5 - a)]
    assert loss(weights) == pytest.approx(min(loss(units) for units in grid), abs=1e-6)


def test_among_equals_the_most_even_wins():
    probabilities, labels = voters(0, 1)
    assert fit_weights(probabilities * 2, labels) == (0.5, 0.5)
    assert fit_weights(probabilities * 4, labels) == (0.25, 0.25, 0.25, 0.25)
    assert fit_weights(probabilities * 3, labels) == pytest.approx((0.3, 0.35, 0.35))


@pytest.mark.parametrize("seed", range(40))
def test_rounding_does_not_break_a_tie(seed):
    probabilities = np.random.default_rng(seed).dirichlet(np.ones(3), 40)
    assert fit_weights([probabilities] * 2, np.zeros(40, int)) == (0.5, 0.5)


def test_weights_move_with_their_voters():
    probabilities, labels = voters(5, 3)
    weights = fit_weights(probabilities, labels)
    assert len(set(weights)) > 1
    for order in permutations(range(3)):
        assert fit_weights([probabilities[i] for i in order], labels) == tuple(weights[i] for i in order)


def test_a_face_that_all_find_impossible_leaves_the_choice_to_the_others():
    labels = np.array([0, 0])
    assert fit_weights([np.float32([[0, 1], [0.2, 0.8]]), np.float32([[0, 1], [0.9, 0.1]])], labels) == (0, 1)


def test_a_single_voter_has_all_the_weight():
    probabilities, labels = voters(0, 1)
    assert fit_weights(probabilities, labels) == (1,)


@pytest.mark.parametrize("step", [0.3, 2])
def test_uneven_step_is_refused(step):
    probabilities, labels = voters(0, 2)
    with pytest.raises(ValueError, match="step must divide 1"):
        fit_weights(probabilities, labels, step=step)


def test_no_voter_is_refused():
    with pytest.raises(ValueError, match="at least one voter"):
        fit_weights([], np.zeros(2, int))


@st.composite
def rows_of_probabilities(draw, least=0.0):
    """Float32 rows that sum to 1 before rounding; zeros, ties and near ties among them unless ``least`` is above 0."""
    shape = draw(st.tuples(st.integers(1, 4), st.integers(2, 7)))
    drawn = draw(arrays(np.float64, shape, elements=st.floats(least, 1)))
    assume((drawn.sum(axis=1) > 1e-3).all())
    return (drawn / drawn.sum(axis=1, keepdims=True)).astype(np.float32)


probable = rows_of_probabilities()
temperatures = st.floats(0.1, 10)


@st.composite
def with_kept_classes(draw):
    probabilities = draw(probable)
    classes = draw(st.permutations(range(probabilities.shape[1])))
    return probabilities, classes[: draw(st.integers(1, len(classes)))]


def is_never_reversed(before, after):
    """Whether what was larger in a row of ``before`` is at least as large in ``after``."""
    larger = before[:, :, None] > before[:, None, :]
    return (~larger | (after[:, :, None] >= after[:, None, :])).all()


def test_condition_by_hand():
    probabilities = np.float32([[0.1, 0.2, 0.3, 0.4], [0.5, 0.5, 0, 0]])
    conditioned = condition(probabilities, [3, 1])
    assert conditioned.dtype == np.float32
    np.testing.assert_allclose(conditioned, [[2 / 3, 1 / 3], [0, 1]], atol=1e-7)


@given(with_kept_classes())
def test_conditioned_rows_sum_to_one_and_keep_their_order_and_their_ratios(case):
    probabilities, kept = case
    conditioned = condition(probabilities, kept)
    assert conditioned.shape == (len(probabilities), len(kept))
    np.testing.assert_allclose(conditioned.sum(axis=1), 1, atol=1e-6)
    chosen = probabilities[:, kept]
    assert is_never_reversed(chosen, conditioned)
    possible = chosen.sum(axis=1) > 1e-20
    products = conditioned[:, :, None] * chosen[:, None, :]
    np.testing.assert_allclose(products[possible], products.transpose(0, 2, 1)[possible], rtol=1e-5, atol=1e-20)


@given(probable)
def test_condition_on_all_classes_changes_nothing(probabilities):
    np.testing.assert_allclose(condition(probabilities, range(probabilities.shape[1])), probabilities, atol=1e-6)


def test_classes_thought_impossible_are_all_alike():
    probabilities = np.float32([[1, 0, 0, 0], [0, 0.5, 0.5, 0]])
    np.testing.assert_allclose(condition(probabilities, [1, 2, 3]), [[1 / 3] * 3, [0.5, 0.5, 0]], atol=1e-7)


def test_soften_divides_the_logits():
    logits = np.random.default_rng(0).normal(0, 3, (50, 5))
    for temperature in (0.5, 1.7, 4):
        powers = np.exp(logits / temperature)
        softened = soften(np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True), temperature)
        assert softened.dtype == np.float32
        np.testing.assert_allclose(softened, powers / powers.sum(axis=1, keepdims=True), atol=1e-6)


@given(probable, temperatures)
def test_softened_rows_sum_to_one_and_keep_their_order(probabilities, temperature):
    softened = soften(probabilities, temperature)
    assert softened.shape == probabilities.shape
    np.testing.assert_allclose(softened.sum(axis=1), 1, atol=1e-6)
    assert is_never_reversed(probabilities, softened)


@given(probable)
def test_temperature_of_one_changes_nothing(probabilities):
    np.testing.assert_allclose(soften(probabilities, 1), probabilities, atol=1e-6)


@given(probable, st.floats(0.1, 0.99), st.floats(1.01, 10))
def test_low_temperature_makes_more_certain_and_high_more_even(probabilities, low, high):
    most = probabilities.max(axis=1)
    assert (soften(probabilities, low).max(axis=1) >= most - 1e-6).all()
    assert (soften(probabilities, high).max(axis=1) <= most + 1e-6).all()


# Within these bounds no probability in between is so small that it would be cut off.
@given(rows_of_probabilities(least=0.05), st.floats(0.5, 5), st.floats(0.5, 5))
def test_softening_twice_is_softening_by_the_product(probabilities, first, second):
    twice = soften(soften(probabilities, first), second)
    np.testing.assert_allclose(twice, soften(probabilities, first * second), atol=1e-6)


def test_softened_certainty_stays_certain_and_finite():
    certain = np.float32([[0, 1, 0], [1, 0, 0]])
    np.testing.assert_allclose(soften(certain, 3), certain, atol=1e-6)
