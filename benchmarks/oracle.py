"""What each official run would read if its snapshot were chosen on the test set, as some public FER2013 codes do.

    python -m benchmarks.oracle

Every snapshot of a run predicts PublicTest and PrivateTest, with the views of `predict.official`, in all classes. *Held
out* is the test accuracy of the snapshot with the best validation accuracy, as in the reports; *oracle* is the best of
all test accuracies, which is no result: with the test set as judge, nothing is held out. Takes five minutes per run.
"""

import argparse

import numpy as np
from rich.console import Console
from rich.table import Table

from facial_expression.evaluation.predictions import PREDICTED_PARTS
from facial_expression.params import Params, load_params
from facial_expression.training import runtime
from facial_expression.views import Views
from stages._inputs import read_input
from stages._stage import model_directory

PROTOCOL = "official"


def main() -> None:
    argparse.ArgumentParser(description=__doc__.splitlines()[0]).parse_args()
    params = load_params()
    runtime.configure(params.runtime, seed=0)
    table = Table("run", title=f"Accuracy on PrivateTest, {len(params.classes)} classes, %")
    for column in ("snapshots", "held out", "oracle"):
        table.add_column(column, justify="right")
    for name in params.runs_of(PROTOCOL):
        validation, test = measure(params, name)
        chosen = np.flatnonzero(validation == validation.max())[-1]
        table.add_row(name, str(len(test)), f"{100 * test[chosen]:.2f}", f"{100 * test.max():.2f}")
    Console().print(table)


def measure(params: Params, name: str) -> tuple[np.ndarray, np.ndarray]:
    """Validation and test accuracy of every snapshot of a run, in the order of their iterations."""
    from facial_expression.evaluation.inference import predict_snapshots

    faces = read_input(params.all_runs[name].input).of_protocol(PROTOCOL)
    parts = {part: faces.subset(PROTOCOL, part) for part in PREDICTED_PARTS}
    rows = {part: images.rows for part, images in parts.items()}
    views = Views(**params.prediction_of(PROTOCOL).views.model_dump())
    predictions = predict_snapshots(model_directory(PROTOCOL, name), parts, views, last=1000)
    snapshots = predictions.of_faces(rows, range(len(faces.classes))).values()
    validation, test = (
        np.array([(found.argmax(axis=1) == parts[part].labels).mean() for found in of_part])
        for part, of_part in zip(PREDICTED_PARTS, zip(*snapshots, strict=True), strict=True)
    )
    return validation, test


if __name__ == "__main__":
    main()
