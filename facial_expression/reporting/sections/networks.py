"""The layers of every network, counted by code."""

from typing import Any

from facial_expression.reporting.evidence import Evidence, NetworkProbe

TITLE = "The networks"
QUESTION = "How large are they, and what does one face cost?"


def content(evidence: Evidence) -> dict[str, Any]:
    alike: dict[str, list[str]] = {}
    for run, probe in evidence.probes.items():
        # Runs of one network differ in the last layer alone, which has an output for each class.
        layers = probe.layers[["layer", "output", "parameters"]].to_numpy().tolist()[:-1]
        alike.setdefault(str([probe.about["module"], layers]), []).append(run)
    return {
        "networks": [
            {"runs": runs, "about": evidence.probes[runs[0]].about, "layers": _shown(evidence.probes[runs[0]])}
            for runs in alike.values()
        ],
        "absent": [run for run in evidence.runs if run not in evidence.probes],
    }


def _shown(probe: NetworkProbe) -> list[Any]:
    """Rows of the layer table, without input and rescaling, which compute nothing that is learned."""
    return probe.layers[~probe.layers["kind"].isin(["InputLayer", "Rescaling"])].to_dict("records")
