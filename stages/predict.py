"""Predict the validation and test sets with the last snapshots of a run.

    dvc repro predict_resnet@small       (all runs of the stage: dvc repro predict_resnet)
    python -m stages.predict small

reads   data/filtered/ and the faces that the run's `input` names, models/PROTOCOL/RUN/, `predict` in params.yaml
writes  data/predictions/PROTOCOL/RUN.npz, which all reports of the protocol share

Takes a minute for three snapshots of a small network and six views, on one core with AVX-512.
"""

from facial_expression.evaluation.predictions import PREDICTED_PARTS, write_predictions
from facial_expression.training import runtime
from facial_expression.views import Views
from stages._inputs import read_input
from stages._stage import model_directory, parse_run, predictions_path, run_stage


def main() -> None:
    params, run = parse_run("Predict with the last snapshots of a run")
    runtime.configure(params.runtime, seed=0)  # nothing here is random
    from facial_expression.evaluation.inference import predict_snapshots

    table = read_input(run.input).of_protocol(run.protocol)
    parts = {part: table.subset(run.protocol, part) for part in PREDICTED_PARTS}
    settings = params.prediction_of(run.protocol)
    views = Views(**settings.views.model_dump())
    predictions = predict_snapshots(model_directory(run.protocol, run.name), parts, views, settings.snapshots)
    write_predictions(predictions_path(run.protocol, run.name), predictions)


if __name__ == "__main__":
    run_stage(main)
