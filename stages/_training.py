"""The training stages: train the network of one run.

The package's training modules import Keras, which reads the runtime from the environment when it is imported. So they
are imported here after the runtime is configured.
"""

import argparse
from dataclasses import replace

import pandas as pd

from facial_expression.data.training_faces import choose_training_faces
from facial_expression.errors import UserError
from facial_expression.files import atomic_write, write_json
from facial_expression.networks import build_network
from facial_expression.params import Params, Run, load_params
from facial_expression.training import runtime
from stages._inputs import read_input
from stages._stage import WORKSPACE, history_path, model_directory, validation_path


def train_stage(stage: str) -> None:
    """Train the run that the command line names.

    Args:
        stage: the group of runs in params.yaml.
    """
    parser = argparse.ArgumentParser(description=f"Train one run of runs.{stage} in params.yaml")
    parser.add_argument("run")
    parser.add_argument("--time-budget", type=float, metavar="MINUTES", help="overrides time_budget of the run")
    arguments = parser.parse_args()
    params = load_params()
    runs = {name: run for name, run in params.all_runs.items() if run.stage == stage}
    if arguments.run not in runs:
        raise UserError(f"runs.{stage} in params.yaml has no run {arguments.run!r}, but {', '.join(runs) or 'none'}")
    run = runs[arguments.run]
    if arguments.time_budget is not None:
        if not arguments.time_budget >= 0:
            parser.error("--time-budget must be 0 or more")
        run = replace(run, recipe=run.recipe.model_copy(update={"time_budget": arguments.time_budget}))
    _write(run, _train(params, run))


def _train(params: Params, run: Run) -> pd.DataFrame:
    runtime.configure(params.runtime, run.recipe.seed)
    from facial_expression.training.loop import train

    table = read_input(run.input).of_protocol(run.protocol)
    table = choose_training_faces(table, run.protocol, run.share, run.unleaked)
    classes, size = len(table.classes), table.images.shape[1]
    with runtime.distribute(params.runtime):
        try:
            network = build_network(run.network.module, classes, size, **run.network.arguments)
        except (TypeError, ValueError) as error:
            raise UserError(f"runs.{run.stage}.{run.name}.network cannot be built: {error}") from error
        return train(
            network,
            run.recipe,
            table.classes,
            training=table.subset(run.protocol, "training"),
            validation=table.subset(run.protocol, "validation"),
            model_directory=model_directory(run.protocol, run.name),
            workspace=WORKSPACE / run.protocol / run.name,
            description={
                "protocol": run.protocol,
                "input": run.input,
                "network": {"module": run.network.module, **run.network.arguments},
                "runtime": runtime.describe(params.runtime),
            },
        )


def _write(run: Run, history: pd.DataFrame) -> None:
    from facial_expression.training.history import best_validation

    with atomic_write(history_path(run.protocol, run.name)) as temporary:
        history.to_csv(temporary, index=False, float_format="%.6f", lineterminator="\n")
    # A short name: `dvc metrics show` must fit a terminal.
    write_json(validation_path(run.name), {"validation": best_validation(history)["validation_accuracy"]})
