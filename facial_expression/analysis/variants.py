"""Variants of a run: other seeds, smaller training parts, training without leaked faces."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from facial_expression.analysis.intervals import mean_and_deviation
from facial_expression.analysis.ladder import compare
from facial_expression.analysis.model_analysis import AnalyzedFaces

Records = Mapping[str, Mapping[str, Any]]


def analyze_variants(
    variants: Records,
    models: Records,
    predictions: pd.DataFrame,
    faces: AnalyzedFaces,
    training_faces: int,
    seed: int,
) -> dict[str, Any]:
    """What the ``variants`` say: ``seeds``, ``learning_curve`` and ``unleaked``, each empty without such variants.

    Args:
        variants: the content of ``variants.json``.
        models: the content of ``models.json``.
        predictions: predicted emotions, a column per run and variant, a row per test face.
        faces: the test faces.
        training_faces: number of faces on which the runs themselves were trained.
        seed: of the bootstrap.
    """
    indices = {name: pd.Index(faces.classes).get_indexer(pd.Index(predictions[name])) for name in (*models, *variants)}
    return {
        "variants": list(variants),
        "seeds": seed_spread(variants, models),
        "learning_curve": learning_curve(variants, models, training_faces),
        "unleaked": without_leaks(variants, faces.labels, indices, faces.clusters, seed),
    }


def seed_spread(variants: Records, models: Records) -> dict[str, dict[str, Any]]:
    """Run -> mean and deviation of the accuracy over its seeds, and ``accuracies``, its own first.

    Args:
        variants: the content of ``variants.json``.
        models: the content of ``models.json``.
    """
    values = {}
    for run, others in _by_run(variants, "seed").items():
        accuracies = [models[run]["accuracy"], *(other["accuracy"] for other in others.values())]
        values[run] = mean_and_deviation(accuracies) | {"accuracies": accuracies}
    return values


def learning_curve(variants: Records, models: Records, training_faces: int) -> dict[str, list[dict[str, Any]]]:
    """Run -> its accuracy with smaller training parts and with all ``training_faces``, ascending."""
    curves = {}
    for run, others in _by_run(variants, "share").items():
        points = [*others.values(), {**models[run], "training_faces": training_faces}]
        keys = ("training_faces", "accuracy", "accuracy_low", "accuracy_high")
        curves[run] = [
            {key: point[key] for key in keys} for point in sorted(points, key=lambda point: point["training_faces"])
        ]
    return curves


def without_leaks(
    variants: Records, labels: np.ndarray, predictions: Mapping[str, np.ndarray], clusters: np.ndarray, seed: int
) -> dict[str, dict[str, Any]]:
    """Run -> what it gains from faces of the test part in its training part.

    Args:
        variants: the content of ``variants.json``.
        labels: int, shape (N,).
        predictions: run or variant -> predicted classes, int, shape (N,).
        clusters: a key per face, equal for the same picture.
        seed: of the bootstrap.

    Returns:
        For each run trained ``unleaked``: ``variant``, ``training_faces``, and what
        :func:`facial_expression.analysis.ladder.compare` says about the run against the variant.
    """
    return {
        run: {"variant": name, "training_faces": variant["training_faces"]}
        | compare(labels, predictions[name], predictions[run], clusters, seed)
        for run, others in _by_run(variants, "unleaked").items()
        for name, variant in others.items()
    }


def _by_run(variants: Records, what: str) -> dict[str, dict[str, Mapping[str, Any]]]:
    """Run -> its variants of a kind by name."""
    found: dict[str, dict[str, Mapping[str, Any]]] = {}
    for name, variant in variants.items():
        if variant["what"] == what:
            found.setdefault(variant["variant_of"], {})[name] = variant
    return found
