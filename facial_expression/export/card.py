"""The card of an exported model: how to use it and where it comes from."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from facial_expression.faces.crops import make_cropper
from facial_expression.faces.mean_shape import MeanShape
from facial_expression.files import sha256
from facial_expression.params import Align
from facial_expression.views import Views


@dataclass(frozen=True)
class Variant:
    """One file of an exported model.

    Attributes:
        bytes: size of the file.
        sha256: of the file.
        validation_accuracy: 0 to 1; the served variant is chosen by it.
        accuracy: 0 to 1, on the test part.
        max_difference: largest difference between a probability of this file and Keras's.
    """

    bytes: int
    sha256: str
    validation_accuracy: float
    accuracy: float
    max_difference: float


@dataclass(frozen=True)
class Inference:
    """How the network's output becomes a prediction.

    Attributes:
        views: whose predictions are averaged.
        temperature: applied to the average (:func:`facial_expression.probabilities.apply_temperature`).
        confidence_threshold: confidence, 0 to 1, below which a prediction is shown as uncertain.
    """

    views: Views
    temperature: float
    confidence_threshold: float


@dataclass(frozen=True)
class Member:
    """One of the networks whose average is served, and the training behind it.

    Attributes:
        title: the network in words, such as "a residual network of 1.2 million parameters".
        run: name of the run.
        snapshot: iteration.
        description: content of ``training.json``; its classes may be more than the model's.
    """

    title: str
    run: str
    snapshot: int
    description: Mapping[str, Any]

    @property
    def record(self) -> dict[str, Any]:
        """The entry of ``card.json``."""
        recipe = self.description["recipe"]
        return {
            "run": self.run,
            "snapshot": self.snapshot,
            **{key: self.description[key] for key in ("input", "network", "recipe", "runtime")},
            "recipe_sha256": hashlib.sha256(json.dumps(recipe, sort_keys=True).encode()).hexdigest(),
        }


def make_card(
    served: str,
    variants: Mapping[str, Variant],
    classes: Sequence[str],
    members: Sequence[Member],
    inference: Inference,
    metrics: Mapping[str, Any],
    preprocessing: Mapping[str, Any],
    data: Mapping[str, str | Path],
    dataset: str = "FER2013",
) -> dict[str, Any]:
    """The content of ``card.json``.

    Args:
        served: name of the variant in ``model.onnx``.
        variants: all variants by name.
        classes: names in the order of the network's outputs.
        members: the networks whose average is served, trained under one protocol on the same classes.
        inference: what to do with the network's output.
        metrics: of the served file (:attr:`facial_expression.evaluation.models.Model.metrics`).
        preprocessing: the result of :func:`describe_preprocessing`.
        data: name -> path of the files that it was trained on.
        dataset: the data in words.
    """
    training = members[0].description
    return {
        "title": _title([member.title for member in members]),
        "run": " + ".join(member.run for member in members),
        "dataset": dataset,
        "protocol": training["protocol"],
        "classes": list(classes),
        "model": {"file": "model.onnx", "variant": served, **asdict(variants[served])},
        "variants": {name: asdict(variant) for name, variant in variants.items()},
        **asdict(inference),
        "preprocessing": dict(preprocessing),
        "metrics": dict(metrics),
        "trained_classes": list(training["classes"]),
        "members": [member.record for member in members],
        "data": {name: {"sha256": sha256(path)} for name, path in data.items()},
    }


def _title(titles: Sequence[str]) -> str:
    if len(titles) == 1:
        return titles[0]
    networks = f"each {titles[0]}" if len(set(titles)) == 1 else " and ".join(titles)
    return f"the average of {len(titles)} networks, {networks}"


def describe_preprocessing(crop: str, align: Align, mean_shape: MeanShape) -> dict[str, Any]:
    """How a face becomes the network's input: detect it, warp its landmarks onto the template, keep the gray levels.

    ``template`` is where the ``landmarks`` (0-based, of 68) go: x and y in fractions of the crop's side. An aligned
    crop meets its three points exactly, a centered one its 68 in the sense of least squares. Gray levels are passed as
    0 to 255; the network scales them.

    Args:
        crop: ``aligned`` or ``centered``.
        align: settings of detection and crops.
        mean_shape: where landmarks go.
    """
    cropper = make_cropper(crop, align.model_dump(), mean_shape)
    settings = align.model_dump(exclude={"missing"})
    if crop == "centered":
        settings = {key: settings[key] for key in ("passes", "landmark_enlargement", "size")} | {"border": "replicate"}
    shape = ["faces", align.size, align.size, 1]
    return {
        "input": {"name": "pixels", "shape": shape, "dtype": "float32", "gray_levels": [0, 255]},
        "crop": crop,
        **settings,
        "landmarks": list(cropper.landmarks),
        "template": cropper.template.tolist(),
    }
