"""How often the package ``fer`` is right on the test faces of the report ``official``, beside our networks.

    python -m benchmarks.accuracy --fer-python /tmp/fer/bin/python    # python of an environment that has it

Needs data/decoded, data/filtered and reports/official, as `dvc repro` or `dvc pull` leaves them. ``fer`` gets the
pictures as they are, the way it was trained, and answers for the six classes of the report, disgust left out, as ours
do. Its network has seen FER2013's Training pictures, and nobody says how it was chosen.
"""

import argparse
import json
import tempfile
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table

from benchmarks.ask_peer import ask_peer
from facial_expression.emotions import NAMES
from facial_expression.facetable import read_face_table
from facial_expression.params import load_params
from facial_expression.scoring import accuracy

REPORT = "official"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--fer-python", type=Path, required=True, help="python of an environment in which fer is")
    fer_python = parser.parse_args().fer_python
    settings = getattr(load_params().evaluate, REPORT)
    faces = read_face_table("data/filtered").under(settings.protocol).without(settings.drop).faces
    faces = faces[faces[settings.protocol] == "test"]
    pictures = read_face_table("data/decoded", memory_map=True).images[faces["row"]]
    scores = ask_fer(fer_python, pictures)
    scores[:, [NAMES.index(name) for name in settings.drop]] = 0
    right = np.array(NAMES)[scores.argmax(axis=1)] == faces["emotion"].to_numpy()
    metrics = json.loads(Path("reports", REPORT, "metrics.json").read_text())
    table = Table("", "all", "95 %", "found by dlib", "missed")
    for name in ("resnet10", "resnet", "preactivation", "uncropped", "ensemble"):
        shown = [metrics[name][key] for key in ("accuracy", "accuracy_low", "accuracy_high")]
        table.add_row(name, *cells(*shown, metrics[name]["accuracy_detected"], metrics[name]["accuracy_missed"]))
    found = faces["detected"].to_numpy()
    whole = accuracy(np.ones(len(right), int), right.astype(int), settings.seed, settings.bootstrap_samples)
    table.add_row("fer", *cells(whole.value, whole.low, whole.high, right[found].mean(), right[~found].mean()))
    Console().print(table, f"{len(right):,} test faces")


def cells(value: float, low: float, high: float, found: float, missed: float) -> list[str]:
    return [f"{value:.1%}", f"{100 * low:.1f}–{100 * high:.1f}", f"{found:.1%}", f"{missed:.1%}"]


def ask_fer(python: Path, pictures: np.ndarray) -> np.ndarray:
    """Scores, shape (N, 7)."""
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory, "faces.npy")
        np.save(path, pictures)
        return np.array(ask_peer(python, "faces", path))


if __name__ == "__main__":
    main()
