"""Networks that are quick to export, faces for them, and ONNX Runtime without the package."""

from pathlib import Path

import keras
import numpy as np
import onnxruntime
from helpers.networks import build, random_faces
from helpers.photos import draw

from facial_expression.emotions import NAMES

CLASSES = ("angry", "fear", "happy", "sad", "surprise", "neutral")
NETWORKS = {
    "shallow": {"module": "shallow"},
    "wide": {"module": "wide"},
    # All layers of ResNet-34 but few filters: it converts in a second, not in fifteen.
    "resnet34": {"module": "resnet", "filters": (8, 16, 32, 64)},
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
    if NETWORKS[name]["module"] == "resnet":
        for _ in range(30):
            network(random_faces(16, 48)[..., None], training=True)
    return network


def draw_faces(count: int) -> np.ndarray:
    """Synthetic faces of all emotions in turn: uint8, shape (count, 48, 48)."""
    return np.stack([draw(NAMES[number % len(NAMES)], number) for number in range(count)])


def run_onnx(path: Path, images: np.ndarray) -> np.ndarray:
    """The probabilities of an exported network for all faces at once."""
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    return session.run(["probabilities"], {"pixels": images[..., None].astype(np.float32)})[0]
