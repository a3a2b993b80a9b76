"""Evaluate every model of one report on the test part of its protocol.

    dvc repro evaluate@official-6        (all reports: dvc repro evaluate)
    python -m stages.evaluate official-6

reads   data/filtered/, data/predictions/PROTOCOL/, reports/history/PROTOCOL/, the report's block of `evaluate` in
        params.yaml
writes  reports/REPORT/: metrics/MODEL.json (for `dvc metrics`), models.json (all figures, snapshots and weights),
        comparisons.csv (paired tests), predictions.csv, figures/

Takes about ten seconds. README.md shows the figures to expect.
"""

import argparse
from pathlib import Path

import pandas as pd
from rich.console import Console

from facial_expression.data.face_table import FaceTable, read_face_table
from facial_expression.errors import UserError
from facial_expression.evaluation import figures, metrics, tables
from facial_expression.evaluation.models import EvaluatedFaces, Model, comparisons, evaluate_models, predictions_table
from facial_expression.evaluation.predictions import PREDICTED_PARTS, read_predictions
from facial_expression.files import atomic_write, write_json
from facial_expression.params import Params, load_params
from stages._stage import FILTERED, history_path, predictions_path, report_directory, run_stage


def main() -> None:
    parser = argparse.ArgumentParser(description="Evaluate every model of one report")
    parser.add_argument("report")
    report = parser.parse_args().report
    params = load_params()
    if report not in params.evaluate:
        raise UserError(f"evaluate in params.yaml has no report {report!r}, but {', '.join(params.evaluate)}")
    settings = params.evaluate[report]
    learned = read_face_table(FILTERED).of_protocol(settings.protocol)
    models, rows, faces, parameters = _evaluate(params, report, learned)
    directory = report_directory(report)
    records = {model.name: model.record(parameters) for model in models}
    write_json(directory / "models.json", records)
    _write_metrics(directory / "metrics", models)
    _write_csv(directory / "comparisons.csv", comparisons(models, faces.labels))
    _write_csv(directory / "predictions.csv", predictions_table(models, rows, faces))
    comparable = tables.is_comparable(params.download, faces.classes)
    histories = {run: pd.read_csv(history_path(settings.protocol, run)) for run in params.runs_of(settings.protocol)}
    _write_figures(directory / "figures", report, models, faces, histories, comparable)
    Console().print(tables.results_table({report: records}, comparable))


def _evaluate(params: Params, report: str, learned: FaceTable):
    """Models, rows of the test faces, the faces and the number of parameters by run."""
    settings = params.evaluate[report]
    table = learned.drop_classes(settings.drop)
    kept = [learned.classes.index(name) for name in table.classes]
    parts = {part: table.subset(settings.protocol, part) for part in PREDICTED_PARTS}
    rows = {part: images.rows for part, images in parts.items()}
    predictions = {
        run: read_predictions(predictions_path(settings.protocol, run)) for run in params.runs_of(settings.protocol)
    }
    if not predictions:
        raise UserError(f"runs in params.yaml has no run of the protocol {settings.protocol}, which {report} evaluates")
    detected = table.faces.loc[table.faces[settings.protocol] == "test", "detected"].to_numpy()
    faces = EvaluatedFaces(parts["validation"].labels, parts["test"].labels, detected, table.classes)
    how = settings.model_dump(exclude={"protocol", "drop"})
    models = evaluate_models({run: one.of_faces(rows, kept) for run, one in predictions.items()}, faces, **how)
    return models, rows["test"], faces, {run: one.parameters for run, one in predictions.items()}


def _write_metrics(directory: Path, models: list[Model]) -> None:
    with atomic_write(directory) as temporary:
        temporary.mkdir()
        for model in models:
            write_json(temporary / f"{model.name}.json", model.compared_metrics)


def _write_csv(path: Path, table: pd.DataFrame) -> None:
    with atomic_write(path) as temporary:
        table.to_csv(temporary, index=False, lineterminator="\n")


def _write_figures(
    directory: Path,
    report: str,
    models: list[Model],
    faces: EvaluatedFaces,
    histories: dict[str, pd.DataFrame],
    comparable: bool,
) -> None:
    values = {model.name: model.metrics for model in models}
    study = tables.study_accuracy(values) if comparable else {}
    matrices = {
        model.name: metrics.confusion_matrix(faces.labels, model.predictions, len(faces.classes))
        for model in models
        if model.name.endswith("ensemble")
    }
    with atomic_write(directory) as temporary:
        temporary.mkdir()
        figures.accuracy_figure(values, study, f"Accuracy, {report}", temporary / "accuracy.png")
        figures.confusion_figure(matrices, faces.classes, f"Confusion, {report}", temporary / "confusion.png")
        figures.learning_curves_figure(histories, f"Learning curves, {report}", temporary / "learning_curves.png")
        figures.recall_figure(values, f"Recall, {report}", temporary / "recall.png")


if __name__ == "__main__":
    run_stage(main)
