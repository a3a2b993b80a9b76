"""Wrong predictions, the surest first."""

from typing import Any

from facial_expression.reporting.evidence import Evidence

TITLE = "Mistakes"
QUESTION = "Where is the best model sure and wrong?"


def content(evidence: Evidence) -> dict[str, Any]:
    mistakes = evidence.main["mistakes"]
    named = [one for one in mistakes if one["crowd"]]
    return {
        "mistakes": mistakes,
        "crowd_names": len(named),
        "crowd_with_model": sum(one["crowd"] == one["predicted"] for one in named),
        "crowd_with_label": sum(one["crowd"] == one["label"] for one in named),
    }
