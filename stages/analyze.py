"""Analyze the predictions of every model of one report: certainty, leaks, calibration, labels, groups of faces.

    dvc repro analyze@official-6         (all reports: dvc repro analyze)
    python -m stages.analyze official-6

reads   reports/REPORT/ (models.json, predictions.csv, variants.json), data/predictions/PROTOCOL/,
        data/filtered/, data/decoded/, data/near_duplicates.csv, reports/crowd/, data/predictions/served.npz and
        models/serving/card.json (of the exported report alone), the blocks `evaluate`, `audit` and `export` of
        params.yaml
writes  reports/analysis/REPORT.json

Takes ten seconds.
"""

from typing import Any

import numpy as np
import pandas as pd

from facial_expression.analysis.crowd import crowd_indices
from facial_expression.analysis.duplicates import group_pairs
from facial_expression.analysis.groups import group_faces
from facial_expression.analysis.model_analysis import AnalyzedFaces, analyze_models, analyze_served
from facial_expression.analysis.model_probabilities import model_probabilities
from facial_expression.analysis.survey import leak_kinds, same_picture
from facial_expression.analysis.tables import read_table
from facial_expression.analysis.variants import analyze_variants
from facial_expression.data.face_table import FaceTable, read_face_table
from facial_expression.evaluation.predictions import PREDICTED_PARTS, read_predictions
from facial_expression.files import read_json, write_json
from facial_expression.params import Params
from stages._stage import (
    ANALYSIS,
    CROWD,
    DECODED,
    FILTERED,
    NEAR_DUPLICATES,
    SERVED_PREDICTIONS,
    SERVING,
    parse_report,
    predictions_path,
    report_directory,
    run_stage,
)


def main() -> None:
    params, report = parse_report("Analyze the predictions of every model of one report")
    write_json(ANALYSIS / f"{report}.json", _analyze(params, report))


def _analyze(params: Params, report: str) -> dict[str, Any]:
    settings, made_by = params.evaluate[report], f"dvc repro evaluate@{report}"
    filtered = read_face_table(FILTERED)
    learned = filtered.of_protocol(settings.protocol)
    table = learned.drop_classes(settings.drop)
    faces = _faces(table, settings.protocol, _leaks(filtered.faces, settings.protocol, params.audit.correlation))
    records = read_json(report_directory(report) / "models.json", made_by)
    kept = [learned.classes.index(name) for name in table.classes]
    runs = {
        run: read_predictions(predictions_path(settings.protocol, run))
        for run in sorted({run for record in records.values() for run in record["snapshots"]})
    }
    rows = {"validation": faces.validation_rows, "test": faces.rows}
    probabilities = {name: model_probabilities(record, runs, rows, kept) for name, record in records.items()}
    training_faces = int((learned.faces[settings.protocol] == "training").sum())
    variants = read_json(report_directory(report) / "variants.json", made_by)
    columns = ["row", *records, *variants]
    predictions = read_table(report_directory(report) / "predictions.csv", columns, made_by).set_index("row")
    served = None
    if report == params.export.report:
        metrics = read_json(SERVING / "card.json", "dvc repro export")["metrics"]
        (on_faces,) = read_predictions(SERVED_PREDICTIONS).of_faces(rows, range(len(table.classes))).values()
        served = analyze_served(metrics, *on_faces, faces, params.export.confidence_threshold, settings.seed)
    return {
        "protocol": settings.protocol,
        "training_faces": training_faces,
        "served": served,
        **analyze_models(records, probabilities, faces, params.export.confidence_threshold, settings.seed),
        **analyze_variants(variants, records, predictions.loc[faces.rows], faces, training_faces, settings.seed),
    }


def _leaks(faces: pd.DataFrame, protocol: str, correlation: float) -> pd.Series:
    """Row -> whether training holds the picture."""
    pairs = read_table(NEAR_DUPLICATES, ["first", "second", "correlation"], "dvc repro audit")
    rows = max(faces["row"].max(), *pairs[["first", "second"]].max()) + 1  # alignment may have dropped faces
    groups = group_pairs(pairs[pairs["correlation"] >= correlation], int(rows))
    kinds = leak_kinds(faces[protocol], same_picture(faces), pd.Series(groups[faces["row"]], index=faces.index))
    return kinds.set_axis(faces["row"])


def _faces(table: FaceTable, protocol: str, leaks: pd.Series) -> AnalyzedFaces:
    validation, test = (table.select((table.faces[protocol] == part).to_numpy()) for part in PREDICTED_PARTS)
    labels = {part: table.subset(protocol, part) for part in PREDICTED_PARTS}
    pictures = test.with_images_of(read_face_table(DECODED, memory_map=True)).images
    crowd: dict[str, np.ndarray | None] = dict.fromkeys(PREDICTED_PARTS)
    if read_json(CROWD / "agreement.json", "dvc repro crowd") is not None:
        different = read_table(CROWD / "disagreements.csv", ["row", "crowd"], "dvc repro crowd")
        crowd = {
            part: crowd_indices(of_part.faces, different, table.classes)
            for part, of_part in zip(PREDICTED_PARTS, (validation, test), strict=True)
        }
    return AnalyzedFaces(
        classes=table.classes,
        rows=labels["test"].rows,
        labels=labels["test"].labels,
        validation_rows=labels["validation"].rows,
        validation_labels=labels["validation"].labels,
        clusters=same_picture(test.faces).to_numpy(),
        leak=leaks[labels["test"].rows].to_numpy(),
        groups=group_faces(test.faces, test.landmarks, pictures),
        crowd=crowd["test"],
        validation_crowd=crowd["validation"],
    )


if __name__ == "__main__":
    run_stage(main)
