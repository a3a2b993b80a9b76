"""What views are worth to the served network: accuracy on the validation set, and processor time per face.

    python -m benchmarks.views          # two minutes on one core

Needs models/serving, data/centered and data/filtered. Only validation faces (PublicTest) are read, so that views can be
chosen here and the test set stays unused.
"""

import argparse
import time
from dataclasses import asdict
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.progress import track
from rich.table import Table

from facial_expression.data.face_table import LabeledImages
from facial_expression.files import read_json
from facial_expression.params import load_params
from facial_expression.recognizer import Recognizer
from facial_expression.views import ONE_VIEW, Views
from stages._stage import SERVING, read_input

CANDIDATES = (
    ONE_VIEW,
    Views(mirror=True),
    *(Views(mirror=True, shift=pixels) for pixels in (2.0, 3.0)),
    *(Views(mirror=True, scale=fraction) for fraction in (0.08, 0.12)),
    *(Views(mirror=True, rotation=degrees) for degrees in (6.0, 9.0, 12.0, 15.0, 18.0, 21.0)),
    Views(mirror=True, scale=0.12, rotation=18.0),
    Views(mirror=True, shift=2.0, scale=0.08, rotation=6.0),
    Views(mirror=True, shift=3.0, scale=0.12, rotation=18.0),
)
ROUNDS = 100
"""Faces classified one at a time to measure the time."""


def main() -> None:
    argparse.ArgumentParser(description=__doc__.splitlines()[0]).parse_args()
    card = read_json(SERVING / "card.json", "dvc repro export")
    model = Path(SERVING, card["model"]["file"]).read_bytes()
    settings = load_params().evaluate[load_params().export.report]
    table = read_input(card["preprocessing"]["crop"]).of_protocol(settings.protocol).drop_classes(settings.drop)
    faces = table.subset(settings.protocol, "validation")
    shown = Table(
        "mirror", "shift", "scale", "rotation", title=f"{card['run']}, {len(faces.labels):,} validation faces"
    )
    for column in ("views", "accuracy, %", "ms per face"):
        shown.add_column(column, justify="right")
    for views in track(CANDIDATES, "views"):
        recognizer = Recognizer(card | {"views": asdict(views)}, model)
        accuracy = measure_accuracy(recognizer, faces)
        milliseconds = 1000 * median_seconds(recognizer, faces.images)
        cells = [str(value) if value else "" for value in asdict(views).values()]
        shown.add_row(*cells, str(views.count), f"{100 * accuracy:.2f}", f"{milliseconds:.2f}")
    Console().print(shown)


def measure_accuracy(recognizer: Recognizer, faces: LabeledImages) -> float:
    batches = np.array_split(np.arange(len(faces.labels)), max(1, len(faces.labels) // 100))
    predicted = np.concatenate([recognizer.classify(faces.images[rows]).argmax(axis=1) for rows in batches])
    return float(np.mean(predicted == faces.labels))


def median_seconds(recognizer: Recognizer, images: np.ndarray) -> float:
    """Processor time for one face and its views; recognizers compute in the thread that calls them."""
    seconds = []
    for image in images[:ROUNDS]:
        start = time.thread_time()
        recognizer.classify(image[None])
        seconds.append(time.thread_time() - start)
    return float(np.median(seconds))


if __name__ == "__main__":
    main()
