"""Evaluate every model of one report on the test part of its protocol.

    dvc repro evaluate@official-6        (all reports: dvc repro evaluate)
    python -m stages.evaluate official-6

reads   data/filtered/, data/predictions/PROTOCOL/, reports/history/PROTOCOL/, the report's block of `evaluate` in
        params.yaml
writes  reports/REPORT/: metrics/MODEL.json (for `dvc metrics`), models.json (all figures, snapshots and weights),
        variants.json (the same of variants), comparisons.csv (paired tests), predictions.csv, figures/

Takes about ten seconds. README.md shows the figures to expect.
"""

from pathlib import Path

import pandas as pd
from rich.console import Console

from facial_expression.data.face_table import FaceTable, read_face_table
from facial_expression.data.training_faces import choose_training_faces
from facial_expression.errors import UserError
from facial_expression.evaluation import figures, metrics, tables
from facial_expression.evaluation.models import (
    EvaluatedFaces,
    Model,
    comparisons,
    evaluate_models,
    evaluate_runs,
    predictions_table,
)
from facial_expression.evaluation.predictions import PREDICTED_PARTS, read_predictions
from facial_expression.evaluation.variants import variant_records
from facial_expression.files import atomic_write, write_json
from facial_expression.params import Params, Run
from stages._stage import FILTERED, history_path, parse_report, predictions_path, report_directory, run_stage


def main() -> None:
    params, report = parse_report("Evaluate every model of one report")
    settings = params.evaluate[report]
    learned = read_face_table(FILTERED).of_protocol(settings.protocol)
    models, variants, rows, faces, parameters = _evaluate(params, report, learned)
    directory = report_directory(report)
    records = {model.name: model.record(parameters) for model in models}
    write_json(directory / "models.json", records)
    counts = {name: _count_training_faces(learned, run) for name, run in params.variants_of(settings.protocol).items()}
    write_json(directory / "variants.json", variant_records(variants, params.all_runs, counts, parameters))
    _write_metrics(directory / "metrics", models)
    _write_csv(directory / "comparisons.csv", comparisons(models, faces.labels))
    _write_csv(directory / "predictions.csv", predictions_table([*models, *variants], rows, faces))
    comparable = tables.is_comparable(params.download, faces.classes)
    histories = {run: pd.read_csv(history_path(settings.protocol, run)) for run in params.runs_of(settings.protocol)}
    _write_figures(directory / "figures", report, models, faces, histories, comparable)
    Console().print(tables.results_table({report: records}, comparable))


def _evaluate(params: Params, report: str, learned: FaceTable):
    """Models, those of variants, rows of the test faces, the faces and the number of parameters by run."""
    settings = params.evaluate[report]
    table = learned.drop_classes(settings.drop)
    kept = [learned.classes.index(name) for name in table.classes]
    parts = {part: table.subset(settings.protocol, part) for part in PREDICTED_PARTS}
    rows = {part: images.rows for part, images in parts.items()}
    runs, variants = params.runs_of(settings.protocol), params.variants_of(settings.protocol)
    predictions = {run: read_predictions(predictions_path(settings.protocol, run)) for run in [*runs, *variants]}
    if not runs:
        raise UserError(f"runs in params.yaml has no run of the protocol {settings.protocol}, which {report} evaluates")
    detected = table.faces.loc[table.faces[settings.protocol] == "test", "detected"].to_numpy()
    faces = EvaluatedFaces(parts["validation"].labels, parts["test"].labels, detected, table.classes)
    how = settings.model_dump(exclude={"protocol", "drop", "ensemble_weights"})
    models = evaluate_models(
        {run: predictions[run].of_faces(rows, kept) for run in runs},
        faces,
        ensemble_weights=settings.ensemble_weights,
        **how,
    )
    varied = {run: predictions[run].of_faces(rows, kept) for run in variants}
    of_variants = evaluate_runs(varied, faces, **how) if varied else []
    return models, of_variants, rows["test"], faces, {run: one.parameters for run, one in predictions.items()}


def _count_training_faces(learned: FaceTable, run: Run) -> int:
    chosen = choose_training_faces(learned, run.protocol, run.share, run.unleaked)
    return len(chosen.subset(run.protocol, "training").labels)


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
