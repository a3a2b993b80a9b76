"""How far the figures can be trusted: duplicates, steps of the ladder, seeds, size of the training part."""

from typing import Any

from facial_expression.reporting.charts import count_ticks, line_chart, percent_ticks
from facial_expression.reporting.evidence import Evidence

TITLE = "Certainty"
QUESTION = "Which differences are real, and how much of a figure is luck?"


def content(evidence: Evidence) -> dict[str, Any]:
    curves = {
        name: line_chart(
            f"learning-curve-{name}",
            {run: [(one["training_faces"], one["accuracy"]) for one in points] for run, points in curve.items()},
            f"Line chart: accuracy of {', '.join(curve)} against the number of training faces, as in the table.",
            "Accuracy against the number of training faces.",
            x_title="training faces",
            x_ticks=count_ticks(max(point["training_faces"] for points in curve.values() for point in points)),
            y=(0, 1),
            y_ticks=percent_ticks(0, 1),
        )
        for name, report in evidence.reports.items()
        if (curve := report["learning_curve"])
    }
    return {
        "curves": curves,
        "seeds": {name: report["seeds"] for name, report in evidence.reports.items() if report["seeds"]},
        "ladders": {
            name: {"steps": report["ladder"], "real": [step for step in report["ladder"] if step["adjusted"] < 0.05]}
            for name, report in evidence.reports.items()
        },
    }
