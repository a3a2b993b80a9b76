"""The networks that are served: which snapshots they are, and how they become one network."""

from collections.abc import Mapping, Sequence
from typing import Any

import keras

from facial_expression.errors import UserError


def choose_members(
    models: Mapping[str, Mapping[str, Any]], candidates: Sequence[str], wanted: Sequence[str] = ()
) -> dict[str, int]:
    """The best snapshots of the wanted runs; by default, the single best snapshot of the candidates.

    Args:
        models: model -> record (:meth:`facial_expression.evaluation.models.Model.record`).
        candidates: runs to choose from by validation accuracy, the first among equals.
        wanted: runs that are served together.

    Returns:
        Run -> iteration.

    Raises:
        UserError: a wanted run, or every candidate, has no record.
    """
    missing = [name for name in wanted if name not in models]
    known = [name for name in models if name in candidates]
    if missing or not (wanted or known):
        listing = ", ".join(models) or "no models"
        raise UserError(
            f"{missing[0]} has no record among {listing}: evaluate it, or change export.runs"
            if missing
            else f"none of {listing} can be served: add a run with the input export.input to the protocol"
        )
    chosen = list(wanted) or [max(known, key=lambda name: models[name]["validation_accuracy"])]
    return {name: models[name]["snapshots"][name][0] for name in chosen}


def average_networks(networks: Sequence[keras.Model]) -> keras.Model:
    """A network that averages the probabilities of several, which have different names; a single one stays as it is."""
    if len(networks) == 1:
        return networks[0]
    pixels = keras.Input(networks[0].input_shape[1:], name=networks[0].inputs[0].name)
    probabilities = keras.layers.Average(name="probabilities")([network(pixels) for network in networks])
    return keras.Model(pixels, probabilities, name="average")


def restrict_classes(network: keras.Model, kept: Sequence[int], name: str | None = None) -> keras.Model:
    """A network that only predicts some of the classes, under another name if one is given.

    Dropping the other logits before the softmax gives the probabilities of
    :func:`facial_expression.probabilities.renormalize`.
    """
    head = network.layers[-1]
    restricted = keras.layers.Dense(len(kept), activation="softmax", name=head.name)
    model = keras.Model(network.inputs, restricted(head.input), name=name or network.name)
    kernel, bias = head.get_weights()
    restricted.set_weights([kernel[:, list(kept)], bias[list(kept)]])
    return model
