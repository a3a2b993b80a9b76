"""Measure what serving an official run, or several of them together, is worth on the validation set, and its cost.

    python -m benchmarks.members

Every run predicts the faces that are served (`export.input`), whatever it was trained on, with its best snapshot and
the views of `predict.official`, on the classes of the exported report. Networks that are served together are averaged.
*MB* is the size of their weights as int8. A second table gives the size of the exported files and the processor time
that each takes for one face and its views. Takes a minute per run.
"""

import argparse
import itertools

import numpy as np
from rich.console import Console
from rich.progress import track
from rich.table import Table

from benchmarks.views import median_seconds
from facial_expression.files import read_json
from facial_expression.params import Params, load_params
from facial_expression.probabilities import average_views
from facial_expression.recognizer import Recognizer
from facial_expression.training import runtime
from facial_expression.views import Views
from stages._inputs import read_input
from stages._stage import SERVING, VARIANTS, model_directory, report_directory

LARGEST = 3
"""Networks served together, at most."""
ROWS = 12
"""Combinations to show, the best ones."""


def main() -> None:
    argparse.ArgumentParser(description=__doc__.splitlines()[0]).parse_args()
    params = load_params()
    runtime.configure(params.runtime, seed=0)
    protocol = params.evaluate[params.export.report].protocol
    learned = read_input(params.export.input).of_protocol(protocol)
    table = learned.drop_classes(params.evaluate[params.export.report].drop)
    faces, kept = table.subset(protocol, "validation"), [learned.classes.index(name) for name in table.classes]
    runs = params.runs_of(protocol)
    measured = {name: measure(params, name, faces.images, kept) for name in track(runs, "predicting")}
    rows = []
    for count in range(1, LARGEST + 1):
        for names in itertools.combinations(runs, count):
            average = np.mean([measured[name][0] for name in names], axis=0)
            accuracy = float(np.mean(average.argmax(axis=1) == faces.labels))
            rows.append((accuracy, names, sum(measured[name][1] for name in names)))
    show(sorted(rows, key=lambda row: -row[0])[:ROWS], params.export.input)
    show_exported()


def measure(params: Params, name: str, images: np.ndarray, kept: list[int]) -> tuple[np.ndarray, float]:
    """Probabilities of a run's best snapshot, averaged over views, and its size in MB."""
    from facial_expression.evaluation.inference import predict_views
    from facial_expression.training import snapshots

    report = params.export.report
    (iteration,) = read_json(report_directory(report) / "models.json", "dvc repro evaluate")[name]["snapshots"][name]
    protocol = params.all_runs[name].protocol
    directory = model_directory(protocol, name)
    network = snapshots.load_network(directory)
    snapshots.load_snapshot(network, directory, iteration)
    views = Views(**params.prediction_of(protocol).views.model_dump())
    return average_views(predict_views(network, images, views), kept), network.count_params() / 1e6


def show(rows: list[tuple[float, tuple[str, ...], float]], faces: str) -> None:
    table = Table("served", title=f"Validation accuracy on {faces} faces, %")
    for column in ("accuracy", "MB"):
        table.add_column(column, justify="right")
    for accuracy, names, megabytes in rows:
        table.add_row(" + ".join(names), f"{100 * accuracy:.2f}", f"{megabytes:.1f}")
    Console().print(table)


def show_exported() -> None:
    card = read_json(SERVING / "card.json", "dvc repro export")
    table = Table("exported", title="Exported: " + " + ".join(member["run"] for member in card["members"]))
    for column in ("MB", "ms per face"):
        table.add_column(column, justify="right")
    for path in sorted(VARIANTS.glob("*.onnx")):
        milliseconds = 1000 * median_seconds(Recognizer(card, path.read_bytes()))
        table.add_row(path.stem, f"{path.stat().st_size / 1e6:.1f}", f"{milliseconds:.1f}")
    Console().print(table)


if __name__ == "__main__":
    main()
