"""Training ResNet-34 by growing it: out of a trained network of ten layers, which cost a quarter per picture or less.

Where time is short, a deep network learns most of what it knows while it is still shallow (Gong et al., "Efficient
Training of BERT by Progressively Stacking", ICML 2019, measure the same for transformers).
"""

import hashlib
from pathlib import Path

import keras
import pandas as pd

from facial_expression import snapshots
from facial_expression.networks import resnet34
from facial_expression.params import ResidualRecipe
from facial_expression.training import train


def train_grown(
    network: keras.Model, recipe: ResidualRecipe, shallower: str | Path, description: dict | None = None, **arguments
) -> pd.DataFrame:
    """Train ResNet-34 from what a shallower network knows, and write it as a model directory.

    Args:
        network: freshly built, with more blocks than the shallower one.
        recipe: of this training; its schedule begins anew.
        shallower: model directory of the shallower network, whose last snapshot is taken.
        description: whatever else shall stand in ``recipe.json``, beside that snapshot and its sha256.
        arguments: those of :func:`facial_expression.training.train`, as are the errors.

    Returns:
        History as ``train`` returns it.

    Raises:
        FileNotFoundError: the shallower network has no snapshot.
        ValueError: it has other inputs or outputs, or learned from other pictures or at another resolution than the
            recipe says.
    """
    iteration = snapshots.list_snapshots(shallower)[-1]
    start = snapshots.load_network(shallower)
    if (start.input_shape, start.output_shape) != (network.input_shape, network.output_shape):
        raise ValueError(f"{shallower} is a network for other pictures or classes: train it anew with `dvc repro`")
    learned = snapshots.read_description(shallower)["recipe"]
    for key in ("pictures", "stem_pool"):
        if learned.get(key) != getattr(recipe, key):
            raise ValueError(
                f"{shallower} was trained with {key}: {learned.get(key)}, what grows from it asks for "
                f"{getattr(recipe, key)}: train it anew with `dvc repro`"
            )
    snapshots.load_snapshot(start, shallower, iteration)
    resnet34.grow(start, network)
    weights = snapshots.snapshot_path(shallower, iteration).read_bytes()
    origin = {"iteration": iteration, "sha256": hashlib.sha256(weights).hexdigest()}
    return train(network, recipe, description={**(description or {}), "grown_from": origin}, **arguments)
