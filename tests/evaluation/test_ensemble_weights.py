"""Ensemble weights: the optimum of the likelihood, checked against independent solvers."""

from decimal import Decimal
from itertools import permutations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize

from facial_expression.evaluation.ensemble_weights import fit_ensemble_weights


def random_members(seed, count, n=40, classes=3):
    random = np.random.default_rng(seed)
    probabilities = [random.dirichlet(np.ones(classes), n).astype(np.float32) for _ in range(count)]
    return probabilities, random.integers(0, classes, n)


def realistic_members(seed, count, n=3500, classes=6):
    """Members whose errors are correlated, 60% to 70% accurate, as networks trained on FER2013 are."""
    random = np.random.default_rng(seed)
    labels = random.integers(0, classes, n)
    signal, shared = 1.6 * np.eye(classes)[labels], np.sqrt(0.85) * random.normal(size=(n, classes))
    members = []
    for _ in range(count):
        logits = random.uniform(0.95, 1.05) * signal + shared + np.sqrt(0.15) * random.normal(size=(n, classes))
        powers = np.exp(random.uniform(1, 2) * logits)
        members.append((powers / powers.sum(axis=1, keepdims=True)).astype(np.float32))
    return members, labels


def likelihoods(probabilities, labels):
    """The probability of each face's label by each member: float64, shape (members, faces)."""
    of_label = np.stack([member[np.arange(len(labels)), labels] for member in probabilities])
    return np.maximum(of_label.astype(np.float64), 1e-12)


def loss(weights, probabilities, labels):
    return -np.log(np.asarray(weights) @ likelihoods(probabilities, labels)).mean()


def solve(probabilities, labels):
    """The least loss over all weights, by sequential quadratic programming instead of expectation-maximization."""
    of_label = likelihoods(probabilities, labels)
    count = len(of_label)
    return minimize(
        lambda weights: -np.log(weights @ of_label).mean(),
        np.full(count, 1 / count),
        jac=lambda weights: -(of_label / (weights @ of_label)).mean(axis=1),
        bounds=[(1e-9, 1)] * count,
        constraints={"type": "eq", "fun": lambda weights: weights.sum() - 1},
        method="SLSQP",
        options={"ftol": 1e-12, "maxiter": 1000},
    )


@settings(max_examples=60)
@given(st.integers(0, 10_000), st.integers(2, 6), st.integers(5, 60))
def test_loss_is_that_of_an_independent_solver(seed, count, n):
    probabilities, labels = random_members(seed, count, n)
    weights = fit_ensemble_weights(probabilities, labels)
    assert loss(weights, probabilities, labels) == pytest.approx(solve(probabilities, labels).fun, abs=2e-6)


@pytest.mark.parametrize("seed", range(4))
def test_weights_are_those_of_an_independent_solver(seed):
    probabilities, labels = realistic_members(seed, 3)
    weights = fit_ensemble_weights(probabilities, labels)
    np.testing.assert_allclose(weights, solve(probabilities, labels).x, atol=1e-3)


@settings(max_examples=30)
@given(st.integers(0, 10_000))
def test_two_weights_are_the_best_of_a_fine_grid(seed):
    probabilities, labels = random_members(seed, 2)
    grid = np.linspace(0, 1, 10_001)
    losses = -np.log(np.stack([grid, 1 - grid], axis=1) @ likelihoods(probabilities, labels)).mean(axis=1)
    assert fit_ensemble_weights(probabilities, labels)[0] == pytest.approx(grid[losses.argmin()], abs=2e-4)


@settings(max_examples=30)
@given(st.integers(0, 10_000))
def test_no_weights_of_a_grid_are_better(seed):
    probabilities, labels = random_members(seed, 3)
    steps = np.arange(21)
    grid = np.array([(a, b, 20 - a - b) for a in steps for b in steps if a + b <= 20]) / 20
    losses = -np.log(grid @ likelihoods(probabilities, labels)).mean(axis=1)
    assert loss(fit_ensemble_weights(probabilities, labels), probabilities, labels) <= losses.min() + 1e-6


def test_known_optimum_of_two_members():
    # The loss is -(3 log w + log(1 - w)) up to a constant: the best w is 3/4.
    first, second = np.float32([[1, 0]] * 3 + [[0, 1]]), np.float32([[0, 1]] * 3 + [[1, 0]])
    assert fit_ensemble_weights([first, second], np.zeros(4, int)) == (0.75, 0.25)


@pytest.mark.parametrize("count", [1, 2, 4, 5, 8])
def test_equal_members_get_equal_weights(count):
    probabilities, labels = random_members(0, 1)
    assert fit_ensemble_weights(probabilities * count, labels) == (1 / count,) * count


def test_rounding_goes_to_one_of_three_equal_members():
    probabilities, labels = random_members(0, 1)
    assert sorted(fit_ensemble_weights(probabilities * 3, labels)) == [0.3333, 0.3333, 0.3334]


@pytest.mark.parametrize("seed", range(5))
def test_member_listed_twice_shares_its_weight(seed):
    (first, second), labels = random_members(seed, 2)
    alone, other = fit_ensemble_weights([first, second], labels)
    shared = fit_ensemble_weights([first, second, first], labels)
    np.testing.assert_allclose(shared, (alone / 2, other, alone / 2), atol=2e-4)


def test_perfect_member_gets_everything():
    labels = np.array([0, 1, 0, 1])
    perfect = np.float32([[0.99, 0.01], [0.01, 0.99]])[labels]
    guesses = np.full((4, 2), 0.5, np.float32)
    assert fit_ensemble_weights([guesses, perfect, guesses], labels) == (0, 1, 0)


@pytest.mark.parametrize("seed", range(3))
def test_useless_member_gets_nothing(seed):
    probabilities, labels = realistic_members(seed, 2)
    useless = probabilities[0][np.random.default_rng(seed).permutation(len(labels))]
    assert fit_ensemble_weights([*probabilities, useless], labels)[2] < 0.02


def test_member_worse_on_every_face_gets_nothing():
    probabilities, labels = realistic_members(0, 1)
    worse = 0.5 * probabilities[0] + 0.5 / 6
    worse[np.arange(len(labels)), labels] = 0.9 * probabilities[0][np.arange(len(labels)), labels]
    assert fit_ensemble_weights([worse, probabilities[0], worse], labels) == (0, 1, 0)


@settings(max_examples=60)
@given(st.integers(0, 10_000), st.integers(1, 12))
def test_weights_sum_to_exactly_one(seed, count):
    weights = fit_ensemble_weights(*random_members(seed, count, n=20))
    assert len(weights) == count
    assert sum(Decimal(str(weight)) for weight in weights) == 1  # to the last of four decimals
    assert all(0 <= weight <= 1 and weight == round(weight, 4) for weight in weights)


def test_weights_follow_the_order_of_their_members():
    probabilities, labels = random_members(5, 3)
    weights = fit_ensemble_weights(probabilities, labels)
    assert len(set(weights)) == 3
    for order in permutations(range(3)):
        assert fit_ensemble_weights([probabilities[i] for i in order], labels) == tuple(weights[i] for i in order)


@pytest.mark.parametrize("count", [6, 12])
def test_many_members_reach_the_optimum(count):
    probabilities, labels = realistic_members(1, count)
    weights = np.array(fit_ensemble_weights(probabilities, labels))
    of_label = likelihoods(probabilities, labels)
    # At the optimum of a concave likelihood, no member's gradient exceeds that of the mixture, which is 1.
    gradients = (of_label / (weights @ of_label)).mean(axis=1)
    assert gradients.max() < 1 + 1e-3
    np.testing.assert_allclose(gradients[weights > 0.001], 1, atol=1e-3)


@pytest.mark.parametrize("seed", range(3))
def test_default_tolerance_is_converged(seed):
    probabilities, labels = realistic_members(seed, 6)
    longer = fit_ensemble_weights(probabilities, labels, tolerance=1e-12, max_iterations=1_000_000)
    assert fit_ensemble_weights(probabilities, labels) == longer


def test_first_iteration_by_hand():
    first, second = np.float32([[0.6, 0.4], [0.2, 0.8]]), np.float32([[0.2, 0.8], [0.3, 0.7]])
    # Responsibilities of the first member for the labels 0 and 1: 0.6 / 0.8 and 0.8 / 1.5.
    weights = fit_ensemble_weights([first, second], np.array([0, 1]), max_iterations=1)
    assert weights == (round((0.75 + 0.8 / 1.5) / 2, 4), round((0.25 + 0.7 / 1.5) / 2, 4))


def test_face_without_any_probability_is_left_to_the_rest():
    labels = np.array([0, 0])
    first, second = np.float32([[0, 1], [0.2, 0.8]]), np.float32([[0, 1], [0.9, 0.1]])
    assert fit_ensemble_weights([first, second], labels) == (0, 1)


def test_equal_weights_if_no_face_has_any_probability():
    wrong = np.float32([[0, 1]] * 3)
    assert fit_ensemble_weights([wrong, wrong], np.zeros(3, int)) == (0.5, 0.5)


def test_rejects_no_members():
    with pytest.raises(ValueError, match="at least one member"):
        fit_ensemble_weights([], np.zeros(2, int))
