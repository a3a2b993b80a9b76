"""Where networks look, and what their first layer has learned."""

from typing import Any

import numpy as np

from facial_expression.faces.mean_shape import load_mean_shape
from facial_expression.reporting.charts import signed_maps
from facial_expression.reporting.evidence import SERVED, Evidence, NetworkProbe, Probe
from facial_expression.reporting.figure import Figure

TITLE = "What they look at"
QUESTION = "Which parts of a face decide, and what does the first layer see?"

_LINES = (range(17), range(17, 22), range(22, 27), range(27, 31), range(31, 36), [*range(36, 42), 36])
_MORE_LINES = ([*range(42, 48), 42], [*range(48, 60), 48])
_SHOWN = 32
_PARTS = ("upper", "middle", "lower")


def content(evidence: Evidence) -> dict[str, Any]:
    return {
        "served": _maps(SERVED, evidence.served_probe),
        "runs": [
            {"run": run, "about": probe.about, "maps": _maps(run, probe), "filters": _filters(run, probe)}
            for run, probe in evidence.probes.items()
        ],
    }


def _maps(run: str, probe: Probe) -> Figure:
    """A map per class, with the average face on top."""
    shape = load_mean_shape()
    points = shape.face if probe.about["input"] == "aligned" else shape.picture
    outline = [points[list(line)] for line in (*_LINES, *_MORE_LINES)]
    known = {emotion: drop for emotion, drop in probe.occlusion.items() if np.isfinite(drop).all()}
    said = [
        f"{emotion}: {_costliest(drop)} third, at one place up to {drop.max():.0%}" for emotion, drop in known.items()
    ]
    alternative = f"Occlusion maps of {run}. Where covering costs the most probability, by class: {'; '.join(said)}."
    return signed_maps(f"occlusion-{run}", known, alternative, "Where covering the face costs probability.", outline)


def _costliest(drop: np.ndarray) -> str:
    """The third of the face that costs the most on average."""
    return _PARTS[int(np.argmax([third.mean() for third in np.array_split(drop, 3)]))]


def _filters(run: str, probe: NetworkProbe) -> Figure:
    shown = dict(list(probe.filters.items())[:_SHOWN])
    return signed_maps(
        f"filters-{run}",
        shown,
        f"The weights of {len(shown)} filters of the first layer of {run}, as grids of positive and negative cells.",
        f"{len(shown)} of {len(probe.filters)} filters of the first layer.",
        columns=8,
        titled=False,
    )
