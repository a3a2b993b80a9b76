"""What the training scripts share: where their input lies and where their output goes."""

import argparse
import sys
from collections.abc import Callable
from pathlib import Path

import keras
import pandas as pd

from facial_expression import runtime
from facial_expression.atomic import replacing
from facial_expression.params import Params, Recipe, load_params
from facial_expression.protocols import PROTOCOLS
from facial_expression.training import train
from stages.faces import read_faces


def main(family: str, build: Callable[..., keras.Model], train: Callable[..., pd.DataFrame] = train) -> None:
    """Train one family of networks under the protocol that the command line names.

    Args:
        family: its name in ``params.yaml`` and of its outputs.
        build: the network, from number of classes, side of the pictures in pixels, and what the recipe says of its
            architecture.
        train: how to train it; called as :func:`facial_expression.training.train` is.
    """
    parser = argparse.ArgumentParser(description=f"Train the {family} network")
    parser.add_argument("--protocol", choices=PROTOCOLS, required=True)
    parser.add_argument("--time-budget", type=float, metavar="MINUTES", help="goes before that of params.yaml")
    arguments = parser.parse_args()
    protocol, budget = arguments.protocol, arguments.time_budget
    try:
        params = load_params()
        recipe = getattr(getattr(params, f"train_{family}"), protocol)
        if budget is not None:
            recipe = type(recipe).model_validate(recipe.model_dump() | {"time_budget": budget})
        history = _train(build, train, params, recipe, protocol, family)
    except (RuntimeError, FileNotFoundError, ValueError) as error:
        sys.exit(f"train_{family}: {error}")
    with replacing(Path(f"reports/{protocol}/history_{family}.csv")) as temporary:
        history.to_csv(temporary, index=False, float_format="%.6f", lineterminator="\n")


def _train(build, train, params: Params, recipe: Recipe, protocol: str, family: str) -> pd.DataFrame:
    runtime.prepare(params.runtime, recipe.seed)
    table = read_faces(recipe.pictures).under(protocol)
    return train(
        build(len(table.classes), table.images.shape[1], **recipe.architecture),
        recipe,
        table.classes,
        training=table.part(protocol, "training"),
        validation=table.part(protocol, "validation"),
        model_directory=f"models/{protocol}/{family}",
        workspace=f".checkpoints/{protocol}/{family}",
        description={"protocol": protocol, "runtime": runtime.describe(params.runtime)},
    )
