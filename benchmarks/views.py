"""What views are worth: validation accuracy of each official run, and the served classifier's time per face.

    python -m benchmarks.views          # seven minutes on one core

Needs models/official, models/serving, data/filtered and the runs' inputs. Only validation faces (PublicTest) are read,
so that views can be chosen here and the test set stays unused. Accuracies are those of each run's last snapshot.
"""

import argparse
import time
from dataclasses import asdict
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.progress import track
from rich.table import Table

from facial_expression.files import read_json
from facial_expression.params import Params, load_params
from facial_expression.probabilities import average_views
from facial_expression.recognizer import Recognizer
from facial_expression.training import runtime
from facial_expression.views import ONE_VIEW, Views
from stages._inputs import read_input
from stages._stage import SERVING, model_directory

PROTOCOL = "official"
CANDIDATES = (
    ONE_VIEW,
    Views(mirror=True),
    Views(mirror=True, shift=2.0),
    *(Views(mirror=True, scale=fraction) for fraction in (0.08, 0.12)),
    *(Views(mirror=True, rotation=degrees) for degrees in (6.0, 12.0, 18.0)),
    Views(mirror=True, scale=0.08, rotation=6.0),
    Views(mirror=True, shift=2.0, scale=0.08, rotation=6.0),
)
ROUNDS = 100
"""Faces classified one at a time to measure the time."""


def main() -> None:
    argparse.ArgumentParser(description=__doc__.splitlines()[0]).parse_args()
    params = load_params()
    runtime.configure(params.runtime, seed=0)
    runs = params.runs_of(PROTOCOL)
    card = read_json(SERVING / "card.json", "dvc repro export")
    model = Path(SERVING, card["model"]["file"]).read_bytes()
    accuracies = [measure_accuracies(params, run) for run in runs]
    table = Table("views beside the face", title="Validation accuracy, %")
    for column in ("number", *runs, "mean", "ms"):
        table.add_column(column, justify="right")
    for number, views in enumerate(CANDIDATES):
        of_runs = [100 * measured[number] for measured in accuracies]
        milliseconds = 1000 * median_seconds(Recognizer(card | {"views": asdict(views)}, model))
        kinds = ", ".join(f"{kind} {value:g}" for kind, value in asdict(views).items() if value) or "none"
        figures = (f"{value:.2f}" for value in (*of_runs, np.mean(of_runs), milliseconds))
        table.add_row(kinds.replace("mirror 1", "mirror"), str(views.count), *figures)
    Console().print(table)


def measure_accuracies(params: Params, name: str) -> list[float]:
    """Accuracy of a run's last snapshot with each of ``CANDIDATES``, on the classes of the exported report."""
    from facial_expression.evaluation.inference import predict_views
    from facial_expression.training import snapshots

    learned = read_input(params.all_runs[name].input).of_protocol(PROTOCOL)
    table = learned.drop_classes(params.evaluate[params.export.report].drop)
    faces, kept = table.subset(PROTOCOL, "validation"), [learned.classes.index(name) for name in table.classes]
    directory = model_directory(PROTOCOL, name)
    network = snapshots.load_network(directory)
    snapshots.load_snapshot(network, directory, snapshots.list_snapshots(directory)[-1])
    predictions = (average_views(predict_views(network, faces.images, views), kept) for views in CANDIDATES)
    progress = track(predictions, name, total=len(CANDIDATES))
    return [float(np.mean(predicted.argmax(axis=1) == faces.labels)) for predicted in progress]


def median_seconds(recognizer: Recognizer) -> float:
    """Processor time for one face and its views; recognizers compute in the thread that calls them."""
    size = recognizer.card["preprocessing"]["size"]
    seconds = []
    for image in np.random.default_rng(0).integers(0, 256, (ROUNDS, size, size), dtype=np.uint8):
        start = time.thread_time()
        recognizer.classify(image[None])
        seconds.append(time.thread_time() - start)
    return float(np.median(seconds))


if __name__ == "__main__":
    main()
