"""Whether a probability means what it says, and what answering only when sure is worth."""

import math
from typing import Any

from facial_expression.reporting.charts import line_chart, line_styles, percent_ticks, reliability_chart
from facial_expression.reporting.evidence import SERVED, Evidence

TITLE = "Confidence"
QUESTION = "When a model says it is 80% sure, is it right in 80% of the cases?"


def content(evidence: Evidence) -> dict[str, Any]:
    main = evidence.main
    models = {SERVED: main["served"]} | main["models"]
    lines = {
        model: [(point["coverage"], point["accuracy"]) for point in record["coverage"]]
        for model, record in models.items()
        if not model.endswith("-ensemble")
    }
    lowest = math.floor(5 * min(y for points in lines.values() for _, y in points)) / 5
    half = next(point for point in evidence.best["coverage"] if point["coverage"] == 0.5)
    return {
        "reliability": {
            name: _reliability(name, report["best"], report["models"][report["best"]])
            for name, report in evidence.reports.items()
        },
        "served": _reliability(f"{evidence.served}-served", SERVED, main["served"]),
        "models": models,
        "coverage": line_chart(
            "coverage",
            lines,
            f"Line chart: accuracy on the most confident faces against their share, for {evidence.served}; the surer "
            f"the answers, the more often they are right. {main['best']} gets {half['accuracy']:.1%} of its surest "
            f"half right, and {evidence.best['accuracy']:.1%} of all.",
            "Accuracy against coverage: the share of faces that get an answer.",
            x_title="share of faces that get an answer",
            x_ticks=percent_ticks(0, 1),
            y=(lowest, 1),
            y_ticks=percent_ticks(lowest, 1),
            styles=[line_styles(lines, SERVED)[model] for model in lines],
            form="{y:.1%} right on {x:.0%} of the faces",
        ),
        "styles": line_styles(lines, SERVED),
        "half": half,
    }


def _reliability(name: str, model: str, record: Any) -> Any:
    before, after = record["calibration"]["before"], record["calibration"]["after"]
    return reliability_chart(
        f"reliability-{name}",
        {"before": before["reliability"], "after": after["reliability"]},
        f"Reliability diagram of {model}: accuracy against confidence. The expected calibration error is "
        f"{before['ece']:.1%} before and {after['ece']:.1%} after fitting a temperature.",
        f"{model}, {name.removesuffix('-served')}: before (blue) and after (orange) fitting a temperature.",
    )
