"""The optimizer and learning-rate schedule of a recipe."""

import keras

from facial_expression.params import Recipe


def make_optimizer(recipe: Recipe) -> keras.optimizers.Optimizer:
    """The study's RMSprop (decay 0.9), Adam, or SGD with Nesterov momentum of 0.9."""
    rate = recipe.learning_rate
    if recipe.schedule == "cosine":
        rate = keras.optimizers.schedules.CosineDecay(
            initial_learning_rate=0.0 if recipe.warmup else recipe.learning_rate,
            decay_steps=recipe.iterations - recipe.warmup,
            warmup_target=recipe.learning_rate if recipe.warmup else None,
            warmup_steps=recipe.warmup,
        )
    shared = {
        "learning_rate": rate,
        "weight_decay": recipe.weight_decay or None,
        "use_ema": recipe.moving_average > 0,
        "ema_momentum": recipe.moving_average or 0.99,
    }
    if recipe.optimizer == "sgd":
        return keras.optimizers.SGD(momentum=0.9, nesterov=True, **shared)
    if recipe.optimizer == "adam":
        return keras.optimizers.Adam(**shared)
    return keras.optimizers.RMSprop(rho=0.9, **shared)
