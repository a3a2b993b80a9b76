"""How reliable FER2013's labels are: what ten other people say, and which labels are likely wrong."""

from typing import Any

from facial_expression.reporting.charts import heat_map, interval_chart
from facial_expression.reporting.evidence import Evidence

TITLE = "Labels"
QUESTION = "How right can a model be, if the labels themselves are in doubt?"


def content(evidence: Evidence) -> dict[str, Any]:
    crowd, main = evidence.crowd, evidence.main
    # The report with the most classes, of models that never saw these pictures.
    widest = max(evidence.reports.values(), key=lambda one: (one["protocol"] == "official", len(one["classes"])))
    facts: dict[str, Any] = {"suspects": widest["suspects"], "judge": widest["best"]}
    if crowd is None:
        return facts
    classes = list(crowd["by_emotion"])
    matrix = [[crowd["matrix"][name][other] for other in classes] for name in classes]
    by_class = crowd["by_emotion"]
    lowest = min(by_class, key=lambda name: by_class[name]["value"])
    highest = max(by_class, key=lambda name: by_class[name]["value"])
    against = {
        f"{model}, {judge}": share
        for model, record in main["models"].items()
        if record["crowd"] and not model.endswith("-ensemble")
        for judge, share in (("FER2013", record["crowd"]["label"]), ("crowd", record["crowd"]["crowd"]))
        if share
    }
    return facts | {
        "lowest": lowest,
        "highest": highest,
        "matrix": heat_map(
            "crowd-matrix",
            matrix,
            classes,
            "Matrix: FER2013's labels down, the crowd's across. The crowd confirms "
            f"{by_class[highest]['value']:.0%} of {highest}, the most, and {by_class[lowest]['value']:.0%} of "
            f"{lowest}, the least.",
            "FER2013's labels (down) and the crowd's (across), in percent of those that the crowd names.",
            tip="{row} by FER2013, {column} by the crowd",
        ),
        "against": interval_chart(
            "crowd-accuracy",
            against,
            "Chart of the accuracy of every network by FER2013's labels and by the crowd's; the table has the figures.",
            "Accuracy by FER2013's labels (blue) and by the crowd's (orange), on the same faces.",
            groups=[index % 2 for index in range(len(against))],
        ),
    }
