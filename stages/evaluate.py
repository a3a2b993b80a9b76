"""Score every contender of one report on the test part of its protocol.

    dvc repro evaluate@official          (all reports: dvc repro evaluate)

reads   data/filtered/, models/PROTOCOL/, the histories, the report's block of ``evaluate`` in params.yaml
writes  reports/REPORT/: metrics.json, selection.json (who votes), comparisons.csv (paired tests), predictions.csv,
        confusion.csv (for DVC's plots), figures/

Takes a few minutes on two cores, most of it predicting with ResNet-34. README.md shows the figures to expect.
"""

import argparse
import json
import sys
from pathlib import Path

import pandas as pd
from rich.console import Console
from tqdm import tqdm

from facial_expression import evaluation, figures, inference, runtime, scoring, snapshots, tables
from facial_expression.atomic import replacing
from facial_expression.facetable import LabelledImages, read_face_table
from facial_expression.params import REPORTS, load_params

FAMILIES = ("shallow", "wide", "resnet")


def main() -> None:
    parser = argparse.ArgumentParser(description="Score every contender of one report")
    parser.add_argument("--report", choices=REPORTS, required=True)
    report = parser.parse_args().report
    params = load_params()
    settings = getattr(params.evaluate, report)
    runtime.prepare(params.runtime, settings.seed)
    known = read_face_table("data/filtered").under(settings.protocol)
    table = known.without(settings.drop)
    kept = [known.classes.index(name) for name in table.classes]
    validation, test = (table.part(settings.protocol, part) for part in ("validation", "test"))
    families = {
        family: _predict(Path("models", settings.protocol, family), (validation, test), kept, settings.flip)
        for family in FAMILIES
    }
    how = settings.model_dump(exclude={"protocol", "drop", "flip"})
    detected = table.faces.loc[table.faces[settings.protocol] == "test", "detected"].to_numpy()
    contenders = evaluation.evaluate(families, validation.labels, test.labels, table.classes, **how, detected=detected)
    directory = Path("reports", report)
    _write_tables(directory, contenders, test, table.classes)
    comparable = tables.is_comparable(params.download, table.classes)
    published = tables.published_accuracy(report) if comparable else {}
    histories = {family: f"reports/{settings.protocol}/history_{family}.csv" for family in FAMILIES}
    _write_figures(directory / "figures", report, histories, contenders, published, test, table.classes)
    Console().print(tables.results_table({report: evaluation.metrics(contenders)}, comparable))


def _predict(
    directory: Path, parts: tuple[LabelledImages, LabelledImages], kept: list[int], flip: bool
) -> evaluation.Snapshots:
    network = snapshots.load_network(directory)
    predictions = {}
    for iteration in tqdm(snapshots.list_snapshots(directory), desc=str(directory), unit="snapshot"):
        snapshots.load_snapshot(network, directory, iteration)
        predictions[iteration] = tuple(inference.recognise(network, part.images, kept, flip) for part in parts)
    return predictions


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
