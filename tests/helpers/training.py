"""Small trainings for tests, and ways to interrupt them.

The recipe ``EVERYTHING`` uses everything that has a state: dropout, augmentation, schedule, optimizer slots and moving
average.
"""

import contextlib
import os
import signal
import subprocess
import sys
import types
from pathlib import Path

import keras
import numpy as np
import pandas as pd
import pytest

from facial_expression.data.face_table import LabeledImages
from facial_expression.networks import wide
from facial_expression.params import Augmentation, Recipe
from facial_expression.training import checkpoint, loop, runtime, snapshots
from helpers.networks import random_faces, this_runtime
from helpers.project import ROOT

SIZE = 24
CLASSES = ("angry", "fear", "happy", "sad", "surprise", "neutral")
PLAIN = Recipe(
    iterations=6, snapshot_every=6, validate_every=3, batch_size=20, optimizer="sgd", learning_rate=0.01, seed=3
)
EVERYTHING = Recipe(
    iterations=12,
    snapshot_every=6,
    validate_every=3,
    batch_size=20,
    optimizer="rmsprop",
    learning_rate=5e-4,
    schedule="cosine",
    warmup=2,
    weight_decay=1e-3,
    label_smoothing=0.1,
    moving_average=0.9,
    augmentation=Augmentation(flip=0.5, shift=3.0, rotation=5.0, scale=0.1, contrast=0.2, cutout=8, mixup=0.2),
    seed=3,
)


def change(recipe: Recipe, **values) -> Recipe:
    """The recipe with some values changed."""
    return Recipe.model_validate(recipe.model_dump() | values)


def labeled_noise(count: int, seed: int) -> LabeledImages:
    """Random faces with random labels."""
    labels = np.random.default_rng([seed, 1]).integers(0, len(CLASSES), count)
    return LabeledImages(random_faces(count, SIZE, seed), labels, np.arange(count))


TRAINING, VALIDATION = labeled_noise(105, 0), labeled_noise(30, 1)


def build_normalized(classes: int, size: int) -> keras.Model:
    """A network with state that is not trained: running means of batch normalization, random numbers of dropout."""
    layers = keras.layers
    pixels = keras.Input((size, size, 1), name="pixels")
    features = layers.BatchNormalization(name="normalization")(layers.Conv2D(4, 5, 2, name="convolution")(pixels))
    features = layers.Dropout(0.3, name="dropout")(layers.GlobalAveragePooling2D(name="average")(features))
    probabilities = layers.Dense(classes, activation="softmax", name="probabilities")(features)
    return keras.Model(pixels, probabilities, name="normalized")


def train(
    directory: Path, recipe: Recipe = EVERYTHING, build=wide.build, threads: int = 0, **arguments
) -> pd.DataFrame:
    """Train in ``directory``/model and ``directory``/workspace; ``arguments`` replace those of ``loop.train``."""
    runtime.configure(this_runtime(threads=threads), recipe.seed)
    defaults = {"classes": CLASSES, "training": TRAINING, "validation": VALIDATION, "progress": False}
    return loop.train(
        build(len(CLASSES), SIZE),
        recipe,
        **defaults | arguments,
        model_directory=directory / "model",
        workspace=directory / "workspace",
    )


def read_files(directory: Path) -> dict[str, bytes]:
    """The content of every file below a directory by its relative path."""
    return {str(path.relative_to(directory)): path.read_bytes() for path in directory.rglob("*") if path.is_file()}


def load_trained(model: Path, iteration: int) -> keras.Model:
    """The network of a snapshot."""
    network = snapshots.load_network(model)
    snapshots.load_snapshot(network, model, iteration)
    return network


class Interruption(BaseException):
    """Stands for anything that ends a process."""


def interrupt(*_, **__):
    """End the training."""
    raise Interruption


@contextlib.contextmanager
def interrupted(moment):
    """The block trains with a checkpoint at every validation and is interrupted at ``moment``."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(checkpoint, "CHECKPOINT_SECONDS", -1)
        moment(patch)
        with pytest.raises(Interruption):
            yield


def before_update(number: int, action=interrupt):
    """The moment before iteration ``number``."""

    def on_train_batch_begin(run, batch, logs=None):
        if run.checkpoint.iteration + batch + 1 == number:
            action()

    return lambda patch: patch.setattr(loop._Run, "on_train_batch_begin", on_train_batch_begin, raising=False)


def run_clock(patch: pytest.MonkeyPatch, seconds: float):
    """Replace the clock by one that each weight update advances by ``seconds``; return a function that counts them."""
    done = 0

    def on_train_batch_end(run, batch, logs=None):
        nonlocal done
        done += 1

    patch.setattr(loop._Run, "on_train_batch_end", on_train_batch_end, raising=False)
    patch.setattr(checkpoint, "time", types.SimpleNamespace(monotonic=lambda: 1000.0 + seconds * done))
    return lambda: done


def train_in_process(directory: Path, **arguments) -> subprocess.CompletedProcess:
    """Run :func:`train_and_keep_history` in a process of its own."""
    call = f"train_and_keep_history(pathlib.Path({str(directory)!r}), **{arguments!r})"
    code = f"import pathlib; from helpers import training; training.{call}"
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(ROOT / "tests"), str(ROOT)])}
    return subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=False)


def train_and_keep_history(
    directory: Path, kill_before: int | None = None, threads: int = 0, one_core: bool = False
) -> None:
    """Train ``EVERYTHING`` and write ``history.pickle``, or kill this process before an iteration."""
    if one_core and hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(checkpoint, "CHECKPOINT_SECONDS", -1)
        before_update(kill_before, lambda: os.kill(os.getpid(), signal.SIGKILL))(patch)
        train(directory, threads=threads).to_pickle(directory / "history.pickle")
