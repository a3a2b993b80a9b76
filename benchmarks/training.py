"""Measure how fast each run's network trains with this project's loop, compared with a bare ``model.fit``.

Run from the repository root::

    python -m benchmarks.training                              # every run of the official protocol
    python -m benchmarks.training --runs small --rounds 5
    python -m benchmarks.training --save                       # all runs on one core, for the README's core-minutes
    python -m benchmarks.training --backend jax --precision mixed_bfloat16    # on a GPU

Both methods train the same network on the same random faces with the same optimizer, in turn, each in a process of its
own, with all cores. Ours gets its batches as in training, augmented as the run's recipe says, with deterministic
operations; the default leaves everything to the libraries and has its faces in memory. A process reports the median
time of a step after the first few.

*Feeding* is what a step gains when its batches are made in advance; sessions of both kinds alternate. *Making a batch*
is the time for that, most of it spent beside the step before. Both are fractions of a step. The matrix rate is what a
product of two large matrices reaches on the same device and precision; its fraction counts the multiplications and
additions of convolutions and dense layers three times (forward, gradients of features and of weights).
"""

import argparse
import functools
import itertools
import json
import math
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path

from rich.console import Console
from rich.table import Table
from tqdm import tqdm

from facial_expression.files import write_json
from facial_expression.params import load_params

RATES = Path("benchmarks/training_rates.json")
"""Run -> images per second of one core, which ``--save`` writes and ``make readme`` reads."""
SESSION_SECONDS = 3.0
SESSIONS = 7
WARM_UP = 3
READ_AHEAD = 20  # batches that Keras may take beyond its steps
SIZE = 48
CLASSES = 7
PRECISIONS = ("float32", "mixed_bfloat16", "mixed_float16")


def main() -> None:
    runs = {name: run for name, run in load_params().all_runs.items() if not run.variant_of}
    official = [name for name, run in runs.items() if run.protocol == "official"]
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", nargs="+", choices=runs, default=official)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--save", action="store_true", help=f"measure all runs on one core and write {RATES}")
    parser.add_argument("--backend", choices=("tensorflow", "jax", "torch"), default="tensorflow")
    parser.add_argument("--precision", choices=PRECISIONS, help="instead of each recipe's own")
    parser.add_argument("--child", nargs=2, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.child:
        print(json.dumps(measure(*arguments.child, arguments.backend, arguments.precision)))
    elif arguments.save:
        rates = {run: run_child("one core", run, arguments)["images_per_second"] for run in tqdm(runs, unit="run")}
        write_json(RATES, {run: round(rate, 1) for run, rate in rates.items()})
    else:
        compare(arguments)


def compare(arguments: argparse.Namespace) -> None:
    """Measure both methods and print the table."""
    columns = ("ours, images/s", "default, images/s", "ratio", "feeding", "making a batch", "of the matrix rate")
    table = Table("run", *columns)
    for run in arguments.runs:
        results: dict[str, list[dict]] = {"ours": [], "default": []}
        for _, method in tqdm(list(itertools.product(range(arguments.rounds), results)), desc=run, unit="process"):
            results[method].append(run_child(method, run, arguments))
        table.add_row(run, *summarize(results))
    Console().print(table, "Medians; the ratio is the median over rounds, with its smallest and largest.")


def run_child(method: str, run: str, arguments: argparse.Namespace) -> dict:
    """Measure in a process of its own, with the environment of this method."""
    environment = {key: value for key, value in os.environ.items() if key != "TF_ENABLE_ONEDNN_OPTS"}
    environment |= {"KERAS_BACKEND": arguments.backend, "TF_CPP_MIN_LOG_LEVEL": "2"}
    options = ["--backend", arguments.backend, "--child", method, run]
    if arguments.precision:
        options += ["--precision", arguments.precision]
    command = [sys.executable, "-m", "benchmarks.training", *options]
    finished = subprocess.run(command, env=environment, capture_output=True, text=True)
    if finished.returncode:
        sys.exit(f"{method}, {run}: {finished.stderr[-2000:]}")
    return json.loads(finished.stdout.splitlines()[-1])


def summarize(results: dict[str, list[dict]]) -> list[str]:
    """Cells of the table."""
    ours, default = ([result["images_per_second"] for result in results[method]] for method in ("ours", "default"))
    ratios = [one / other for one, other in zip(ours, default, strict=True)]
    keys = ("feeding", "making", "of_matrix_rate")
    shares = [statistics.median(result[key] for result in results["ours"]) for key in keys]
    spread = f"{statistics.median(ratios):.2f} ({min(ratios):.2f}–{max(ratios):.2f})"
    rates = (f"{statistics.median(values):,.0f}" for values in (ours, default))
    return [*rates, spread, *(f"{share:.1%}" for share in shares)]


def measure(method: str, name: str, backend: str, precision: str | None) -> dict:
    """Train for some steps and time them."""
    from facial_expression.training import runtime

    params = load_params()
    run = params.all_runs[name]
    if method == "one core" and hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})  # feeding and operators share it, too
    if method != "default":
        threads = 1 if method == "one core" else 0
        settings = {"backend": backend, "onednn": 1, "threads": threads}
        runtime.configure(params.runtime.model_copy(update=settings), seed=1)
    import keras
    import numpy as np

    from facial_expression.data.face_table import LabeledImages
    from facial_expression.networks import build_network
    from facial_expression.training.loop import batches
    from facial_expression.training.optimizers import make_optimizer

    keras.config.set_dtype_policy(precision or run.recipe.precision)
    network = build_network(run.network.module, CLASSES, SIZE, **run.network.arguments)
    network.compile(make_optimizer(run.recipe), "categorical_crossentropy", metrics=["accuracy"])
    random = np.random.default_rng(0)
    images = random.integers(0, 256, (20 * run.recipe.batch_size, SIZE, SIZE), dtype=np.uint8)
    labels, targets = random.integers(0, CLASSES, len(images)), np.eye(CLASSES, dtype=np.float32)
    clock = step_clock(keras)
    feeding, making = 0.0, 0.0
    if method == "default":
        network.fit(images[..., None], targets[labels], batch_size=run.recipe.batch_size, callbacks=[clock], verbose=0)
        step = clock.step()
    else:
        make_batches = functools.partial(batches, LabeledImages(images, labels, labels), targets, run.recipe)
        sessions = 1 if method == "one core" else SESSIONS
        step, feeding, making = time_feeding(network, make_batches, clock, sessions)
    operations = 3 * 2 * multiplications(network) * run.recipe.batch_size / step
    return {
        "images_per_second": run.recipe.batch_size / step,
        "feeding": feeding,
        "making": making,
        "of_matrix_rate": operations / matrix_rate(keras, network.compute_dtype),
    }


def time_feeding(network, make_batches, clock, sessions: int) -> tuple[float, float, float]:
    """Seconds of a step, the fraction by which ready-made batches shorten it, and the fraction of making a batch.

    A session with ready-made batches is compared with the one just before it, so that both meet the same noise.
    """
    time_session(network, make_batches(), clock, WARM_UP + 2)
    steps = WARM_UP + max(2, round(SESSION_SECONDS / time_session(network, make_batches(), clock, WARM_UP + 2)))
    fed, gains, making = [], [], []
    for _ in range(sessions):
        started = time.perf_counter()
        prepared = list(itertools.islice(make_batches(), steps + READ_AHEAD))
        making.append((time.perf_counter() - started) / len(prepared))
        fed.append(time_session(network, make_batches(), clock, steps))
        gains.append(1 - time_session(network, (batch for batch in prepared), clock, steps) / fed[-1])
    step = statistics.median(fed)
    return step, statistics.median(gains), statistics.median(making) / step


def time_session(network, batches, clock, steps: int) -> float:
    """Seconds of a step while training on these batches."""
    network.fit(batches, steps_per_epoch=steps, callbacks=[clock], verbose=0)
    return clock.step()


def step_clock(keras):
    """A callback that records when each step of a session ends."""

    class StepClock(keras.callbacks.Callback):
        def on_train_begin(self, logs=None):
            self.times = []

        def step(self) -> float:
            """Median seconds between the ends of two steps."""
            return statistics.median(late - early for early, late in itertools.pairwise(self.times[WARM_UP - 1 :]))

        def on_train_batch_end(self, batch, logs=None):
            self.times.append(time.perf_counter())

    return StepClock()


def multiplications(network) -> int:
    """Multiplications of the forward pass of one face through convolutions and dense layers."""
    layers = [layer for layer in network.layers if hasattr(layer, "kernel")]
    positions = [math.prod(layer.output.shape[1:-1]) for layer in layers]
    return sum(count * math.prod(layer.kernel.shape) for count, layer in zip(positions, layers, strict=True))


def matrix_rate(keras, dtype: str, side: int = 2048, repeats: int = 5) -> float:
    """Floating-point operations per second of the fastest of some large matrix products."""
    import numpy as np

    matrix = keras.ops.cast(np.random.default_rng(0).normal(size=(side, side)), dtype)
    seconds = []
    for _ in range(repeats + 1):
        started = time.perf_counter()
        keras.ops.convert_to_numpy(keras.ops.cast(keras.ops.matmul(matrix, matrix)[0, 0], "float32"))
        seconds.append(time.perf_counter() - started)
    return 2 * side**3 / min(seconds[1:])


if __name__ == "__main__":
    main()
