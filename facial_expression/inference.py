"""Trained networks applied to faces: every snapshot of a family, and a network for fewer classes than it learned."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import keras
import numpy as np
from tqdm import tqdm

from facial_expression import snapshots
from facial_expression.facetable import LabelledImages
from facial_expression.predictions import Predictions


def predict_snapshots(
    directory: str | Path, parts: Mapping[str, LabelledImages], flip: bool, progress: bool = True
) -> Predictions:
    """What all snapshots of a model directory answer.

    Args:
        directory: as :mod:`facial_expression.snapshots` describes it.
        parts: the faces of the validation and the test part, by these names.
        flip: look at the mirror image of each face, too.
        progress: show a progress bar.

    Raises:
        FileNotFoundError: there is no snapshot.
    """
    iterations = snapshots.list_snapshots(directory)
    network = snapshots.load_network(directory)
    answers: dict[str, list[np.ndarray]] = {part: [] for part in parts}
    for iteration in tqdm(iterations, desc=str(directory), unit="snapshot", disable=not progress):
        snapshots.load_snapshot(network, directory, iteration)
        for part, faces in parts.items():
            answers[part].append(predict_views(network, faces.images, flip))
    probabilities = {part: np.stack(arrays) for part, arrays in answers.items()}
    return Predictions(tuple(iterations), {part: faces.rows for part, faces in parts.items()}, probabilities)


def predict_views(network: keras.Model, images: np.ndarray, flip: bool) -> np.ndarray:
    """Probabilities of faces and, with ``flip``, of their mirror images.

    Args:
        network: with its weights.
        images: faces, uint8, shape (N, size, size).
        flip: whether there is a second view.

    Returns:
        float32, shape (1 or 2, N, classes), for :func:`facial_expression.ensembling.recognise`.
    """
    views = [images, images[:, :, ::-1]] if flip else [images]
    return np.stack([snapshots.predict(network, view) for view in views])


def restrict(network: keras.Model, kept: Sequence[int]) -> keras.Model:
    """The network that answers with some of the classes only.

    Leaving out the other logits before the softmax gives the probabilities of
    :func:`facial_expression.ensembling.recognise` for one view.
    """
    head = network.layers[-1]
    restricted = keras.layers.Dense(len(kept), activation="softmax", name=head.name)
    model = keras.Model(network.inputs, restricted(head.input), name=network.name)
    kernel, bias = head.get_weights()
    restricted.set_weights([kernel[:, list(kept)], bias[list(kept)]])
    return model
