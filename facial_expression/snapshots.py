"""A trained network on disk, and what it says about faces.

A model is a directory with ``architecture.json``, ``recipe.json`` (classes, recipe and library versions) and one
``NNNNNN.weights.h5`` per snapshot, named after its iteration. All of them have the same bytes after the same training.
"""

import json
from pathlib import Path

import keras
import numpy as np

_SUFFIX = ".weights.h5"


def write_description(directory: Path, network: keras.Model, description: dict) -> None:
    """Write ``architecture.json`` and ``recipe.json`` into an existing directory."""
    (directory / "architecture.json").write_text(_pretty(architecture(network)))
    (directory / "recipe.json").write_text(_pretty(description))


def architecture(network: keras.Model) -> dict:
    """The layers of a network and how they are connected, without what compiling added."""
    return json.loads(_uncompiled(network).to_json())


def read_description(directory: str | Path) -> dict:
    """The content of ``recipe.json``."""
    return json.loads((Path(directory) / "recipe.json").read_text())


def write_snapshot(directory: Path, network: keras.Model, iteration: int) -> None:
    """Write the network's weights as the snapshot of ``iteration``."""
    _uncompiled(network).save_weights(snapshot_path(directory, iteration))


def snapshot_path(directory: str | Path, iteration: int) -> Path:
    """Where the directory holds the snapshot of ``iteration``."""
    return Path(directory) / f"{iteration:06d}{_SUFFIX}"


def list_snapshots(directory: str | Path) -> list[int]:
    """The iterations of which the directory holds a snapshot, in ascending order.

    Raises:
        FileNotFoundError: there is none.
    """
    iterations = sorted(int(path.name.removesuffix(_SUFFIX)) for path in Path(directory).glob(f"*{_SUFFIX}"))
    if not iterations:
        raise FileNotFoundError(f"{directory} holds no snapshot: run `dvc repro` to train")
    return iterations


def load_network(directory: str | Path) -> keras.Model:
    """The network of ``architecture.json``, with weights yet to be loaded."""
    return keras.models.model_from_json((Path(directory) / "architecture.json").read_text())


def load_snapshot(network: keras.Model, directory: str | Path, iteration: int) -> None:
    """Load the weights of a snapshot into a network that :func:`load_network` returned."""
    network.load_weights(snapshot_path(directory, iteration))


def predict(network: keras.Model, images: np.ndarray, batch_size: int = 500) -> np.ndarray:
    """Probabilities, float32, shape (N, classes), of faces, uint8, shape (N, size, size)."""
    # Not network.predict: TensorFlow's input pipeline sleeps at the end of each call, up to as long as the call took.
    starts = range(0, len(images), batch_size)
    return np.concatenate([network.predict_on_batch(images[start : start + batch_size, ..., None]) for start in starts])


def _uncompiled(network: keras.Model) -> keras.Model:
    """A model of the same layers without the optimizer, which else is saved along."""
    return keras.Model(network.inputs, network.outputs, name=network.name)


def _pretty(content: dict) -> str:
    return json.dumps(content, indent=1, sort_keys=True) + "\n"
