"""For which faces the models fail."""

from collections.abc import Mapping
from typing import Any

from facial_expression.reporting.charts import interval_chart
from facial_expression.reporting.evidence import Evidence

TITLE = "Whom it fails"
QUESTION = "For which classes, poses, sizes and light is the model less often right?"


def content(evidence: Evidence) -> dict[str, Any]:
    main, record = evidence.main, evidence.best
    classes = {name: share for name, share in record["classes"].items() if share}
    charts = [
        interval_chart(
            "groups-class",
            classes,
            f"Chart of the accuracy of {main['best']} on each class with its 95% interval; the table has the figures.",
            "by class",
        )
    ]
    rows = [{"kind": "class", "name": name, "share": share} for name, share in classes.items()]
    spread = []
    for kind, group in main["groups"].items():
        shares = {name: share for name, share in zip(group["names"], record["groups"][kind], strict=True) if share}
        rows += [{"kind": group["title"], "name": name, "share": share} for name, share in shares.items()]
        if not shares:
            continue
        spread.append(_spread(group["title"], shares) | {"p": record["group_tests"][kind]})
        charts.append(
            interval_chart(
                f"groups-{kind}",
                shares,
                f"Chart of the accuracy of {main['best']} by {group['title']}; the table has the figures.",
                f"by {group['title']}",
            )
        )
    worst, best = _ends(classes)
    return {"charts": charts, "rows": rows, "spread": spread, "worst": worst, "best": best, "classes": classes}


def _ends(shares: Mapping[str, Mapping[str, float]]) -> tuple[str, str]:
    """The groups with the lowest and the highest accuracy."""
    return min(shares, key=lambda name: shares[name]["value"]), max(shares, key=lambda name: shares[name]["value"])


def _spread(title: str, shares: Mapping[str, Mapping[str, float]]) -> dict[str, Any]:
    worst, best = _ends(shares)
    return {"title": title, "worst": worst, "best": best, "low": shares[worst], "high": shares[best]}
