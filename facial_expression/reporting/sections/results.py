"""Accuracy of every model beside the study's figures, and the confusion matrices."""

from collections.abc import Mapping
from typing import Any

from facial_expression.evaluation.tables import STUDY_PREFIX
from facial_expression.reporting.charts import heat_map, interval_chart
from facial_expression.reporting.evidence import SERVED, Evidence
from facial_expression.reporting.figure import Figure

TITLE = "Results"
QUESTION = "How often is each network right, and does the study's result hold?"


def content(evidence: Evidence) -> dict[str, Any]:
    return {
        "reports": {
            name: {
                "models": (models := _models(report)),
                "accuracy": _accuracy(name, models, study := _study(evidence, report)),
                "confusion": {
                    model: _confusion(name, model, record, report["classes"]) for model, record in models.items()
                },
                "study": study,
                "most_frequent": _most_frequent(report),
                "inside": [
                    model
                    for model, accuracy in study.items()
                    if report["models"][model]["accuracy_low"] <= accuracy <= report["models"][model]["accuracy_high"]
                ],
                "above": [model for model, value in study.items() if report["models"][model]["accuracy_low"] > value],
                "below": [model for model, value in study.items() if report["models"][model]["accuracy_high"] < value],
            }
            for name, report in evidence.reports.items()
        },
        "figures_of_study": evidence.study,
    }


def _models(report: Mapping[str, Any]) -> dict[str, Any]:
    """The models of the report, and what is served if it comes from this report."""
    return report["models"] | ({SERVED: report["served"]} if report["served"] else {})


def _study(evidence: Evidence, report: Mapping[str, Any]) -> dict[str, float]:
    """Model of the report -> the study's accuracy, under the study's protocol."""
    if report["protocol"] != "study":
        return {}
    short = {name: name.removeprefix(STUDY_PREFIX) for name in report["models"]}
    return {name: evidence.study[one].accuracy for name, one in short.items() if one in evidence.study}


def _most_frequent(report: Mapping[str, Any]) -> dict[str, Any]:
    """The class with the most test faces, and its share of them."""
    shares = report["models"][report["best"]]["classes"]
    counts = {name: share["n"] for name, share in shares.items() if share}
    name = max(counts, key=lambda name: counts[name])
    return {"name": name, "share": counts[name] / sum(counts.values())}


def _accuracy(name: str, models: Mapping[str, Any], study: Mapping[str, float]) -> Figure:
    rows = {
        model: {"value": record["accuracy"], "low": record["accuracy_low"], "high": record["accuracy_high"]}
        for model, record in models.items()
    }
    served = " and what is served (green)" if SERVED in rows else ""
    diamonds = " Diamonds: the study's figures." if study else ""
    return interval_chart(
        f"accuracy-{name}",
        rows,
        f"Chart of the accuracy of every model of {name} with its 95% interval; the table has the same figures.",
        f"Accuracy with its 95% interval: single snapshots (blue), ensembles (orange){served}.{diamonds}",
        marks=study,
        groups=[2 if model == SERVED else int(model.endswith("ensemble")) for model in rows],
    )


def _confusion(name: str, model: str, record: Mapping[str, Any], classes: list[str]) -> Figure:
    known = {label: share["value"] for label, share in record["classes"].items() if share}
    best, worst = max(known, key=lambda label: known[label]), min(known, key=lambda label: known[label])
    return heat_map(
        f"confusion-{name}-{model}",
        record["confusion"],
        classes,
        f"Confusion matrix of {model}: it gets {known[best]:.0%} of {best} right, the most, and {known[worst]:.0%} of "
        f"{worst}, the least.",
        f"{model}: {record['accuracy']:.1%} right",
    )
