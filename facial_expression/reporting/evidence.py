"""What the page shows: the files that the other stages wrote, in memory."""

from collections.abc import Mapping, Set
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from facial_expression.analysis.tables import read_table, to_arrays
from facial_expression.evaluation.tables import StudyFigure
from facial_expression.files import read_json

SERVED = "served"
"""How figures and tables call the served file."""

HISTORY_COLUMNS = ("iteration", "loss", "accuracy", "validation_loss", "validation_accuracy")


@dataclass(frozen=True, eq=False)
class Probe:
    """What probing found about the served file, or about a trained network.

    Attributes:
        about: input, parameters and numbers of faces; of a network also snapshot and multiply-adds.
        occlusion: emotion -> drop of its probability, shape (rows, columns).
        robustness: one row per damage (:func:`facial_expression.analysis.corruptions.measure_robustness`).
    """

    about: Mapping[str, Any]
    occlusion: Mapping[str, np.ndarray]
    robustness: pd.DataFrame


@dataclass(frozen=True, eq=False)
class NetworkProbe(Probe):
    """What the stage ``probe`` found about one trained network.

    Attributes:
        layers: one row per layer (:func:`facial_expression.analysis.layers.layer_table`).
        filters: of the first convolution, each of shape (side, side).
    """

    layers: pd.DataFrame
    filters: Mapping[str, np.ndarray]


@dataclass(frozen=True, eq=False)
class Evidence:
    """Everything that the page shows.

    Attributes:
        dataset: the content of ``reports/dataset.json``.
        data: of ``reports/analysis/data.json``.
        crowd: of ``reports/crowd/agreement.json``; None without a crowd.
        reports: report -> ``reports/analysis/<report>.json``, in the order of params.yaml.
        served: name of the report whose models are exported.
        card: of the served model.
        runs: run -> its protocol, in the order of params.yaml, without variants.
        covered: the runs whose training covers parts of faces (``cutout``).
        served_probe: what probing found about the served file.
        probes: run -> what probing found; without the runs that are not trained.
        histories: run -> its learning curve; likewise.
        study: model -> the study's figure; empty if the data or the classes are not the study's.
        origin: what the page was made from, name -> value.
    """

    dataset: Mapping[str, Any]
    data: Mapping[str, Any]
    crowd: Mapping[str, Any] | None
    reports: Mapping[str, Mapping[str, Any]]
    served: str
    card: Mapping[str, Any]
    runs: Mapping[str, str]
    covered: Set[str]
    served_probe: Probe
    probes: Mapping[str, NetworkProbe]
    histories: Mapping[str, pd.DataFrame]
    study: Mapping[str, StudyFigure]
    origin: Mapping[str, str]

    @property
    def main(self) -> Mapping[str, Any]:
        """The report whose models are exported."""
        return self.reports[self.served]

    @property
    def served_words(self) -> str:
        """What is served, in words, such as "small and small-original as int8, 2.5 MB"."""
        runs = " and ".join(member["run"] for member in self.card["members"])
        model = self.card["model"]
        return f"{runs} as {model['variant']}, {model['bytes'] / 1e6:.1f} MB"

    @property
    def best(self) -> Mapping[str, Any]:
        """The model of the main report with the best validation accuracy."""
        return self.main["models"][self.main["best"]]


def read_probe(folder: Path, made_by: str) -> Probe:
    """Read what probing found about the served file.

    Args:
        folder: that the stage wrote.
        made_by: the command that writes it.

    Raises:
        UserError: a file is missing or damaged.
    """
    maps = read_table(folder / "occlusion.csv", ["emotion", "row", "column", "drop"], made_by)
    return Probe(
        about=read_json(folder / "probe.json", made_by),
        occlusion=to_arrays(maps, "emotion", "drop"),
        robustness=read_table(folder / "robustness.csv", ["corruption", "strength", "accuracy", "n"], made_by),
    )


def read_probes(directory: Path, runs: Mapping[str, str]) -> dict[str, NetworkProbe]:
    """Read what probing found about the runs that are trained.

    Args:
        directory: holds one folder per run.
        runs: run -> the stage that probes it.

    Raises:
        UserError: a file of a run is missing or damaged.
    """
    probes = {}
    for run, stage in runs.items():
        folder, made_by = directory / run, f"dvc repro {stage}@{run}"
        if folder.exists():
            filters = read_table(folder / "filters.csv", ["filter", "row", "column", "weight"], made_by)
            probes[run] = NetworkProbe(
                **vars(read_probe(folder, made_by)),
                layers=read_table(folder / "layers.csv", ["layer", "output", "parameters", "multiply_adds"], made_by),
                filters=to_arrays(filters, "filter", "weight"),
            )
    return probes


def read_histories(paths: Mapping[str, Path]) -> dict[str, pd.DataFrame]:
    """Read the learning curves of the runs that are trained.

    Args:
        paths: run -> the file.

    Raises:
        UserError: a file is damaged.
    """
    return {
        run: read_table(path, HISTORY_COLUMNS, f"dvc repro, which trains {run}")
        for run, path in paths.items()
        if path.exists()
    }
