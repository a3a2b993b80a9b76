"""Accuracy on damaged pictures."""

import math
from typing import Any

import pandas as pd

from facial_expression.reporting.charts import line_chart, line_styles, percent_ticks
from facial_expression.reporting.evidence import SERVED, Evidence

TITLE = "Robustness"
QUESTION = (
    "How much blur, noise, darkness, rotation, occlusion, compression or down-scaling does each network withstand?"
)


def content(evidence: Evidence) -> dict[str, Any]:
    tables = {SERVED: evidence.served_probe.robustness} | {
        run: probe.robustness for run, probe in evidence.probes.items()
    }
    kinds = list(dict.fromkeys(kind for table in tables.values() for kind in table["corruption"] if kind != "none"))
    runs = {
        run: {"clean": _clean(table), "rows": {kind: _of_kind(table, kind).to_dict("records") for kind in kinds}}
        for run, table in tables.items()
    }
    return {
        "charts": [_chart(kind, tables) for kind in kinds],
        "kinds": kinds,
        "runs": runs,
        "styles": line_styles(tables, SERVED),
        "hardest": _hardest(tables[SERVED], kinds),
        "covered": [run for run in tables if _is_covered(run, evidence)],
        "faces": [f"{n:,}" for n in sorted({int(n) for table in tables.values() for n in table["n"]})],
        "widest": max(float((table["high"] - table["low"]).max()) / 2 for table in tables.values()),
    }


def _is_covered(run: str, evidence: Evidence) -> bool:
    """Whether a run, or one of those that are served, was trained on partly covered faces."""
    runs = [member["run"] for member in evidence.card["members"]] if run == SERVED else [run]
    return not evidence.covered.isdisjoint(runs)


def _chart(kind: str, tables: dict[str, pd.DataFrame]) -> Any:
    lines = {
        run: [(0.0, _clean(table)), *enumerate(map(float, _of_kind(table, kind)["accuracy"]), start=1)]
        for run, table in tables.items()
    }
    highest = math.ceil(5 * max(y for points in lines.values() for _, y in points)) / 5
    any_table = next(iter(tables.values()))
    rows = _of_kind(any_table, kind)
    ends = {run: points[-1][1] for run, points in lines.items()}
    best, worst = max(ends, key=lambda run: ends[run]), min(ends, key=lambda run: ends[run])
    return line_chart(
        f"robustness-{kind.replace(' ', '-').lower()}",
        lines,
        f"Line chart: accuracy under {kind} at five strengths. At the strongest, {best} is best with {ends[best]:.1%} "
        f"and {worst} worst with {ends[worst]:.1%}.",
        f"{kind} ({rows['unit'].iloc[0]})",
        x_title="",
        x_ticks=[(0, "none"), *((step, f"{value:g}") for step, value in enumerate(rows["strength"], start=1))],
        y=(0, highest),
        y_ticks=percent_ticks(0, highest),
        styles=[line_styles(tables, SERVED)[run] for run in lines],
        form="{y:.1%}",
    )


def _hardest(table: pd.DataFrame, kinds: list[str]) -> dict[str, Any]:
    """The damage that costs the most at the middle of its five strengths."""
    middle = {kind: float(_of_kind(table, kind)["accuracy"].iloc[2]) for kind in kinds}
    worst = min(middle, key=lambda kind: middle[kind])
    return {"kind": worst, "points": _clean(table) - middle[worst], "kinds": len(kinds)}


def _clean(table: pd.DataFrame) -> float:
    return float(table.loc[table["corruption"] == "none", "accuracy"].iloc[0])


def _of_kind(table: pd.DataFrame, kind: str) -> pd.DataFrame:
    return table[table["corruption"] == kind]
