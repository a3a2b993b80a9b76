"""What duplicates across parts, and faces that the detector misses, do to the study's figures."""

from collections.abc import Mapping
from typing import Any

from facial_expression.reporting.charts import interval_chart, pair_bars
from facial_expression.reporting.evidence import Evidence
from facial_expression.reporting.figure import Figure

TITLE = "Leaks"
QUESTION = "What does the study's random split gain from duplicates, and what from dropping faces?"

KINDS = {"exact": "same picture in training", "near": "nearly the same", "none": "neither"}


def content(evidence: Evidence) -> dict[str, Any]:
    reports = evidence.reports
    main = evidence.main["found"]
    return {
        "leaking": [name for name, report in reports.items() if report["leaked"]["exact"] and report["leaked"]["none"]],
        "gains": {name: _gains(report) for name, report in reports.items()},
        "cost": {name: _ends(report["unleaked"]) for name, report in reports.items() if report["unleaked"]},
        "charts": {name: _chart(name, report) for name, report in reports.items()},
        "found_by_class": evidence.main["found_by_class"],
        "found_chart": _found_chart(evidence.main["found_by_class"]),
        "all_found": main["found"],
        "all_missed": main["missed"],
        "dropping": main["found"]["value"] - evidence.best["accuracy"] if main["found"] else None,
        "unleaked": {name: report["unleaked"] for name, report in reports.items() if report["unleaked"]},
        "candidates": evidence.data["candidates"]["pairs"],
        "steps": _steps(evidence.data["candidates"]["correlation"]),
    }


def _gains(report: Mapping[str, Any]) -> dict[str, float]:
    """Model -> its accuracy on all test faces minus that on faces of which training holds no copy."""
    models = report["models"].items()
    return {name: record["accuracy"] - clean["value"] for name, record in models if (clean := record["leak"]["none"])}


def _ends(unleaked: Mapping[str, Mapping[str, float]]) -> tuple[float, float]:
    """The smallest and the largest gain from leaks."""
    gains = [one["difference"] for one in unleaked.values()]
    return min(gains), max(gains)


def _chart(name: str, report: Mapping[str, Any]) -> Figure:
    best = report["best"]
    return interval_chart(
        f"leaks-{name}",
        {KINDS[kind]: share for kind, share in report["models"][best]["leak"].items() if share},
        f"Chart of the accuracy of {best} on test faces by whether training holds the same picture, nearly the same, "
        "or neither; the table has the figures.",
        f"Accuracy of {best} in {name}, by whether the training part holds the picture.",
    )


def _found_chart(found_by_class: Mapping[str, Any]) -> Figure | None:
    both = {name: pair for name, pair in found_by_class.items() if pair["found"] and pair["missed"]}
    if not both:
        return None
    return pair_bars(
        "found-and-missed",
        {name: (pair["found"]["value"], pair["missed"]["value"]) for name, pair in both.items()},
        ("found", "missed"),
        "Bar chart: accuracy on each class for faces that the study's detector finds and for those that it misses; the "
        "table has the figures.",
        "Accuracy on faces that the study's detector finds (blue) and misses (orange).",
    )


def _steps(edges: list[float]) -> list[str]:
    lower = [f"from {edge:g}" for edge in edges[1:-1]]
    return [f"below {edges[1]:g}", *lower]
