"""The predictions of a run's snapshots for validation and test faces, computed once for all reports.

On disk they are one ``.npz`` file whose bytes depend on the content alone.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np

from facial_expression.errors import UserError
from facial_expression.files import atomic_write
from facial_expression.probabilities import average_views

PREDICTED_PARTS = ("validation", "test")


@dataclass(frozen=True, eq=False)
class Predictions:
    """The predictions of one run.

    Attributes:
        iterations: of its snapshots, ascending.
        rows: part -> int64, shape (N,), rows of the source CSV.
        probabilities: part -> float32, shape (snapshots, views, N, classes), for all classes that the network learned.
        parameters: number of parameters of the network.
    """

    iterations: tuple[int, ...]
    rows: Mapping[str, np.ndarray]
    probabilities: Mapping[str, np.ndarray]
    parameters: int

    def of_faces(self, rows: Mapping[str, np.ndarray], kept: Sequence[int]) -> dict[int, tuple[np.ndarray, np.ndarray]]:
        """The predictions for some faces and some classes, averaged over views.

        Args:
            rows: part -> rows of the source CSV.
            kept: indices of the classes to keep.

        Returns:
            Iteration -> probabilities for validation and test faces, each float32, shape (faces, len(kept)).

        Raises:
            UserError: a face or a class has no predictions.
        """
        chosen = {}
        for part in PREDICTED_PARTS:
            known = self.probabilities[part].shape[-1]
            if max(kept) >= known:
                raise UserError(
                    f"class {max(kept)} is needed, but the predictions cover {known} classes: predict again"
                )
            missing = np.setdiff1d(rows[part], self.rows[part])
            if len(missing):
                raise UserError(f"row {missing[0]} of the {part} part has no predictions: predict again")
            order = np.argsort(self.rows[part])
            indices = order[np.searchsorted(self.rows[part], rows[part], sorter=order)]
            chosen[part] = self.probabilities[part][:, :, indices]
        validation, test = (chosen[part] for part in PREDICTED_PARTS)
        return {
            iteration: (average_views(validation[number], kept), average_views(test[number], kept))
            for number, iteration in enumerate(self.iterations)
        }


def write_predictions(path: str | Path, predictions: Predictions) -> None:
    """Write predictions as an ``.npz`` file."""
    arrays: dict[str, Any] = {
        "iterations": np.array(predictions.iterations),
        "parameters": np.array(predictions.parameters),
    }
    for part in PREDICTED_PARTS:
        arrays |= {f"{part}_rows": predictions.rows[part], part: predictions.probabilities[part]}
    with atomic_write(path) as temporary, temporary.open("wb") as file:
        np.savez(file, **arrays)


def read_predictions(path: str | Path) -> Predictions:
    """Read the result of :func:`write_predictions`.

    Raises:
        UserError: the file is missing or damaged.
    """
    try:
        with np.load(path) as arrays:
            return Predictions(
                tuple(arrays["iterations"].tolist()),
                {part: arrays[f"{part}_rows"] for part in PREDICTED_PARTS},
                {part: arrays[part] for part in PREDICTED_PARTS},
                int(arrays["parameters"]),
            )
    except FileNotFoundError:
        raise UserError(f"{path} is missing: run `dvc repro` to predict") from None
    except (BadZipFile, EOFError, KeyError, OSError, ValueError) as error:
        raise UserError(f"{path} holds no predictions ({error}): delete it and run `dvc repro`") from error
