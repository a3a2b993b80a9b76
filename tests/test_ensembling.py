"""Soft voting and the search of its weights."""

from itertools import permutations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import log_loss

from facial_expression.ensembling import fit_weights, soft_vote


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
