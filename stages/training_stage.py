"""What the three training scripts share: where their input lies and where their output goes."""

import argparse
import sys
from collections.abc import Callable
from pathlib import Path

import keras

from facial_expression import runtime
from facial_expression.atomic import replacing
from facial_expression.facetable import read_face_table
from facial_expression.params import load_params
from facial_expression.protocols import PROTOCOLS
from facial_expression.training import train


def main(family: str, build: Callable[[int, int], keras.Model]) -> None:
    """Train one family of networks under the protocol that the command line names."""
    parser = argparse.ArgumentParser(description=f"Train the {family} network")
    parser.add_argument("--protocol", choices=PROTOCOLS, required=True)
    protocol = parser.parse_args().protocol
    try:
        _train(family, build, protocol)
    except (RuntimeError, FileNotFoundError, ValueError) as error:
        sys.exit(f"train_{family}: {error}")


def _train(family: str, build: Callable[[int, int], keras.Model], protocol: str) -> None:
    params = load_params()
    recipe = getattr(params, f"train_{family}")
    runtime.prepare(params.runtime, recipe.seed)
    table = read_face_table("data/filtered")
    history = train(
        build(len(table.classes), table.images.shape[1]),
        recipe,
        table.classes,
        training=table.part(protocol, "training"),
        validation=table.part(protocol, "validation"),
        model_directory=f"models/{protocol}/{family}",
        workspace=f".checkpoints/{protocol}/{family}",
        description={"protocol": protocol, "runtime": runtime.describe()},
    )
    with replacing(Path(f"reports/{protocol}/history_{family}.csv")) as temporary:
        history.to_csv(temporary, index=False, float_format="%.6f", lineterminator="\n")
