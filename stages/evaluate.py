"""Score every contender of one protocol on its test part.

    dvc repro evaluate@official          (both protocols: dvc repro evaluate)

reads   data/filtered/, models/PROTOCOL/, the histories, the block ``evaluate`` of params.yaml
writes  reports/PROTOCOL/: metrics.json, selection.json (who votes), comparisons.csv (paired tests), predictions.csv,
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

from facial_expression import evaluation, figures, runtime, scoring, snapshots, tables
from facial_expression.atomic import replacing
from facial_expression.facetable import LabelledImages, read_face_table
from facial_expression.params import load_params
from facial_expression.protocols import PROTOCOLS

FAMILIES = ("shallow", "wide", "resnet")


def main() -> None:
    parser = argparse.ArgumentParser(description="Score every contender of one protocol")
    parser.add_argument("--protocol", choices=PROTOCOLS, required=True)
    protocol = parser.parse_args().protocol
    params = load_params()
    runtime.prepare(params.runtime, params.evaluate.seed)
    table = read_face_table("data/filtered")
    validation, test = table.part(protocol, "validation"), table.part(protocol, "test")
    families = {family: _predict(Path("models", protocol, family), validation, test) for family in FAMILIES}
    contenders = evaluation.evaluate(
        families, validation.labels, test.labels, table.classes, **params.evaluate.model_dump()
    )
    report = Path("reports", protocol)
    _write_tables(report, contenders, test, table.classes)
    comparable = tables.is_comparable(params.download, table.classes)
    published = tables.published_accuracy(protocol) if comparable else {}
    _write_figures(report / "figures", protocol, contenders, published, test, table.classes)
    Console().print(tables.results_table({protocol: evaluation.metrics(contenders)}, comparable))


def _predict(directory: Path, validation: LabelledImages, test: LabelledImages) -> evaluation.Snapshots:
    network = snapshots.load_network(directory)
    predictions = {}
    for iteration in tqdm(snapshots.list_snapshots(directory), desc=str(directory), unit="snapshot"):
        snapshots.load_snapshot(network, directory, iteration)
        predictions[iteration] = tuple(snapshots.predict(network, part.images) for part in (validation, test))
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


def _write_figures(directory: Path, protocol: str, contenders, published, test, classes) -> None:
    title = f"{protocol} protocol"
    metrics = evaluation.metrics(contenders)
    histories = {family: pd.read_csv(f"reports/{protocol}/history_{family}.csv") for family in FAMILIES}
    with replacing(directory) as temporary:
        temporary.mkdir()
        figures.accuracy_figure({protocol: metrics}, published, f"Accuracy, {title}", temporary / "accuracy.png")
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
