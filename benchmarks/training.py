"""How fast each network trains with this project's loop, compared with a bare ``model.fit`` and library defaults.

Run from the repository root::

    python -m benchmarks.training                                # the backend and oneDNN setting of params.yaml
    python -m benchmarks.training --networks resnet --rounds 5
    python -m benchmarks.training --backend jax --precision mixed_bfloat16    # on a GPU

Both ways train the same network on the same random faces with the same optimizer, each in a process of its own, in
turn, so that both meet the same noise, and with all cores. The recipe of the official protocol says how the network is
built. Ours gets its batches as training does, augmented as that recipe says, and with deterministic operations; the
default leaves everything to the libraries and has its faces in memory. A process reports the median time of a step
after the first few. *Feeding* is what a step gains when its batches were made in advance: spells of both kinds take
turns. *Making a batch* is the time that takes, most of it beside the step before; both as fractions of a step. The
matrix rate is what a product of two large matrices reaches on the same device in the same precision; its fraction
counts the multiplications and additions of convolutions and dense layers three times (forward, gradients of features
and of weights).
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

from rich.console import Console
from rich.table import Table
from tqdm import tqdm

NETWORKS = {"shallow": (40, 21), "wide": (25, 9), "resnet10": (8, 7), "resnet": (4, 3), "preactivation": (15, 15)}
"""Network -> timed steps of a spell, spells of either kind."""
WARM_UP = 3
READ_AHEAD = 20  # batches that Keras may take beyond its steps
BATCH = 100
SIZE = 48
CLASSES = 7


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--networks", nargs="+", choices=NETWORKS, default=list(NETWORKS))
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--backend", choices=("tensorflow", "jax", "torch"), default="tensorflow")
    parser.add_argument("--precision", choices=("float32", "mixed_bfloat16", "mixed_float16"), default="float32")
    parser.add_argument("--child", nargs=2, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.child:
        print(json.dumps(measure(*arguments.child, arguments.precision)))
        return
    table = Table(
        "network", "ours, images/s", "default, images/s", "ratio", "feeding", "making a batch", "of the matrix rate"
    )
    for network in arguments.networks:
        runs = {"ours": [], "default": []}
        for _, way in tqdm(list(itertools.product(range(arguments.rounds), runs)), desc=network, unit="run"):
            runs[way].append(run_child(way, network, arguments))
        table.add_row(network, *summarise(runs))
    Console().print(table, "Medians; the ratio is the median over rounds, with its smallest and largest.")


def run_child(way: str, network: str, arguments: argparse.Namespace) -> dict:
    """Measure in a process of its own, with the environment that this way of training has."""
    environment = {key: value for key, value in os.environ.items() if key != "TF_ENABLE_ONEDNN_OPTS"}
    environment |= {"KERAS_BACKEND": arguments.backend, "TF_CPP_MIN_LOG_LEVEL": "2"}
    if way == "ours":
        environment["TF_ENABLE_ONEDNN_OPTS"] = "1"
    command = [sys.executable, "-m", "benchmarks.training", "--precision", arguments.precision, "--child", way, network]
    finished = subprocess.run(command, env=environment, capture_output=True, text=True)
    if finished.returncode:
        sys.exit(f"{way}, {network}: {finished.stderr[-2000:]}")
    return json.loads(finished.stdout.splitlines()[-1])


def summarise(runs: dict[str, list[dict]]) -> list[str]:
    """Cells of the table."""
    ours, default = ([run["images_per_second"] for run in runs[way]] for way in ("ours", "default"))
    ratios = [one / other for one, other in zip(ours, default, strict=True)]
    shares = [statistics.median(run[key] for run in runs["ours"]) for key in ("feeding", "making", "of_matrix_rate")]
    spread = f"{statistics.median(ratios):.2f} ({min(ratios):.2f}–{max(ratios):.2f})"
    rates = (f"{statistics.median(values):,.0f}" for values in (ours, default))
    return [*rates, spread, *(f"{share:.1%}" for share in shares)]


def measure(way: str, name: str, precision: str) -> dict:
    """Train for some steps and time them; runs in a process of its own, because Keras is configured once."""
    import keras
    import numpy as np

    from facial_expression import runtime, training
    from facial_expression.facetable import LabelledImages
    from facial_expression.networks import preactivation, resnet10, resnet34, shallow, wide
    from facial_expression.params import load_params

    keras.config.set_dtype_policy(precision)
    params = load_params()
    recipe = getattr(params, f"train_{name}").official.model_copy(update={"batch_size": BATCH})
    if way == "ours":
        here = {"backend": keras.backend.backend(), "onednn": 1, "threads": 0}
        runtime.prepare(params.runtime.model_copy(update=here), seed=1)
    modules = (shallow, wide, resnet10, resnet34, preactivation)
    network = dict(zip(NETWORKS, modules, strict=True))[name].build(CLASSES, SIZE, **recipe.architecture)
    network.compile(training.make_optimizer(recipe), "categorical_crossentropy", metrics=["accuracy"])
    steps, spells = NETWORKS[name]
    steps += WARM_UP
    random = np.random.default_rng(0)
    images = random.integers(0, 256, (BATCH * steps, SIZE, SIZE), dtype=np.uint8)
    labels = random.integers(0, CLASSES, BATCH * steps)
    targets = np.eye(CLASSES, dtype=np.float32)
    clock = step_clock(keras)
    feeding, making = 0.0, 0.0
    if way == "ours":
        batches = functools.partial(training.batches, LabelledImages(images, labels, labels), targets, recipe)
        step, feeding, making = time_feeding(network, batches, clock, steps, spells)
    else:
        network.fit(images[..., None], targets[labels], batch_size=BATCH, callbacks=[clock], verbose=0)
        step = clock.step()
    operations = 3 * 2 * multiplications(network) * BATCH / step
    return {
        "images_per_second": BATCH / step,
        "feeding": feeding,
        "making": making,
        "of_matrix_rate": operations / matrix_rate(keras, network.compute_dtype),
    }


def time_feeding(network, make_batches, clock, steps: int, spells: int) -> tuple[float, float, float]:
    """Seconds of a step, by what fraction ready-made batches shorten it, and what fraction making a batch takes.

    A spell with ready-made batches is compared with the one just before it, so that both meet the same noise.
    """
    fed, gains, making = [], [], []
    for _ in range(spells):
        started = time.perf_counter()
        prepared = list(itertools.islice(make_batches(), steps + READ_AHEAD))
        making.append((time.perf_counter() - started) / len(prepared))
        fed.append(time_spell(network, make_batches(), clock, steps))
        gains.append(1 - time_spell(network, (batch for batch in prepared), clock, steps) / fed[-1])
    step = statistics.median(fed)
    return step, statistics.median(gains), statistics.median(making) / step


def time_spell(network, batches, clock, steps: int) -> float:
    """Seconds of a step while training on these batches."""
    network.fit(batches, steps_per_epoch=steps, callbacks=[clock], verbose=0)
    return clock.step()


def step_clock(keras):
    """A callback that notes when each step of a spell ends."""

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
    """Multiplications of one picture's way forward through convolutions and dense layers."""
    layers = [layer for layer in network.layers if hasattr(layer, "kernel")]
    places = [math.prod(layer.output.shape[1:-1]) for layer in layers]
    return sum(count * math.prod(layer.kernel.shape) for count, layer in zip(places, layers, strict=True))


def matrix_rate(keras, dtype: str, side: int = 2048, repeats: int = 5) -> float:
    """Floating-point operations per second of the best of some large matrix products."""
    import numpy as np

    matrix = keras.ops.cast(np.random.default_rng(0).normal(size=(side, side)), dtype)
    seconds = []
    for _ in range(repeats + 1):
        started = time.perf_counter()
        keras.ops.convert_to_numpy(keras.ops.matmul(matrix, matrix)[0, 0])
        seconds.append(time.perf_counter() - started)
    return 2 * side**3 / min(seconds[1:])


if __name__ == "__main__":
    main()
