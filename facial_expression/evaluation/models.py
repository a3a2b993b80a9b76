"""From the snapshots' probabilities to models, their metrics and their predictions.

A *run* contributes two models: its best snapshot (``small``) and the soft vote of its last snapshots
(``small-ensemble``). ``ensemble`` is the soft vote of all runs' ensembles. Snapshots, weights and temperatures are
chosen on the validation part; the test part only serves to evaluate.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal

import numpy as np
import pandas as pd

from facial_expression.evaluation import metrics
from facial_expression.evaluation.calibration import fit_temperature
from facial_expression.evaluation.ensemble_weights import fit_ensemble_weights
from facial_expression.probabilities import apply_temperature, soft_vote

Snapshots = Mapping[int, tuple[np.ndarray, np.ndarray]]
"""Iteration -> (validation probabilities, test probabilities), each float32, shape (faces, classes)."""

COMPARED = ("accuracy", "low", "high", "macro_f1", "ece")
"""The metrics that ``dvc metrics`` compares; ``low`` and ``high`` are the ends of the accuracy's 95% interval."""


@dataclass(frozen=True, eq=False)
class Model:
    """A single snapshot or an ensemble, evaluated on the test part.

    Attributes:
        name: a run, ``<run>-ensemble`` or ``ensemble``.
        snapshots: run -> iterations of its members, ascending; the snapshots of a run have equal weights.
        weights: run -> weight, 0 to 1, summing to 1.
        probabilities: float32, shape (test faces, classes).
        metrics: plain numbers, ready for JSON: ``accuracy``, ``accuracy_low``, ``accuracy_high`` (95% bootstrap
            interval), ``macro_f1``, ``ece`` (fractions with 6 decimals), ``n`` (test faces), ``iterations`` (of the
            latest snapshot), ``recall`` (class -> fraction, None without test faces), ``accuracy_detected`` and
            ``accuracy_missed`` (None without such faces), ``temperature`` and ``validation_accuracy``.
    """

    name: str
    snapshots: dict[str, tuple[int, ...]]
    weights: dict[str, float]
    probabilities: np.ndarray
    metrics: dict[str, Any]

    @property
    def predictions(self) -> np.ndarray:
        """Index of the most probable class: int64, shape (test faces,)."""
        return self.probabilities.argmax(axis=1)

    def record(self, parameters: Mapping[str, int]) -> dict[str, Any]:
        """Metrics, snapshots, weights and ``parameters`` of all members together, ready for JSON.

        Args:
            parameters: run -> number of parameters of its network.
        """
        snapshots = {run: list(iterations) for run, iterations in self.snapshots.items()}
        total = sum(parameters[run] * len(iterations) for run, iterations in snapshots.items())
        return {**self.metrics, "parameters": total, "snapshots": snapshots, "weights": self.weights}

    @property
    def compared_metrics(self) -> dict[str, float]:
        """The metrics named in ``COMPARED``."""
        shown = self.metrics | {"low": self.metrics["accuracy_low"], "high": self.metrics["accuracy_high"]}
        return {name: shown[name] for name in COMPARED}


@dataclass(frozen=True, eq=False)
class EvaluatedFaces:
    """The faces of an evaluation.

    Attributes:
        validation_labels: int, shape (validation faces,), indices into ``classes``.
        labels: int, shape (test faces,), indices into ``classes``.
        detected: bool, shape (test faces,), whether the detector found the face.
        classes: emotion names in the order of the class axis.
    """

    validation_labels: np.ndarray
    labels: np.ndarray
    detected: np.ndarray
    classes: Sequence[str]


def evaluate_models(
    runs: Mapping[str, Snapshots],
    faces: EvaluatedFaces,
    ensemble_last: int,
    seed: int,
    temperature: bool = False,
    ensemble_weights: Literal["fitted", "equal"] = "fitted",
    bootstrap_samples: int = 10_000,
) -> list[Model]:
    """Choose the models on the validation part and evaluate them on the test part.

    Args:
        runs: the snapshots of each run; the order of the result.
        faces: labels and classes of both parts.
        ensemble_last: how many of the last snapshots form a run's ensemble; all of them if there are fewer.
        seed: seed of the bootstrap intervals.
        temperature: whether to apply a temperature fitted on the validation part.
        ensemble_weights: ``fitted`` (:func:`fit_ensemble_weights`) or ``equal`` weights of the runs in ``ensemble``.
        bootstrap_samples: number of resamples of each interval.

    Returns:
        For each run its best snapshot (best validation accuracy, the later one among equals) and its ensemble, then
        ``ensemble``.

    Raises:
        ValueError: an input is empty, misshapen or out of range; the message names run, iteration, part and row.
    """
    models = evaluate_runs(runs, faces, ensemble_last, seed, temperature, bootstrap_samples)
    last = {run: _last_iterations(snapshots, ensemble_last) for run, snapshots in runs.items()}
    averages = [_average(snapshots, last[run]) for run, snapshots in runs.items()]
    on_validation, on_test = zip(*averages, strict=True)
    weights = (1 / len(runs),) * len(runs)
    if ensemble_weights == "fitted":
        weights = fit_ensemble_weights(on_validation, faces.validation_labels)
    average = soft_vote(on_validation, weights), soft_vote(on_test, weights)
    weight_of = dict(zip(runs, weights, strict=True))
    return [*models, _evaluate("ensemble", last, weight_of, average, faces, temperature, seed, bootstrap_samples)]


def evaluate_runs(
    runs: Mapping[str, Snapshots],
    faces: EvaluatedFaces,
    ensemble_last: int,
    seed: int,
    temperature: bool = False,
    bootstrap_samples: int = 10_000,
) -> list[Model]:
    """The models of each run by itself, as :func:`evaluate_models` says: its best snapshot and its ensemble."""
    _check(runs, faces, ensemble_last)
    evaluate = partial(_evaluate, faces=faces, temperature=temperature, seed=seed, bootstrap_samples=bootstrap_samples)
    models = []
    for run, snapshots in runs.items():
        best, last = _best_iteration(snapshots, faces.validation_labels), _last_iterations(snapshots, ensemble_last)
        models.append(evaluate(run, {run: (best,)}, {run: 1.0}, snapshots[best]))
        models.append(evaluate(f"{run}-ensemble", {run: last}, {run: 1.0}, _average(snapshots, last)))
    return models


def _last_iterations(snapshots: Snapshots, count: int) -> tuple[int, ...]:
    return tuple(sorted(snapshots)[-count:])


def _average(snapshots: Snapshots, iterations: Sequence[int]) -> tuple[np.ndarray, ...]:
    """The soft vote of some snapshots for validation and test faces."""
    return tuple(soft_vote(part) for part in zip(*(snapshots[iteration] for iteration in iterations), strict=True))


def _evaluate(
    name: str,
    snapshots: dict[str, tuple[int, ...]],
    weights: dict[str, float],
    probabilities: Sequence[np.ndarray],
    faces: EvaluatedFaces,
    temperature: bool,
    seed: int,
    bootstrap_samples: int,
) -> Model:
    """Evaluate one model from its probabilities for validation and test faces."""
    on_validation, on_test = probabilities
    fitted = fit_temperature(on_validation, faces.validation_labels) if temperature else 1.0
    on_test = apply_temperature(on_test, fitted) if temperature else on_test
    values = _metrics(faces, on_test, seed, bootstrap_samples) | {
        "iterations": max(max(members) for members in snapshots.values()),
        "temperature": fitted,
        "validation_accuracy": _mean(on_validation.argmax(axis=1) == faces.validation_labels),
    }
    return Model(name, snapshots, weights, on_test, values)


def comparisons(models: Sequence[Model], labels: np.ndarray) -> pd.DataFrame:
    """Paired tests on the same test faces: each run's ensemble against its best snapshot, ``ensemble`` against each.

    Returns:
        The columns ``first``, ``second``, ``only_first_correct`` and ``only_second_correct`` (faces) and ``p_value``
        (exact McNemar, two-sided, three significant digits, not corrected for the number of tests).
    """
    by_name = {model.name: model for model in models}
    runs = by_name["ensemble"].weights
    pairs = [(f"{run}-ensemble", run) for run in runs] + [("ensemble", f"{run}-ensemble") for run in runs]
    rows = []
    for first, second in pairs:
        test = metrics.mcnemar(labels, by_name[first].predictions, by_name[second].predictions)
        rows.append((first, second, test.only_first, test.only_second, float(f"{test.p_value:.3g}")))
    return pd.DataFrame(rows, columns=["first", "second", "only_first_correct", "only_second_correct", "p_value"])


def predictions_table(models: Sequence[Model], rows: np.ndarray, faces: EvaluatedFaces) -> pd.DataFrame:
    """Predictions of every model on the test set.

    Args:
        models: the result of :func:`evaluate_models`.
        rows: int, shape (test faces,), the faces' rows in the source CSV.
        faces: labels and classes.

    Returns:
        One row per test face: ``row``, ``emotion`` (the label), then for each model its predicted emotion in the column
        of its name and its probabilities (float64, 4 decimals) in ``<model>_<class>``.
    """
    names = np.array(faces.classes, dtype=object)
    columns = {"row": rows, "emotion": names[faces.labels]}
    for model in models:
        columns[model.name] = names[model.predictions]
        rounded = model.probabilities.astype(np.float64).round(4)
        columns |= {f"{model.name}_{name}": rounded[:, index] for index, name in enumerate(faces.classes)}
    return pd.DataFrame(columns)


def _best_iteration(snapshots: Snapshots, labels: np.ndarray) -> int:
    """The iteration with the best validation accuracy, the latest among equals."""
    return max(snapshots, key=lambda iteration: (np.sum(snapshots[iteration][0].argmax(axis=1) == labels), iteration))


def _metrics(faces: EvaluatedFaces, probabilities: np.ndarray, seed: int, bootstrap_samples: int) -> dict[str, Any]:
    labels, predictions = faces.labels, probabilities.argmax(axis=1)
    correct = predictions == labels
    accuracy = metrics.accuracy(labels, predictions, seed, bootstrap_samples)
    recalls = metrics.recall(labels, predictions, len(faces.classes))
    return {
        "accuracy": round(accuracy.value, 6),
        "accuracy_low": round(accuracy.low, 6),
        "accuracy_high": round(accuracy.high, 6),
        "macro_f1": round(metrics.macro_f1(labels, predictions), 6),
        "ece": round(metrics.expected_calibration_error(labels, probabilities), 6),
        "n": len(labels),
        "recall": {
            name: None if np.isnan(value) else round(float(value), 6)
            for name, value in zip(faces.classes, recalls, strict=True)
        },
        "accuracy_detected": _mean(correct[faces.detected]),
        "accuracy_missed": _mean(correct[~faces.detected]),
    }


def _mean(correct: np.ndarray) -> float | None:
    return round(float(correct.mean()), 6) if len(correct) else None


def _check(runs: Mapping[str, Snapshots], faces: EvaluatedFaces, ensemble_last: int) -> None:
    if not runs:
        raise ValueError("there is no run to evaluate: train at least one network")
    if ensemble_last < 1:
        raise ValueError(f"ensemble_last must be at least 1, not {ensemble_last}")
    parts = {"validation": faces.validation_labels, "test": faces.labels}
    count = len(faces.classes)
    for part, labels in parts.items():
        if len(labels) == 0:
            raise ValueError(f"the {part} part has no faces")
        wrong = np.flatnonzero((labels < 0) | (labels >= count))
        if len(wrong):
            raise ValueError(f"{part} label {labels[wrong[0]]} of face {wrong[0]} is not one of {count} classes")
    for run, snapshots in runs.items():
        if not snapshots:
            raise ValueError(f"{run} has no snapshot: train it first")
        for iteration, arrays in snapshots.items():
            for (part, labels), probabilities in zip(parts.items(), arrays, strict=True):
                _check_probabilities(f"{run}, iteration {iteration}, {part} part", probabilities, (len(labels), count))


def _check_probabilities(where: str, probabilities: np.ndarray, shape: tuple[int, int]) -> None:
    if probabilities.shape != shape:
        raise ValueError(f"{where}: probabilities must have shape {shape}, not {probabilities.shape}")
    # Written so that NaN counts as wrong.
    valid = (probabilities >= 0).all(axis=1) & (np.abs(probabilities.sum(axis=1, dtype=np.float64) - 1) < 1e-3)
    if not valid.all():
        row = int(np.flatnonzero(~valid)[0])
        raise ValueError(f"{where}: the probabilities of face {row} are not between 0 and 1 with sum 1")
