"""The card beside an exported network: what has to be known to use it and to trace where it comes from."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from facial_expression.cropping import make_cropper
from facial_expression.mean_shape import MeanShape
from facial_expression.params import Align


@dataclass(frozen=True)
class Variant:
    """One file of an exported network and what it is worth.

    Attributes:
        bytes: size of the file.
        sha256: of the file.
        validation_accuracy: 0 to 1; the variant that is served was chosen by it.
        accuracy: 0 to 1, on the test part.
        largest_difference: between a probability of this file and Keras's, 0 to 1.
    """

    bytes: int
    sha256: str
    validation_accuracy: float
    accuracy: float
    largest_difference: float


@dataclass(frozen=True)
class Answering:
    """What is done with the probabilities of the exported network.

    Attributes:
        flip: whether the answers for a face and its mirror image are averaged.
        temperature: what the average is then softened with (:func:`facial_expression.ensembling.soften`).
        uncertain_below: highest probability, 0 to 1, below which an answer deserves a warning.
    """

    flip: bool
    temperature: float
    uncertain_below: float


def make_card(
    served: str,
    variants: Mapping[str, Variant],
    classes: Sequence[str],
    network: Mapping,
    answering: Answering,
    metrics: Mapping,
    preprocessing: Mapping,
    data: Mapping[str, str | Path],
) -> dict:
    """The content of ``card.json``, ready for JSON.

    Args:
        served: which of the variants is ``model.onnx``.
        variants: all of them by name.
        classes: names in the order of the network's outputs.
        network: ``family`` and ``snapshot``, and the network's description
            (:func:`facial_expression.snapshots.read_description`), whose classes may be more.
        answering: what is done with its probabilities.
        metrics: of the served file, as :func:`facial_expression.evaluation.evaluate` gives them.
        preprocessing: what :func:`describe_preprocessing` returned.
        data: ``images.npy`` and ``faces.csv`` that it was trained on, and where they lie.
    """
    return {
        "family": network["family"],
        "snapshot": network["snapshot"],
        "protocol": network["protocol"],
        "classes": list(classes),
        "model": {"file": "model.onnx", "variant": served, **asdict(variants[served])},
        "variants": {name: asdict(variant) for name, variant in variants.items()},
        **asdict(answering),
        "preprocessing": dict(preprocessing),
        "metrics": dict(metrics),
        "trained_classes": list(network["classes"]),
        "recipe": network["recipe"],
        "recipe_sha256": hashlib.sha256(json.dumps(network["recipe"], sort_keys=True).encode()).hexdigest(),
        "runtime": network["runtime"],
        "data": {name: {"sha256": sha256(path)} for name, path in data.items()},
    }


def describe_preprocessing(pictures: str, align: Align, mean_shape: MeanShape) -> dict:
    """How a face becomes the input: detect it, warp its landmarks onto the template, keep the gray levels.

    ``template`` is where the ``landmarks`` (0-based, of 68) go: x and y in fractions of the crop's side. Three are met
    exactly (``pictures`` is aligned), or all as nearly as scale and shift allow (framed). Gray levels go in as they
    are, 0 to 255: the network scales them itself.
    """
    cropper = make_cropper(pictures, align.model_dump(), mean_shape)
    settings = align.model_dump(exclude={"missing"})
    if pictures == "framed":
        settings = {key: settings[key] for key in ("passes", "landmark_enlargement", "size")} | {"border": "replicate"}
    shape = ["faces", align.size, align.size, 1]
    return {
        "input": {"name": "pixels", "shape": shape, "dtype": "float32", "gray_levels": [0, 255]},
        "pictures": pictures,
        **settings,
        "landmarks": list(cropper.landmarks),
        "template": cropper.template.tolist(),
    }


def sha256(path: str | Path) -> str:
    """Of a file's content, as hexadecimal digits."""
    return hashlib.sha256(Path(path).read_bytes()).hexdigest()
