"""The probabilities of a model, remade from the predictions of its runs' snapshots."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from facial_expression.evaluation.predictions import Predictions
from facial_expression.probabilities import soft_vote


def best_iteration(predictions: Predictions, labels: np.ndarray) -> int:
    """The snapshot with the best validation accuracy over all classes, the latest among equals.

    Args:
        predictions: of one run.
        labels: int, shape (validation faces,), indices into the classes that the network learned.
    """
    averaged = predictions.probabilities["validation"].mean(axis=1)
    correct = (averaged.argmax(axis=-1) == labels).sum(axis=1)
    return max(zip(correct.tolist(), predictions.iterations, strict=True))[1]


def model_probabilities(
    record: Mapping[str, Any],
    runs: Mapping[str, Predictions],
    rows: Mapping[str, np.ndarray],
    kept: Sequence[int],
) -> tuple[np.ndarray, np.ndarray]:
    """Probabilities of a model for validation and test faces, before its temperature.

    Args:
        record: of the model in ``models.json``, with its ``snapshots`` and ``weights``.
        runs: run -> its predictions.
        rows: part -> rows of the source CSV.
        kept: indices of the classes that count, of those that the networks learned.

    Returns:
        Two arrays, float32, shape (faces, len(kept)).
    """
    votes = []
    for run, iterations in record["snapshots"].items():
        of_faces = runs[run].of_faces(rows, kept)
        votes.append([soft_vote(part) for part in zip(*(of_faces[iteration] for iteration in iterations), strict=True)])
    weights = [record["weights"][run] for run in record["snapshots"]]
    validation, test = (soft_vote(part, weights) for part in zip(*votes, strict=True))
    return validation, test
