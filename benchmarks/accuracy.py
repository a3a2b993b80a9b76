"""Accuracy of the package ``fer`` on the test set of the report ``official-6``, next to the project's models.

    python -m benchmarks.accuracy --fer-python /tmp/fer/bin/python    # with fer: see benchmarks/fer_runner.py

Needs data/decoded, data/filtered and reports/official-6, from `dvc repro` or `dvc pull`. ``fer`` gets the original
images, as in its training. Scores for disgust are dropped, as they are for the project's models. The network in ``fer``
was trained on FER2013's Training images; its model selection is not documented.
"""

import argparse
import tempfile
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table

from benchmarks.fer_runner import run_fer
from facial_expression.data.face_table import read_face_table
from facial_expression.emotions import NAMES
from facial_expression.evaluation.metrics import accuracy
from facial_expression.files import read_json
from facial_expression.params import load_params

REPORT = "official-6"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--fer-python", type=Path, required=True, help="Python of an environment with fer")
    fer_python = parser.parse_args().fer_python
    settings = load_params().evaluate[REPORT]
    faces = read_face_table("data/filtered").of_protocol(settings.protocol).drop_classes(settings.drop).faces
    faces = faces[faces[settings.protocol] == "test"]
    images = read_face_table("data/decoded", memory_map=True).images[faces["row"]]
    scores = classify_with_fer(fer_python, images)
    scores[:, [NAMES.index(name) for name in settings.drop]] = 0
    correct = np.array(NAMES)[scores.argmax(axis=1)] == faces["emotion"].to_numpy()
    table = Table("model", "accuracy", "95% interval", "faces found by dlib", "faces missed")
    for name, model in read_json(f"reports/{REPORT}/models.json", f"dvc repro evaluate@{REPORT}").items():
        interval = model["accuracy_low"], model["accuracy_high"]
        table.add_row(name, *cells(model["accuracy"], *interval, model["accuracy_detected"], model["accuracy_missed"]))
    detected = faces["detected"].to_numpy()
    total = accuracy(np.ones(len(correct), int), correct.astype(int), settings.seed, settings.bootstrap_samples)
    table.add_row("fer", *cells(*total, correct[detected].mean(), correct[~detected].mean()))
    Console().print(table, f"{len(correct):,} test faces")


def cells(value: float, low: float, high: float, detected: float, missed: float) -> list[str]:
    return [f"{value:.1%}", f"{100 * low:.1f}–{100 * high:.1f}", f"{detected:.1%}", f"{missed:.1%}"]


def classify_with_fer(python: Path, images: np.ndarray) -> np.ndarray:
    """Scores of ``fer``: shape (N, 7)."""
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory, "faces.npy")
        np.save(path, images)
        return np.array(run_fer(python, "faces", path))


if __name__ == "__main__":
    main()
