"""Networks that are quick to export, faces for them, and ONNX Runtime without the package."""

from pathlib import Path

import keras
import numpy as np
import onnxruntime

from facial_expression.emotions import NAMES
from helpers.networks import build, layers_of, random_faces
from helpers.photos import draw

CLASSES = ("angry", "fear", "happy", "sad", "surprise", "neutral")
NETWORKS = {
    "shallow": {"module": "shallow"},
    "wide": {"module": "wide"},
    "resnet": {"module": "resnet", "blocks": (2, 1, 1, 2), "filters": (8, 16, 32, 64)},
    "small": {
        "module": "resnet",
        "blocks": (1, 1, 1, 1),
        "filters": (8, 16, 32, 64),
        "stem": 5,
        "stem_pool": False,
        "preactivation": True,
    },
}


def build_example(name: str, seed: int = 1, classes: int = len(CLASSES)) -> keras.Model:
    """One of ``NETWORKS``, with running means of its own: without them, one class gets everything."""
    network = build(classes=classes, seed=seed, **NETWORKS[name])
    normalizations = layers_of(network, keras.layers.BatchNormalization)
    for layer in normalizations:
        layer.momentum = 0.0  # one pass makes the running means those of its faces
    if normalizations:
        network(random_faces(100, 48)[..., None], training=True)
    return network


def draw_faces(count: int) -> np.ndarray:
    """Synthetic faces of all emotions in turn: uint8, shape (count, 48, 48)."""
    return np.stack([draw(NAMES[number % len(NAMES)], number) for number in range(count)])


def run_onnx(path: Path, images: np.ndarray) -> np.ndarray:
    """The probabilities of an exported network for all faces at once."""
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    return session.run(["probabilities"], {"pixels": images[..., None].astype(np.float32)})[0]
