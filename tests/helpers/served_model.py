"""A tiny model in the format of the stage ``export``, and a stand-in for the recognizer."""

import json
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from facial_expression.faces.crops import LANDMARK_SETS
from facial_expression.faces.mean_shape import load_mean_shape
from facial_expression.files import sha256
from facial_expression.recognizer import Recognition

CLASSES = ("angry", "fear", "happy", "sad", "surprise", "neutral")
SIZE = 48


def write_model(directory: Path, size: int = SIZE, **changes) -> Path:
    """Write ``model.onnx``, for faces of a size, and ``card.json`` with some entries changed; return the directory."""
    directory.mkdir(parents=True, exist_ok=True)
    model = directory / "model.onnx"
    onnx.save(_softmax_regression(size), model)
    card = make_card(model) | changes
    (directory / "card.json").write_text(json.dumps(card))
    return directory


def make_card(model: Path) -> dict:
    landmarks = list(LANDMARK_SETS["inner_eyes_and_bottom_lip"])
    return {
        "title": "a linear model with fixed weights",
        "run": "linear",
        "protocol": "official",
        "classes": list(CLASSES),
        "model": {
            "file": model.name,
            "variant": "float32",
            "bytes": model.stat().st_size,
            "sha256": sha256(model),
            "validation_accuracy": 0.67,
            "accuracy": 0.66,
            "max_difference": 1e-7,
        },
        "variants": {},
        "views": {"mirror": True, "shift": 0.0, "scale": 0.0, "rotation": 0.0},
        "temperature": 1.25,
        "confidence_threshold": 0.5,
        "preprocessing": {
            "input": {
                "name": "pixels",
                "shape": ["faces", SIZE, SIZE, 1],
                "dtype": "float32",
                "gray_levels": [0, 255],
            },
            "passes": [
                {"upsampling": 1, "enlargement": 1, "border": 0},
                {"upsampling": 1, "enlargement": 3, "border": 4},
                {"upsampling": 1, "enlargement": 4, "border": 12},
            ],
            "landmark_enlargement": 4,
            "crop": "aligned",
            "landmark_set": "inner_eyes_and_bottom_lip",
            "landmarks": landmarks,
            "template": load_mean_shape().face[landmarks].tolist(),
            "size": SIZE,
            "margin": 0.0,
            "border": "black",
        },
        "metrics": {
            "accuracy": 0.66,
            "accuracy_low": 0.645,
            "accuracy_high": 0.675,
            "macro_f1": 0.63,
            "ece": 0.02,
            "n": 3534,
            "recall": {"angry": 0.58, "fear": 0.41, "happy": 0.86, "sad": 0.5, "surprise": 0.79, "neutral": 0.66},
        },
        "trained_classes": list(CLASSES),
        "members": [{"run": "linear", "snapshot": 700, "input": "aligned", "network": {}, "recipe": {}, "runtime": {}}],
        "data": {},
    }


def _softmax_regression(size: int) -> onnx.ModelProto:
    """Multiply the pixels by fixed weights, so that predictions differ between faces and their mirror images."""
    weights = np.random.default_rng(3).normal(0, 3e-4, (size * size, len(CLASSES))).astype(np.float32)
    nodes = [
        helper.make_node("Flatten", ["pixels"], ["flat"]),
        helper.make_node("MatMul", ["flat", "weights"], ["logits"]),
        helper.make_node("Softmax", ["logits"], ["probabilities"]),
    ]
    graph = helper.make_graph(
        nodes,
        "softmax_regression",
        [helper.make_tensor_value_info("pixels", TensorProto.FLOAT, ["faces", size, size, 1])],
        [helper.make_tensor_value_info("probabilities", TensorProto.FLOAT, ["faces", len(CLASSES)])],
        [numpy_helper.from_array(weights, "weights")],
    )
    return helper.make_model(graph, ir_version=8, opset_imports=[helper.make_opsetid("", 17)])


class StandIn:
    """Returns one face for every image, without any work."""

    card: dict = {}  # noqa: RUF012

    def recognize(self, image, max_faces=None, *, whole_picture=False, min_score=None):
        return [
            Recognition(
                box=(0.0, 0.0, 1.0, 1.0),
                score=1.0,
                landmarks=np.zeros((68, 2), np.float32),
                crop=np.zeros((48, 48), np.uint8),
                probabilities=dict.fromkeys(CLASSES, 1 / len(CLASSES)),
                uncertain=True,
                turn=0,
            )
        ]
