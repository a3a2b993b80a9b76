"""Everything that one report says about its models, ready for JSON."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from facial_expression.analysis.confidence import above_threshold, calibration, coverage_curve
from facial_expression.analysis.groups import Grouping, difference_of
from facial_expression.analysis.intervals import cluster_interval, interval_over, resample_faces, share
from facial_expression.analysis.label_noise import suspect_labels
from facial_expression.analysis.ladder import ladder
from facial_expression.evaluation.calibration import confidence_threshold, fit_temperature
from facial_expression.evaluation.metrics import confusion_matrix
from facial_expression.probabilities import apply_temperature

LISTED = 100
"""Faces in the lists of mistakes and of suspicious labels."""

LEAKS = ("exact", "near", "none")
NO_CLASS = -1
"""Where the crowd names none of the classes."""


@dataclass(frozen=True, eq=False)
class AnalyzedFaces:
    """The faces of a report; all arrays are of shape (test faces,) unless their names say otherwise.

    Attributes:
        classes: names in the order of the class axis.
        rows: of the source CSV.
        labels: indices into ``classes``.
        validation_rows, validation_labels: the same of the validation faces.
        clusters: a key per face, equal for identical pictures.
        leak: ``exact``, ``near`` or ``none``: whether training holds the same picture, nearly the same, or neither.
        groups: kind -> grouping.
        crowd: the crowd's labels, indices into ``classes`` or ``NO_CLASS``; None without a crowd.
        validation_crowd: the same of the validation faces.
    """

    classes: Sequence[str]
    rows: np.ndarray
    labels: np.ndarray
    validation_rows: np.ndarray
    validation_labels: np.ndarray
    clusters: np.ndarray
    leak: np.ndarray
    groups: Mapping[str, Grouping]
    crowd: np.ndarray | None
    validation_crowd: np.ndarray | None


def analyze_models(
    records: Mapping[str, Mapping[str, Any]],
    probabilities: Mapping[str, tuple[np.ndarray, np.ndarray]],
    faces: AnalyzedFaces,
    most: float,
    seed: int,
) -> dict[str, Any]:
    """Everything about the models of a report; see the functions below for what the entries mean.

    Args:
        records: the content of ``models.json``.
        probabilities: model -> probabilities for validation and test faces before any temperature.
        faces: labels and groups.
        most: as for :func:`analyze_model`.
        seed: of the bootstrap.
    """
    samples = resample_faces(faces.clusters, seed)
    models = {name: analyze_model(records[name], *probabilities[name], faces, samples, most, seed) for name in records}
    predictions = {name: test.argmax(axis=1) for name, (_, test) in probabilities.items()}
    best = max(records, key=lambda name: records[name]["validation_accuracy"])
    correct = predictions[best] == faces.labels
    temperature = models[best]["calibration"]["temperature"]
    validation, test = (apply_temperature(part, temperature) for part in probabilities[best])
    return {
        "classes": list(faces.classes),
        "faces": len(faces.rows),
        "pictures": len(np.unique(faces.clusters)),
        "leaked": {kind: int((faces.leak == kind).sum()) for kind in LEAKS},
        "groups": {kind: {"title": one.title, "names": list(one.names)} for kind, one in faces.groups.items()},
        "best": best,
        "uncertain_at_most": most,
        "models": models,
        "ladder": ladder(faces.labels, predictions, faces.clusters, seed),
        "found": found_and_missed(correct, np.full(len(correct), True), faces),
        "found_by_class": {
            name: found_and_missed(correct, faces.labels == index, faces) for index, name in enumerate(faces.classes)
        },
        "mistakes": mistakes(test, faces),
        "suspects": suspects(validation, test, faces),
    }


def analyze_model(
    record: Mapping[str, Any],
    validation: np.ndarray,
    test: np.ndarray,
    faces: AnalyzedFaces,
    samples: Sequence[np.ndarray],
    most: float,
    seed: int,
) -> dict[str, Any]:
    """One model's figures.

    Args:
        record: of the model in ``models.json``.
        validation, test: probabilities before any temperature, float32, shape (faces, classes).
        faces: labels and groups.
        samples: bootstrap samples of the test faces.
        most: accuracy of predictions that are shown as uncertain, at most
            (:func:`facial_expression.evaluation.calibration.confidence_threshold`).
        seed: of the bootstrap.
    """
    fitted = fit_temperature(validation, faces.validation_labels)
    cooled, cooled_validation = apply_temperature(test, fitted), apply_temperature(validation, fitted)
    predictions = test.argmax(axis=1)
    correct = predictions == faces.labels
    low, high = cluster_interval(correct, faces.clusters, seed)
    threshold = confidence_threshold(cooled_validation, faces.validation_labels, most)
    return {
        **record,
        "clustered": {"low": low, "high": high},
        "macro_f1_interval": interval_over(samples, lambda chosen: macro_f1(faces.labels[chosen], predictions[chosen])),
        "classes": {name: share(correct[faces.labels == index]) for index, name in enumerate(faces.classes)},
        "confusion": confusion_matrix(faces.labels, predictions, len(faces.classes)).tolist(),
        "calibration": {
            "temperature": fitted,
            "before": calibration(faces.labels, test, samples),
            "after": calibration(faces.labels, cooled, samples),
        },
        "coverage": coverage_curve(faces.labels, cooled),
        "uncertain": above_threshold(faces.labels, cooled, threshold),
        "leak": {kind: share(correct[faces.leak == kind]) for kind in LEAKS},
        "groups": {
            kind: [share(correct[grouping.member == index]) for index in range(len(grouping.names))]
            for kind, grouping in faces.groups.items()
        },
        "group_tests": {kind: difference_of(correct, one.member) for kind, one in faces.groups.items()},
        "crowd": _against_crowd(predictions, faces),
    }


def analyze_served(
    metrics: Mapping[str, Any], validation: np.ndarray, test: np.ndarray, faces: AnalyzedFaces, most: float, seed: int
) -> dict[str, Any]:
    """What :func:`analyze_model` says about the served file.

    Args:
        metrics: of its card.
        validation, test: its probabilities before the card's temperature.
        faces, most, seed: as for :func:`analyze_models`.
    """
    return analyze_model(metrics, validation, test, faces, resample_faces(faces.clusters, seed), most, seed)


def found_and_missed(correct: np.ndarray, chosen: np.ndarray, faces: AnalyzedFaces) -> dict[str, Any]:
    """Accuracy on the chosen faces that the study's detector pass ``found`` and on those that it ``missed``."""
    found = faces.groups["found"].member == 0
    return {"found": share(correct[chosen & found]), "missed": share(correct[chosen & ~found])}


def mistakes(probabilities: np.ndarray, faces: AnalyzedFaces) -> list[dict[str, Any]]:
    """The wrong predictions for test faces, the surest first: ``row``, ``label``, ``predicted`` and ``probability``."""
    predictions, confidence = probabilities.argmax(axis=1), probabilities.max(axis=1)
    wrong = np.flatnonzero(predictions != faces.labels)
    order = wrong[np.argsort(-confidence[wrong], kind="stable")][:LISTED]
    return [
        {
            "row": int(faces.rows[face]),
            "label": faces.classes[faces.labels[face]],
            "predicted": faces.classes[predictions[face]],
            "probability": round(float(confidence[face]), 4),
            "crowd": _crowd_name(faces, faces.crowd, face),
        }
        for face in order
    ]


def suspects(validation: np.ndarray, test: np.ndarray, faces: AnalyzedFaces) -> dict[str, Any]:
    """Labels of validation and test faces that are likely wrong.

    Args:
        validation, test: probabilities of a calibrated model that was trained on neither part.
        faces: both parts.

    Returns:
        ``faces`` (examined), ``found`` (suspects), ``list`` (the first ``LISTED`` of them, with ``row``, ``label``,
        ``suggested`` and the ``crowd``'s label), ``crowd_names`` (faces of the list for which the crowd names a class)
        and ``crowd_agrees`` (those for which it names the suggested one).
    """
    labels = np.concatenate([faces.validation_labels, faces.labels])
    rows = np.concatenate([faces.validation_rows, faces.rows])
    both = faces.validation_crowd is not None and faces.crowd is not None
    crowd = np.concatenate([faces.validation_crowd, faces.crowd]) if both else None
    order, suggested = suspect_labels(labels, np.concatenate([validation, test]))
    entries = [
        {
            "row": int(rows[face]),
            "label": faces.classes[labels[face]],
            "suggested": faces.classes[other],
            "crowd": _crowd_name(faces, crowd, face),
        }
        for face, other in zip(order[:LISTED], suggested[:LISTED], strict=True)
    ]
    named = [entry for entry in entries if entry["crowd"]]
    return {
        "faces": len(labels),
        "found": len(order),
        "crowd_names": len(named),
        "crowd_agrees": sum(entry["crowd"] == entry["suggested"] for entry in named),
        "list": entries,
    }


def macro_f1(labels: np.ndarray, predictions: np.ndarray) -> float:
    """As :func:`facial_expression.evaluation.metrics.macro_f1`, fast enough for thousands of resamples."""
    right = np.bincount(labels[predictions == labels], minlength=max(labels.max(), predictions.max()) + 1)
    counted = np.bincount(labels, minlength=len(right)) + np.bincount(predictions, minlength=len(right))
    return float((2 * right[counted > 0] / counted[counted > 0]).mean())


def _against_crowd(predictions: np.ndarray, faces: AnalyzedFaces) -> dict[str, Any] | None:
    """Accuracy by FER2013's ``label`` and by the ``crowd``'s, on the faces for which the crowd names a class."""
    if faces.crowd is None:
        return None
    named = faces.crowd != NO_CLASS
    return {
        "label": share((predictions == faces.labels)[named]),
        "crowd": share((predictions == faces.crowd)[named]),
    }


def _crowd_name(faces: AnalyzedFaces, crowd: np.ndarray | None, face: int) -> str | None:
    return None if crowd is None or crowd[face] == NO_CLASS else faces.classes[crowd[face]]
