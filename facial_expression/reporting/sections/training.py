"""Loss and accuracy against iterations."""

from typing import Any

import pandas as pd

from facial_expression.reporting.charts import count_ticks, line_chart, percent_ticks
from facial_expression.reporting.evidence import Evidence
from facial_expression.reporting.figure import Figure

TITLE = "Training"
QUESTION = "How do loss and accuracy develop, and when does a network stop learning what holds for other faces?"

_STYLES = ("s0 faint", "s1")
_WIDTH = 260

STUDY_CURVES = {
    "shallow": "levels off near 62% between 3,000 and 10,000 iterations",
    "resnet34": "levels off near 66% after 14,000 iterations",
}
"""Network -> what the study says about its curve."""


def content(evidence: Evidence) -> dict[str, Any]:
    return {
        "runs": [
            {
                "run": run,
                "protocol": evidence.runs[run],
                "loss": _loss(run, history),
                "accuracy": _accuracy(run, history),
            }
            | _best(history)
            for run, history in evidence.histories.items()
        ],
        "study": {name: words for name, words in STUDY_CURVES.items() if name in evidence.study},
        "absent": [run for run in evidence.runs if run not in evidence.histories],
    }


def _best(history: pd.DataFrame) -> dict[str, float]:
    best = history.sort_values(["validation_accuracy", "iteration"]).iloc[-1]
    return {"best": float(best["validation_accuracy"]), "iteration": int(best["iteration"])}


def _accuracy(run: str, history: pd.DataFrame) -> Figure:
    best = _best(history)
    return line_chart(
        f"learning-accuracy-{run}",
        _lines(history, "accuracy"),
        f"Line chart: accuracy of {run} against iterations. On the validation part it is best, {best['best']:.1%}, "
        f"after {best['iteration']:,} iterations; the last minibatches reach {history['accuracy'].iloc[-1]:.1%}.",
        "Accuracy: minibatches (blue) and validation part (orange).",
        x_title="iterations",
        x_ticks=count_ticks(history["iteration"].max()),
        y=(0, 1),
        y_ticks=percent_ticks(0, 1),
        styles=_STYLES,
        form="{y:.1%} after {x:,.0f} iterations",
        width=_WIDTH,
    )


def _loss(run: str, history: pd.DataFrame) -> Figure:
    validation = history["validation_loss"].to_numpy()
    lowest, last = validation.min(), validation[-1]
    # The first minibatch or an overfitted end may be many times as high and would press the rest flat.
    highest = float(2 * lowest)
    step = 0.5 if highest > 1.5 else 0.25
    return line_chart(
        f"learning-loss-{run}",
        _lines(history, "loss"),
        f"Line chart: cross-entropy of {run} against iterations. On the validation part it is lowest, {lowest:.2f}, "
        f"after {history['iteration'].to_numpy()[validation.argmin()]:,} iterations; it ends at {last:.2f}.",
        "Cross-entropy: minibatches (blue) and validation part (orange)"
        + (f", which leaves the chart and ends at {last:.1f}." if last > highest else "."),
        x_title="iterations",
        x_ticks=count_ticks(history["iteration"].max()),
        y=(0, highest),
        y_ticks=[(step * number, f"{step * number:g}") for number in range(int(highest / step) + 1)],
        styles=_STYLES,
        form="{y:.3f} after {x:,.0f} iterations",
        width=_WIDTH,
    )


def _lines(history: pd.DataFrame, quantity: str) -> dict[str, list[tuple[float, float]]]:
    return {
        label: list(zip(history["iteration"], history[column], strict=True))
        for label, column in (("minibatches", quantity), ("validation", f"validation_{quantity}"))
    }
