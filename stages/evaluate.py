"""Score every contender of one report on the test part of its protocol.

    dvc repro evaluate@official          (all reports: dvc repro evaluate)

reads   data/filtered/, data/predictions/PROTOCOL/, the histories, the report's block of ``evaluate`` in params.yaml
writes  reports/REPORT/: metrics.json, selection.json (who votes), comparisons.csv (paired tests), predictions.csv,
        confusion.csv (for DVC's plots), figures/

Takes about ten seconds, most of it drawing. README.md shows the figures to expect.
"""

import argparse
import json
import sys
from pathlib import Path

import pandas as pd
from rich.console import Console

from facial_expression import evaluation, figures, scoring, tables
from facial_expression.atomic import replacing
from facial_expression.facetable import LabelledImages, read_face_table
from facial_expression.params import FAMILIES, REPORTS, load_params
from facial_expression.predictions import SCORED_PARTS, read_predictions


def main() -> None:
    parser = argparse.ArgumentParser(description="Score every contender of one report")
    parser.add_argument("--report", choices=REPORTS, required=True)
    report = parser.parse_args().report
    params = load_params()
    settings = getattr(params.evaluate, report)
    known = read_face_table("data/filtered").under(settings.protocol)
    table = known.without(settings.drop)
    kept = [known.classes.index(name) for name in table.classes]
    parts = {part: table.part(settings.protocol, part) for part in SCORED_PARTS}
    rows = {part: faces.rows for part, faces in parts.items()}
    families = {
        family: read_predictions(f"data/predictions/{settings.protocol}/{family}.npz").recognise(rows, kept)
        for family in FAMILIES
    }
    validation, test = parts["validation"], parts["test"]
    how = settings.model_dump(exclude={"protocol", "drop"})
    detected = table.faces.loc[table.faces[settings.protocol] == "test", "detected"].to_numpy()
    contenders = evaluation.evaluate(families, validation.labels, test.labels, table.classes, **how, detected=detected)
    directory = Path("reports", report)
    _write_tables(directory, contenders, test, table.classes)
    comparable = tables.is_comparable(params.download, table.classes)
    published = tables.published_accuracy(report) if comparable else {}
    histories = {family: f"reports/{settings.protocol}/history_{family}.csv" for family in FAMILIES}
    _write_figures(directory / "figures", report, histories, contenders, published, test, table.classes)
    Console().print(tables.results_table({report: evaluation.metrics(contenders)}, comparable))


def _write_tables(report: Path, contenders: list[evaluation.Contender], test: LabelledImages, classes) -> None:
    report.mkdir(parents=True, exist_ok=True)
    evaluation.write_metrics(report / "metrics.json", contenders)
    with replacing(report / "selection.json") as temporary:
        temporary.write_text(json.dumps(evaluation.selection(contenders), indent=2) + "\n")
    predictions = evaluation.predictions_table(contenders, test.rows, test.labels, classes)
    csv = {
        "comparisons.csv": evaluation.comparisons(contenders, test.labels),
        "predictions.csv": predictions,
        # Without the probabilities: DVC copies the whole file into each of its plots.
        "confusion.csv": predictions[["emotion", *(contender.name for contender in contenders)]],
    }
    for name, content in csv.items():
        with replacing(report / name) as temporary:
            content.to_csv(temporary, index=False, lineterminator="\n")


def _write_figures(directory: Path, report: str, histories, contenders, published, test, classes) -> None:
    title = f"report «{report}»"
    metrics = evaluation.metrics(contenders)
    histories = {family: pd.read_csv(path) for family, path in histories.items()}
    with replacing(directory) as temporary:
        temporary.mkdir()
        figures.accuracy_figure({report: metrics}, published, f"Accuracy, {title}", temporary / "accuracy.png")
        figures.learning_curves_figure(histories, f"Learning curves, {title}", temporary / "learning_curves.png")
        figures.recall_figure(metrics, f"Recall, {title}", temporary / "recall.png")
        for contender in contenders:
            matrix = scoring.confusion_matrix(test.labels, contender.predictions, len(classes))
            name = contender.name
            figures.confusion_figure(matrix, classes, f"{name}, {title}", temporary / f"confusion_{name}.png")


if __name__ == "__main__":
    try:
        main()
    except (RuntimeError, FileNotFoundError, ValueError) as error:
        sys.exit(f"evaluate: {error}")
