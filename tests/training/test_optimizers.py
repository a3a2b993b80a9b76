"""Optimizers and learning rates of a recipe."""

import keras
import numpy as np
import pytest

from facial_expression.training.optimizers import make_optimizer
from helpers.training import PLAIN, change

CONSTANT = change(PLAIN, iterations=40, snapshot_every=40, validate_every=40, learning_rate=0.5)


def rates_of(recipe):
    """The learning rate of every iteration, and the one after the last."""
    optimizer = make_optimizer(recipe)
    for iteration in range(recipe.iterations + 1):
        optimizer.iterations.assign(iteration)
        yield float(optimizer.learning_rate)


def test_constant_schedule_keeps_the_learning_rate():
    assert set(rates_of(CONSTANT)) == {0.5}


def test_cosine_schedule_decays_to_zero():
    rates = list(rates_of(change(CONSTANT, schedule="cosine")))
    np.testing.assert_allclose(rates, 0.25 * (1 + np.cos(np.pi * np.arange(41) / 40)), atol=1e-6)


def test_warmup_rises_linearly_before_the_decay():
    rates = list(rates_of(change(CONSTANT, schedule="cosine", warmup=8)))
    np.testing.assert_allclose(rates[:8], 0.5 * np.arange(8) / 8, atol=1e-6)
    np.testing.assert_allclose(rates[8:], 0.25 * (1 + np.cos(np.pi * np.arange(33) / 32)), atol=1e-6)


@pytest.mark.parametrize(
    ("name", "kind", "settings"),
    [
        ("rmsprop", keras.optimizers.RMSprop, {"rho": 0.9, "momentum": 0.0, "centered": False}),
        ("sgd", keras.optimizers.SGD, {"momentum": 0.9, "nesterov": True}),
        ("adam", keras.optimizers.Adam, {"beta_1": 0.9, "beta_2": 0.999}),
    ],
)
def test_optimizer_has_the_documented_settings(name, kind, settings):
    optimizer = make_optimizer(change(PLAIN, optimizer=name))
    assert type(optimizer) is kind
    assert {key: getattr(optimizer, key) for key in settings} == settings
    assert not optimizer.use_ema
    assert optimizer.weight_decay is None


@pytest.mark.parametrize("name", ["rmsprop", "sgd", "adam"])
def test_weight_decay_is_decoupled_from_the_gradient(name):
    optimizer = make_optimizer(change(PLAIN, optimizer=name, learning_rate=0.1, weight_decay=0.01))
    weight = keras.Variable([2.0, -4.0])
    optimizer.apply([keras.ops.zeros(2)], [weight])
    decayed = np.array([2.0, -4.0]) * (1 - 0.1 * 0.01)
    np.testing.assert_allclose(keras.ops.convert_to_numpy(weight), decayed, rtol=1e-6)


@pytest.mark.parametrize("name", ["rmsprop", "sgd", "adam"])
def test_moving_average_has_the_recipes_decay(name):
    optimizer = make_optimizer(change(PLAIN, optimizer=name, moving_average=0.75))
    assert (optimizer.use_ema, optimizer.ema_momentum) == (True, 0.75)
