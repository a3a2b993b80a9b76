"""What duplicates across parts, and faces that the detector misses, do to the study's figures."""

from typing import Any

from facial_expression.reporting.charts import interval_chart, pair_bars
from facial_expression.reporting.evidence import Evidence

TITLE = "Leaks"
QUESTION = "What does the study's random split gain from duplicates, and what from dropping faces?"

KINDS = {"exact": "same picture in training", "near": "nearly the same", "none": "neither"}


def content(evidence: Evidence) -> dict[str, Any]:
    leaking = {name: report for name, report in evidence.reports.items() if report["leaked"]["exact"]}
    gains = {
        name: {
            model: record["accuracy"] - record["leak"]["none"]["value"]
            for model, record in report["models"].items()
            if record["leak"]["none"]
        }
        for name, report in evidence.reports.items()
    }
    charts = {
        name: interval_chart(
            f"leaks-{name}",
            {KINDS[kind]: share for kind, share in report["models"][report["best"]]["leak"].items() if share},
            f"Chart of the accuracy of {report['best']} on test faces by whether training holds the same picture, "
            "nearly the same, or neither; the table has the figures.",
            f"Accuracy of {report['best']} in {name}, by whether the training part holds the picture.",
        )
        for name, report in evidence.reports.items()
    }
    main, found = evidence.main["found_by_class"], evidence.main["found"]["found"]
    both = {name: pair for name, pair in main.items() if pair["found"] and pair["missed"]}
    missed = (
        pair_bars(
            "found-and-missed",
            {name: (pair["found"]["value"], pair["missed"]["value"]) for name, pair in both.items()},
            ("found", "missed"),
            "Bar chart: accuracy on each class for faces that the study's detector finds and for those that it misses; "
            "the table has the figures.",
            "Accuracy on faces that the study's detector finds (blue) and misses (orange).",
        )
        if both
        else None
    )
    return {
        "kinds": KINDS,
        "leaking": list(leaking),
        "gains": gains,
        "charts": charts,
        "missed": missed,
        "found_by_class": main,
        "all_found": found,
        "all_missed": evidence.main["found"]["missed"],
        "dropping": found["value"] - evidence.best["accuracy"],
        "unleaked": {name: report["unleaked"] for name, report in evidence.reports.items() if report["unleaked"]},
        "candidates": [
            {"distance": distance, "pairs": pairs} for distance, pairs in evidence.data["candidates"]["pairs"].items()
        ],
        "steps": _steps(evidence.data["candidates"]["correlation"]),
    }


def _steps(edges: list[float]) -> list[str]:
    lower = [f"from {edge:g}" for edge in edges[1:-1]]
    return [f"below {edges[1]:g}", *lower]
