"""A trained network on disk, and its predictions.

A model directory holds ``architecture.json``, ``training.json`` (classes, recipe, input and runtime) and one
``NNNNNN.weights.h5`` per snapshot, named after its iteration. The same training writes the same bytes.
"""

import errno
import json
import os
import shutil
from pathlib import Path
from typing import Any

import keras
import numpy as np

from facial_expression.errors import UserError
from facial_expression.files import name_in_errors

_SUFFIX = ".weights.h5"
_MARGIN = 2**20  # bytes, for what HDF5 stores about the weights


def write_description(directory: Path, network: keras.Model, description: dict[str, Any]) -> None:
    """Write ``architecture.json`` and ``training.json`` into an existing directory."""
    (directory / "architecture.json").write_text(_pretty(architecture(network)))
    (directory / "training.json").write_text(_pretty(description))


def architecture(network: keras.Model) -> dict[str, Any]:
    """The layers of a network and their connections, without what compiling added."""
    return json.loads(_uncompiled(network).to_json())


def read_description(directory: str | Path) -> dict[str, Any]:
    """The content of ``training.json``.

    Raises:
        UserError: there is no trained network.
    """
    try:
        return json.loads((Path(directory) / "training.json").read_text())
    except FileNotFoundError:
        raise UserError(f"{directory} holds no trained network: run `dvc repro` to train it") from None


def write_snapshot(directory: str | Path, network: keras.Model, iteration: int) -> None:
    """Write the network's weights as the snapshot of ``iteration``.

    Raises:
        OSError: the disk is full or read-only.
    """
    path = snapshot_path(directory, iteration)
    # Asked beforehand, since HDF5 ends the process when it closes a file on a full disk.
    if shutil.disk_usage(directory).free < 4 * network.count_params() + _MARGIN:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))
    with name_in_errors(path):
        _uncompiled(network).save_weights(path)


def snapshot_path(directory: str | Path, iteration: int) -> Path:
    """Path of the snapshot of ``iteration``."""
    return Path(directory) / f"{iteration:06d}{_SUFFIX}"


def list_snapshots(directory: str | Path) -> list[int]:
    """Iterations of the snapshots in the directory, ascending.

    Raises:
        UserError: there is none.
    """
    iterations = sorted(int(path.name.removesuffix(_SUFFIX)) for path in Path(directory).glob(f"*{_SUFFIX}"))
    if not iterations:
        raise UserError(f"{directory} holds no snapshot: run `dvc repro` to train it")
    return iterations


def load_network(directory: str | Path) -> keras.Model:
    """The network of ``architecture.json``, without trained weights."""
    return keras.models.model_from_json((Path(directory) / "architecture.json").read_text())


def load_snapshot(network: keras.Model, directory: str | Path, iteration: int) -> None:
    """Load the weights of a snapshot into a network from :func:`load_network`."""
    network.load_weights(snapshot_path(directory, iteration))


def predict(network: keras.Model, images: np.ndarray, batch_size: int = 500) -> np.ndarray:
    """Probabilities (float32, shape (N, classes)) of faces (uint8, shape (N, size, size))."""
    # Not network.predict: TensorFlow's input pipeline sleeps at the end of each call, up to as long as the call took.
    batches = (images[start : start + batch_size, ..., None] for start in range(0, len(images), batch_size))
    # Each device of a distributed network predicts the whole batch.
    return np.concatenate([network.predict_on_batch(batch)[: len(batch)] for batch in batches])


def _uncompiled(network: keras.Model) -> keras.Model:
    """A model of the same layers without the optimizer, which would be saved along."""
    return keras.Model(network.inputs, network.outputs, name=network.name)


def _pretty(content: dict[str, Any]) -> str:
    return json.dumps(content, indent=1, sort_keys=True) + "\n"
