"""Networks for tests, built in the runtime of the test process."""

import os

import keras
import numpy as np

from facial_expression.networks import available, build_network
from facial_expression.params import Network, Runtime, load_params
from facial_expression.training import runtime
from helpers.project import ROOT


def this_runtime(**changes) -> Runtime:
    """The runtime of this process with some values changed."""
    here = {"backend": keras.backend.backend(), "onednn": int(os.environ["TF_ENABLE_ONEDNN_OPTS"])}
    return Runtime(**here | {"threads": 0, "devices": 1, "workers": 1, "scheduler": None} | changes)


def build(module: str, classes: int = 6, size: int = 48, seed: int = 1, **arguments) -> keras.Model:
    """A network with the weights of ``seed``."""
    runtime.configure(this_runtime(), seed)
    return build_network(module, classes, size, **arguments)


def all_networks() -> dict[str, Network]:
    """Every module with its default arguments, and every other network of ``params.yaml`` once."""
    networks = {module: Network(module=module) for module in available()}
    for name, run in load_params(ROOT / "params.yaml").all_runs.items():
        if run.network not in networks.values():
            networks[f"{run.network.module} of {name}"] = run.network
    return networks


def random_faces(count: int, size: int, seed: int = 0) -> np.ndarray:
    """Noise: uint8, shape (count, size, size)."""
    return np.random.default_rng(seed).integers(0, 256, (count, size, size), dtype=np.uint8)


def layers_of(network: keras.Model, kind: type) -> list[keras.Layer]:
    """The layers of a kind, in the order of the network."""
    return [layer for layer in network.layers if isinstance(layer, kind)]


def output_shapes(network: keras.Model, kind: type) -> list[tuple[int, ...]]:
    """Shapes of what the layers of a kind return for one face."""
    return [tuple(layer.output.shape[1:]) for layer in layers_of(network, kind)]
