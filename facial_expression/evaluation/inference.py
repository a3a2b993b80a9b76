"""Predictions of all snapshots of a trained network."""

from collections.abc import Mapping
from pathlib import Path

import keras
import numpy as np
from tqdm import tqdm

from facial_expression.data.face_table import LabeledImages
from facial_expression.evaluation.predictions import Predictions
from facial_expression.training import snapshots
from facial_expression.views import Views


def predict_snapshots(
    directory: str | Path, parts: Mapping[str, LabeledImages], views: Views, last: int, progress: bool = True
) -> Predictions:
    """Predict with the last snapshots of a model directory (:mod:`facial_expression.training.snapshots`).

    Args:
        directory: the model directory.
        parts: validation and test faces, by these names.
        views: of each face.
        last: number of snapshots; all of them if there are fewer.
        progress: show a progress bar.

    Raises:
        UserError: there is no snapshot.
    """
    iterations = snapshots.list_snapshots(directory)[-last:]
    network = snapshots.load_network(directory)
    predicted: dict[str, list[np.ndarray]] = {part: [] for part in parts}
    for iteration in tqdm(iterations, desc=str(directory), unit="snapshot", disable=not progress):
        snapshots.load_snapshot(network, directory, iteration)
        for part, faces in parts.items():
            predicted[part].append(predict_views(network, faces.images, views))
    probabilities = {part: np.stack(arrays) for part, arrays in predicted.items()}
    rows = {part: faces.rows for part, faces in parts.items()}
    return Predictions(tuple(iterations), rows, probabilities, network.count_params())


def predict_views(network: keras.Model, images: np.ndarray, views: Views) -> np.ndarray:
    """Probabilities (float32, shape (views, N, classes)) of the views of faces (uint8, shape (N, size, size))."""
    return np.stack([snapshots.predict(network, view) for view in views.of(images)])
