"""What a family's snapshots answer for the validation and the test faces, computed once for all reports.

On disk it is one ``.npz`` file whose bytes depend on the content alone.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from zipfile import BadZipFile

import numpy as np

from facial_expression.atomic import replacing
from facial_expression.ensembling import recognise

SCORED_PARTS = ("validation", "test")


@dataclass(frozen=True, eq=False)
class Predictions:
    """The answers of one family.

    Attributes:
        iterations: of its snapshots, ascending.
        rows: part -> int64, shape (N,), rows of the source CSV.
        probabilities: part -> float32, shape (snapshots, views, N, classes), of each face as it is and, if there is a
            second view, of its mirror image; for all classes that the network knows.
    """

    iterations: tuple[int, ...]
    rows: Mapping[str, np.ndarray]
    probabilities: Mapping[str, np.ndarray]

    def recognise(
        self, rows: Mapping[str, np.ndarray], kept: Sequence[int]
    ) -> dict[int, tuple[np.ndarray, np.ndarray]]:
        """What every snapshot answers for some of the faces and some of the classes.

        Args:
            rows: part -> the faces wanted, by their rows of the source CSV.
            kept: indices of the classes that can be true.

        Returns:
            Iteration -> probabilities for validation and test faces, each float32, shape (faces wanted, len(kept)).

        Raises:
            ValueError: a face wanted has not been predicted, or a class is not known; the message says which.
        """
        chosen = {}
        for part in SCORED_PARTS:
            known = self.probabilities[part].shape[-1]
            if max(kept) >= known:
                raise ValueError(f"class {max(kept)} is wanted, but the networks know {known} classes: predict again")
            missing = np.setdiff1d(rows[part], self.rows[part])
            if len(missing):
                raise ValueError(f"row {missing[0]} of the {part} part has no predictions: predict again")
            order = np.argsort(self.rows[part])
            places = order[np.searchsorted(self.rows[part], rows[part], sorter=order)]
            chosen[part] = self.probabilities[part][:, :, places]
        return {
            iteration: tuple(recognise(chosen[part][number], kept) for part in SCORED_PARTS)
            for number, iteration in enumerate(self.iterations)
        }


def write_predictions(path: str | Path, predictions: Predictions) -> None:
    """Write ``predictions`` as ``path``, replacing it only once everything is on disk."""
    arrays = {"iterations": np.array(predictions.iterations, np.int64)}
    for part in SCORED_PARTS:
        arrays |= {f"{part}_rows": predictions.rows[part], part: predictions.probabilities[part]}
    with replacing(path) as temporary, temporary.open("wb") as file:
        np.savez(file, **arrays)


def read_predictions(path: str | Path) -> Predictions:
    """Read what :func:`write_predictions` wrote.

    Raises:
        FileNotFoundError: there is no such file; the message says what writes it.
        ValueError: the file is damaged.
    """
    try:
        with np.load(path) as arrays:
            return Predictions(
                tuple(arrays["iterations"].tolist()),
                {part: arrays[f"{part}_rows"] for part in SCORED_PARTS},
                {part: arrays[part] for part in SCORED_PARTS},
            )
    except FileNotFoundError as error:
        raise FileNotFoundError(f"{path} is missing: run `dvc repro predict`") from error
    except (BadZipFile, EOFError, KeyError, OSError, ValueError) as error:
        raise ValueError(f"{path} holds no predictions ({error}): run `dvc repro --force predict`") from error
