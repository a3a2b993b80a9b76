"""How far the figures can be trusted: duplicates, steps of the ladder, seeds, size of the training part."""

import math
from collections.abc import Iterable
from typing import Any

from facial_expression.reporting.charts import Figure, count_ticks, line_chart, percent_ticks, series
from facial_expression.reporting.evidence import Evidence

TITLE = "Certainty"
QUESTION = "Which differences are real, and how much of a figure is luck?"


def content(evidence: Evidence) -> dict[str, Any]:
    curves = {
        name: _learning_curve(name, report["learning_curve"])
        for name, report in evidence.reports.items()
        if report["learning_curve"]
    }
    return {
        "curves": curves,
        "seeds": {name: report["seeds"] for name, report in evidence.reports.items() if report["seeds"]},
        "without_seeds": [name for name, report in evidence.reports.items() if not report["seeds"]],
        "styles": {name: _styles(evidence.reports[name]["learning_curve"]) for name in curves},
        "by_luck": {name: _apart(report["seeds"]) for name, report in evidence.reports.items() if report["seeds"]},
        "ladders": {
            name: {"steps": report["ladder"], "real": [step for step in report["ladder"] if step["adjusted"] < 0.05]}
            for name, report in evidence.reports.items()
        },
    }


def _apart(seeds: dict[str, dict[str, Any]]) -> float:
    """The standard deviation of the difference between two trainings, over all runs, without their ensembles."""
    deviations = [one["deviation"] for name, one in seeds.items() if not name.endswith("-ensemble")]
    return math.sqrt(2 * sum(deviation**2 for deviation in deviations) / len(deviations))


def _styles(curve: Iterable[str]) -> dict[str, str]:
    return {run: series(number) for number, run in enumerate(curve)}


def _learning_curve(name: str, curve: dict[str, list[dict[str, float]]]) -> Figure:
    points = [point for points in curve.values() for point in points]
    accuracies = [point["accuracy"] for point in points]
    low = math.floor(10 * min(accuracies)) / 10
    high = max(low + 0.1, math.ceil(10 * max(accuracies)) / 10)
    return line_chart(
        f"learning-curve-{name}",
        {run: [(one["training_faces"], one["accuracy"]) for one in points] for run, points in curve.items()},
        f"Line chart: accuracy of {', '.join(curve)} against the number of training faces, as in the table.",
        "Accuracy against the number of training faces.",
        x_title="training faces",
        x_ticks=count_ticks(max(point["training_faces"] for point in points)),
        y=(low, high),
        y_ticks=percent_ticks(low, high),
    )
