"""What the data looks like, and what alignment does to it."""

from typing import Any

from facial_expression.reporting.charts import pair_bars
from facial_expression.reporting.evidence import Evidence

TITLE = "The data"
QUESTION = "What do the networks see, and which faces does the study's alignment leave out?"


def content(evidence: Evidence) -> dict[str, Any]:
    before, after = (evidence.data["classes"][moment] for moment in ("before", "after"))
    shares = {
        name: (count / sum(before.values()), after[name] / max(sum(after.values()), 1))
        for name, count in before.items()
    }
    losses = {name: 1 - after[name] / count for name, count in before.items() if count}
    return {
        "shares": pair_bars(
            "class-shares",
            shares,
            ("before alignment", "after"),
            "Bar chart: the share of each class before and after alignment, as in the table beside it.",
            "Share of each class, before alignment (blue) and after it (orange).",
        ),
        "rows": [
            {
                "name": name,
                "before": count,
                "before_share": shares[name][0],
                "after": after[name],
                "after_share": shares[name][1],
                "lost": losses.get(name),
            }
            for name, count in before.items()
        ],
        "before": sum(before.values()),
        "after": sum(after.values()),
        "most_lost": max(losses, key=lambda name: losses[name]),
        "least_lost": min(losses, key=lambda name: losses[name]),
        "losses": losses,
    }
