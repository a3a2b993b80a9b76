"""From the snapshots' probabilities to the contenders, their scores and their predictions.

A *family* is one network's training run with its snapshots. It enters two contenders, its best snapshot (``shallow``)
and the soft vote of its last snapshots (``shallow_ensemble``); ``ensemble`` is the soft vote of all family ensembles.
Everything that is chosen, a snapshot, a weight or a temperature, is chosen on the validation part; the test part is
only scored.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import pandas as pd

from facial_expression import scoring
from facial_expression.atomic import replacing
from facial_expression.calibration import fit_temperature
from facial_expression.ensembling import fit_weights, soft_vote, soften

Snapshots = Mapping[int, tuple[np.ndarray, np.ndarray]]
"""Iteration -> (validation probabilities, test probabilities), each float32, shape (faces, classes)."""


@dataclass(frozen=True, eq=False)
class Contender:
    """One way to recognise expressions, scored on the test part.

    Attributes:
        name: a family, ``<family>_ensemble`` or ``ensemble``.
        snapshots: the iterations that vote, ascending, by family; those of one family count alike.
        weights: what each family's vote counts, 0 to 1, summing to 1.
        temperature: what the vote was softened with, 1 if it was not.
        iterations: the training iterations behind it, that is the latest of its snapshots.
        probabilities: float32, shape (test faces, classes).
        metrics: ``accuracy``, ``accuracy_low``, ``accuracy_high`` (95 % bootstrap interval), ``macro_f1``, ``ece``
            (fractions with 6 decimals), ``n`` (test faces), ``iterations``, ``recall`` (class -> fraction, or None
            for a class without test faces), ``temperature`` and ``validation_accuracy``; plain numbers, ready for JSON.
    """

    name: str
    snapshots: dict[str, tuple[int, ...]]
    weights: dict[str, float]
    temperature: float
    iterations: int
    probabilities: np.ndarray
    metrics: dict

    @property
    def predictions(self) -> np.ndarray:
        """Index of the most probable class: int64, shape (test faces,)."""
        return self.probabilities.argmax(axis=1)


def evaluate(
    families: Mapping[str, Snapshots],
    validation_labels: np.ndarray,
    test_labels: np.ndarray,
    classes: Sequence[str],
    ensemble_last: int,
    seed: int,
    temperature: bool = False,
    family_weights: Literal["fitted", "equal"] = "fitted",
    bootstrap_samples: int = 10_000,
    detected: np.ndarray | None = None,
) -> list[Contender]:
    """Choose the contenders on the validation part and score them on the test part.

    Args:
        families: the snapshots of each family, such as ``shallow``, ``wide`` and ``resnet``; the order of the result.
        validation_labels: int, shape (validation faces,), indices into ``classes``.
        test_labels: int, shape (test faces,), indices into ``classes``.
        classes: emotion names in the order of the arrays' class axis.
        ensemble_last: how many of the last snapshots form a family ensemble; all of them if there are fewer.
        seed: of the bootstrap intervals.
        temperature: whether each contender's probabilities are softened with a temperature fitted on the validation
            part; this changes their calibration and never the most probable class.
        family_weights: whether the family ensembles vote with the weights of the least validation negative log
            likelihood (:func:`~facial_expression.ensembling.fit_weights`) or alike.
        bootstrap_samples: resamples behind each interval.
        detected: bool, shape (test faces,), whether the detector found the face; adds ``accuracy_detected`` and
            ``accuracy_missed`` to the metrics, None where there is no such face.

    Returns:
        For each family its best snapshot (best validation accuracy, the later one among equals) and its ensemble, then
        ``ensemble``.

    Raises:
        ValueError: an input is empty, misshapen or out of range; the message names the family, iteration, part and row.
    """
    _check(families, validation_labels, test_labels, classes, ensemble_last)

    judge = _Judge(validation_labels, test_labels, classes, seed, temperature, bootstrap_samples, detected)
    contenders, last, validation_votes, test_votes = [], {}, [], []
    for family, snapshots in families.items():
        best = _best_iteration(snapshots, validation_labels)
        last[family] = tuple(sorted(snapshots)[-ensemble_last:])
        validation_votes.append(soft_vote([snapshots[iteration][0] for iteration in last[family]]))
        test_votes.append(soft_vote([snapshots[iteration][1] for iteration in last[family]]))
        contenders += [
            judge.score(family, {family: (best,)}, {family: 1.0}, *snapshots[best]),
            judge.score(
                f"{family}_ensemble", {family: last[family]}, {family: 1.0}, validation_votes[-1], test_votes[-1]
            ),
        ]
    fitted = family_weights == "fitted"
    weights = fit_weights(validation_votes, validation_labels) if fitted else [1 / len(families)] * len(families)
    named_weights = dict(zip(families, weights, strict=True))
    votes = soft_vote(validation_votes, weights), soft_vote(test_votes, weights)
    return [*contenders, judge.score("ensemble", last, named_weights, *votes)]


@dataclass(frozen=True, eq=False)
class _Judge:
    """What all contenders of one report are scored on, and how; attributes as in :func:`evaluate`."""

    validation_labels: np.ndarray
    test_labels: np.ndarray
    classes: Sequence[str]
    seed: int
    temperature: bool
    bootstrap_samples: int
    detected: np.ndarray | None

    def score(self, name, snapshots, weights, on_validation, on_test) -> Contender:
        iterations = max(max(used) for used in snapshots.values())
        softness = fit_temperature(on_validation, self.validation_labels) if self.temperature else 1.0
        on_test = soften(on_test, softness) if self.temperature else on_test
        right = on_test.argmax(axis=1) == self.test_labels
        accuracy = scoring.accuracy(self.test_labels, on_test.argmax(axis=1), self.seed, self.bootstrap_samples)
        scores = _metrics(self.test_labels, on_test, self.classes, accuracy, iterations)
        if self.detected is not None:
            found = self.detected
            scores |= {"accuracy_detected": _share(right[found]), "accuracy_missed": _share(right[~found])}
        scores["temperature"] = softness
        scores["validation_accuracy"] = _share(on_validation.argmax(axis=1) == self.validation_labels)
        return Contender(name, snapshots, weights, softness, iterations, on_test, scores)


def comparisons(contenders: Sequence[Contender], labels: np.ndarray) -> pd.DataFrame:
    """Paired tests on the same test faces: each family's ensemble against its best snapshot, ``ensemble`` against each.

    Returns:
        The columns ``first``, ``second``, ``only_first_correct`` and ``only_second_correct`` (faces) and ``p_value``
        (exact McNemar, two-sided, three significant digits, not corrected for the number of tests).
    """
    by_name = {contender.name: contender for contender in contenders}
    families = by_name["ensemble"].weights
    pairs = [(f"{family}_ensemble", family) for family in families]
    pairs += [("ensemble", f"{family}_ensemble") for family in families]
    rows = []
    for first, second in pairs:
        test = scoring.mcnemar(labels, by_name[first].predictions, by_name[second].predictions)
        rows.append((first, second, test.only_first, test.only_second, float(f"{test.p_value:.3g}")))
    return pd.DataFrame(rows, columns=["first", "second", "only_first_correct", "only_second_correct", "p_value"])


def predictions_table(
    contenders: Sequence[Contender], rows: np.ndarray, labels: np.ndarray, classes: Sequence[str]
) -> pd.DataFrame:
    """What every contender says of every test face.

    Args:
        contenders: what :func:`evaluate` returned.
        rows: int, shape (test faces,), the faces' rows in the source CSV.
        labels: int, shape (test faces,), the true classes.
        classes: emotion names in the order of the class axis.

    Returns:
        One row per test face: ``row``, ``emotion`` (the true one), then for each contender its predicted emotion in the
        column of its name and its probabilities (float64, 4 decimals) in ``<contender>_<class>``.
    """
    names = np.array(classes, dtype=object)
    columns = {"row": rows, "emotion": names[labels]}
    for contender in contenders:
        columns[contender.name] = names[contender.predictions]
        rounded = contender.probabilities.astype(np.float64).round(4)
        columns |= {f"{contender.name}_{name}": rounded[:, index] for index, name in enumerate(classes)}
    return pd.DataFrame(columns)


def metrics(contenders: Sequence[Contender]) -> dict[str, dict]:
    """The contenders' metrics by name, in their order."""
    return {contender.name: contender.metrics for contender in contenders}


def selection(contenders: Sequence[Contender]) -> dict[str, dict]:
    """Who votes in each contender: ``snapshots`` (family -> iterations) and ``weights`` (family -> share)."""
    return {
        contender.name: {
            "snapshots": {family: list(iterations) for family, iterations in contender.snapshots.items()},
            "weights": {family: round(weight, 6) for family, weight in contender.weights.items()},
        }
        for contender in contenders
    }


def write_metrics(path: str | Path, contenders: Sequence[Contender]) -> None:
    """Write the contenders' metrics as one JSON object by name, in their order; same metrics, same bytes."""
    content = json.dumps(metrics(contenders), indent=2, allow_nan=False)
    with replacing(path) as temporary:
        temporary.write_text(content + "\n", encoding="utf-8", newline="\n")


def _best_iteration(snapshots: Snapshots, labels: np.ndarray) -> int:
    """The iteration with the best validation accuracy, the latest among equals."""
    return max(snapshots, key=lambda iteration: (np.sum(snapshots[iteration][0].argmax(axis=1) == labels), iteration))


def _metrics(
    labels: np.ndarray, probabilities: np.ndarray, classes: Sequence[str], accuracy: scoring.Accuracy, iterations: int
) -> dict:
    predictions = probabilities.argmax(axis=1)
    recalls = scoring.recall(labels, predictions, len(classes))
    fractions = {
        "accuracy": accuracy.value,
        "accuracy_low": accuracy.low,
        "accuracy_high": accuracy.high,
        "macro_f1": scoring.macro_f1(labels, predictions),
        "ece": scoring.expected_calibration_error(labels, probabilities),
    }
    return {name: round(value, 6) for name, value in fractions.items()} | {
        "n": len(labels),
        "iterations": iterations,
        "recall": {
            name: None if np.isnan(value) else round(float(value), 6)
            for name, value in zip(classes, recalls, strict=True)
        },
    }


def _share(right: np.ndarray) -> float | None:
    return round(float(right.mean()), 6) if len(right) else None


def _check(families, validation_labels, test_labels, classes, ensemble_last) -> None:
    if not families:
        raise ValueError("there is no family to evaluate: train at least one network")
    if ensemble_last < 1:
        raise ValueError(f"ensemble_last must be at least 1, it is {ensemble_last}")
    parts = {"validation": validation_labels, "test": test_labels}
    for part, labels in parts.items():
        if len(labels) == 0:
            raise ValueError(f"the {part} part has no faces")
        wrong = np.flatnonzero((labels < 0) | (labels >= len(classes)))
        if len(wrong):
            raise ValueError(f"{part} label {labels[wrong[0]]} of face {wrong[0]} is not one of {len(classes)} classes")
    for family, snapshots in families.items():
        if not snapshots:
            raise ValueError(f"{family} has no snapshot: train it first")
        for iteration, arrays in snapshots.items():
            for (part, labels), probabilities in zip(parts.items(), arrays, strict=True):
                where = f"{family}, iteration {iteration}, {part} part"
                _check_probabilities(where, probabilities, (len(labels), len(classes)))


def _check_probabilities(where: str, probabilities: np.ndarray, shape: tuple[int, int]) -> None:
    if probabilities.shape != shape:
        raise ValueError(f"{where}: probabilities must have shape {shape}, they have {probabilities.shape}")
    # Written so that NaN counts as wrong.
    right = (probabilities >= 0).all(axis=1) & (np.abs(probabilities.sum(axis=1, dtype=np.float64) - 1) < 1e-3)
    if not right.all():
        row = int(np.flatnonzero(~right)[0])
        raise ValueError(f"{where}: the probabilities of face {row} are not between 0 and 1 with sum 1")
