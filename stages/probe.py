"""Probe one trained network: its layers, its filters, what it looks at, and what it withstands.

    dvc repro probe_resnet@small         (all runs of the stage: dvc repro probe_resnet)
    python -m stages.probe small

reads   data/filtered/ and the faces that the run's `input` names, models/PROTOCOL/RUN/, the block `probe` of
        params.yaml, data/predictions/PROTOCOL/RUN.npz (which snapshot is the best)
writes  reports/probes/RUN/: probe.json, layers.csv, filters.csv, occlusion.csv, robustness.csv

A variant is not probed: its probe.json only names the run that it belongs to. Takes two minutes for the small network
on one core: 36 versions of 1,000 test faces, and 100 versions of 40 faces of each class.
"""

from functools import partial
from typing import Any

import pandas as pd

from facial_expression.analysis.corruptions import measure_robustness
from facial_expression.analysis.model_probabilities import best_iteration
from facial_expression.analysis.sampling import sample_faces
from facial_expression.analysis.tables import to_table
from facial_expression.evaluation.predictions import read_predictions
from facial_expression.files import atomic_write, write_json
from facial_expression.params import Params, Run
from facial_expression.training import runtime
from stages._inputs import read_input
from stages._stage import model_directory, parse_run, predictions_path, probe_directory, run_stage


def main() -> None:
    params, run = parse_run("Probe one trained network")
    about, tables = ({"variant_of": run.variant_of}, {}) if run.variant_of else _probe(params, run)
    with atomic_write(probe_directory(run.name)) as temporary:
        temporary.mkdir()
        write_json(temporary / "probe.json", about)
        for kind, table in tables.items():
            table.to_csv(temporary / f"{kind}.csv", index=False, lineterminator="\n")


def _probe(params: Params, run: Run) -> tuple[dict[str, Any], dict[str, pd.DataFrame]]:
    runtime.configure(params.runtime, seed=0)  # nothing in the network is random
    from facial_expression.analysis.layers import first_filters, layer_table
    from facial_expression.analysis.occlusion import occlusion_maps
    from facial_expression.training import snapshots

    settings, directory = params.probe, model_directory(run.protocol, run.name)
    table = read_input(run.input).of_protocol(run.protocol)
    predictions = read_predictions(predictions_path(run.protocol, run.name))
    iteration = best_iteration(predictions, table.subset(run.protocol, "validation").labels)
    network = snapshots.load_network(directory)
    snapshots.load_snapshot(network, directory, iteration)
    predict = partial(snapshots.predict, network)
    test = table.subset(run.protocol, "test")
    faces = sample_faces(test, settings.faces, settings.seed)
    everything = sample_faces(test, len(test.rows), settings.seed)
    layers, filters = layer_table(network), first_filters(network)
    maps = occlusion_maps(predict, everything, len(table.classes), settings.occlusion_faces)
    about = {
        "protocol": run.protocol,
        "input": run.input,
        "module": run.network.module,
        "snapshot": iteration,
        "parameters": int(layers["parameters"].sum()),
        "multiply_adds": int(layers["multiply_adds"].sum()),
        "faces": len(faces.rows),
        "occlusion_faces": settings.occlusion_faces,
    }
    return about, {
        "layers": layers,
        "filters": to_table(filters, range(len(filters)), "filter", "weight"),
        "occlusion": to_table(maps, table.classes, "emotion", "drop"),
        "robustness": measure_robustness(predict, faces, settings.seed),
    }


if __name__ == "__main__":
    run_stage(main)
