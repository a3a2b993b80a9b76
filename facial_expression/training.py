"""The one way in which all networks are trained: batches, snapshots, history, interruption and resumption.

Training counts iterations (weight updates), as the study does. Every batch is a function of the seed and the iteration
alone, and a checkpoint holds every variable of network and optimizer, so a run that was interrupted at any moment and
started again ends with the same bytes as one that was not. The one exception is a run with a time budget: how far it
gets depends on the machine.
"""

import hashlib
import itertools
import json
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

import keras
import numpy as np
import pandas as pd
from tqdm import tqdm

from facial_expression.atomic import remove, replacing
from facial_expression.augmentation import augment
from facial_expression.facetable import LabelledImages
from facial_expression.params import Recipe
from facial_expression.snapshots import architecture, predict, snapshot_path, write_description, write_snapshot

CHECKPOINT_SECONDS = 60
_STATISTICS_BATCHES = 30  # after which a running mean with momentum 0.9 has forgotten 96 % of what it was


class TrainingDivergedError(RuntimeError):
    """The loss or a weight is not a number any more."""


def train(
    network: keras.Model,
    recipe: Recipe,
    classes: tuple[str, ...],
    training: LabelledImages,
    validation: LabelledImages,
    model_directory: str | Path,
    workspace: str | Path,
    description: dict | None = None,
    progress: bool = True,
) -> pd.DataFrame:
    """Train a network and write it as a model directory.

    Args:
        network: freshly built, not compiled.
        recipe: how long and how.
        classes: names of the classes, in the order of the network's outputs.
        training: faces to learn from.
        validation: faces to watch; nothing is learned from them.
        model_directory: written at the end, as :mod:`facial_expression.snapshots` describes it.
        workspace: directory for checkpoints; training goes on from what it finds there if that belongs to the same
            network, recipe (but for the time budget), data and description. It is removed at the end, unless the time
            budget ended training: then a larger budget goes on from it.
        description: whatever else shall stand in ``recipe.json``.
        progress: show a progress bar with images per second, time left, loss and accuracy.

    Returns:
        History, one row per ``validate_every`` iterations: iteration, loss, accuracy (means over these iterations'
        minibatches), validation_loss, validation_accuracy.

    Raises:
        TrainingDivergedError: a loss or a weight is not finite; the message says by which iteration and what to change.
        ValueError: there are fewer training faces than a batch holds.
    """
    if len(training.labels) < recipe.batch_size:
        raise ValueError(f"{len(training.labels)} training faces are too few for a batch of {recipe.batch_size}")
    description = {"classes": list(classes), "recipe": recipe.model_dump(), **(description or {})}
    targets = np.eye(len(classes), dtype=np.float32)
    this_run = fingerprint(network, description, training, validation)
    run = Run(Path(workspace), network, recipe, (training, validation), targets, this_run)
    _compile(network, recipe)
    run.resume()
    if not run.is_finished:
        _fit(run, progress)
    with replacing(model_directory) as temporary:
        temporary.mkdir()
        write_description(temporary, network, description)
        for snapshot in sorted(run.snapshots.iterdir()):
            (temporary / snapshot.name).write_bytes(snapshot.read_bytes())
    if run.iteration == recipe.iterations:
        remove(run.workspace)
    return pd.DataFrame(run.history)


def _compile(network: keras.Model, recipe: Recipe) -> None:
    network.compile(
        optimizer=make_optimizer(recipe),
        loss=keras.losses.CategoricalCrossentropy(label_smoothing=recipe.label_smoothing),
        metrics=[keras.metrics.CategoricalAccuracy(name="accuracy")],
    )
    network.optimizer.build(network.trainable_variables)


def _fit(run: "Run", progress: bool) -> None:
    recipe = run.recipe
    run.network.fit(
        batches(run.training, run.targets, recipe, run.iteration),
        steps_per_epoch=recipe.validate_every,
        initial_epoch=run.iteration // recipe.validate_every,
        epochs=recipe.iterations // recipe.validate_every,
        callbacks=[run, _ProgressBar(run, progress)],
        shuffle=False,  # batches come shuffled
        verbose=0,
    )


def make_optimizer(recipe: Recipe) -> keras.optimizers.Optimizer:
    """The optimizer of a recipe: the study's RMSprop (decay 0.9), Adam, or SGD with Nesterov momentum of 0.9."""
    rate = recipe.learning_rate
    if recipe.schedule == "cosine":
        rate = keras.optimizers.schedules.CosineDecay(
            initial_learning_rate=0.0 if recipe.warmup else recipe.learning_rate,
            decay_steps=recipe.iterations - recipe.warmup,
            warmup_target=recipe.learning_rate if recipe.warmup else None,
            warmup_steps=recipe.warmup,
        )
    shared = {
        "learning_rate": rate,
        "weight_decay": recipe.weight_decay or None,
        "use_ema": recipe.moving_average > 0,
        "ema_momentum": recipe.moving_average or 0.99,
    }
    if recipe.optimizer == "sgd":
        return keras.optimizers.SGD(momentum=0.9, nesterov=True, **shared)
    if recipe.optimizer == "adam":
        return keras.optimizers.Adam(**shared)
    return keras.optimizers.RMSprop(rho=0.9, **shared)


def batches(
    training: LabelledImages, targets: np.ndarray, recipe: Recipe, start: int = 0
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """The endless sequence of batches from iteration ``start`` on.

    Each epoch is a permutation of the training faces, without the last few that fill no batch.

    Args:
        training: faces to learn from.
        targets: float32, shape (classes, classes): the target of each label.
        recipe: batch size, augmentation, seed.
        start: iterations already done.

    Yields:
        Images (uint8 or float32, shape (batch, size, size, 1)) and targets (float32, shape (batch, classes)).
    """
    per_epoch = len(training.labels) // recipe.batch_size
    epoch, order = -1, None
    for iteration in itertools.count(start):
        if iteration // per_epoch != epoch:
            epoch = iteration // per_epoch
            order = np.random.default_rng([recipe.seed, 0, epoch]).permutation(len(training.labels))
        offset = iteration % per_epoch * recipe.batch_size
        chosen = np.sort(order[offset : offset + recipe.batch_size])
        generator = np.random.default_rng([recipe.seed, 1, iteration])
        images, wanted = augment(
            training.images[chosen], targets[training.labels[chosen]], recipe.augmentation, generator
        )
        yield images[..., None], wanted


class Run(keras.callbacks.Callback):
    """The state of one training run: what has been done, and its checkpoint on disk.

    Attributes:
        iteration: weight updates done.
        history: rows as :func:`train` returns them.
        snapshots: directory of the snapshots written so far.
    """

    def __init__(
        self,
        workspace: Path,
        network: keras.Model,
        recipe: Recipe,
        faces: tuple[LabelledImages, LabelledImages],
        targets: np.ndarray,
        fingerprint: str,
    ):
        super().__init__()
        self.workspace = workspace
        self.network = network
        self.recipe = recipe
        self.training, self.validation = faces
        self.targets = targets
        self.fingerprint = fingerprint
        self.iteration = 0
        self.history: list[dict] = []
        self.snapshots = workspace / "snapshots"
        self._saved_at = self._started_at = time.monotonic()
        self._seconds_before = 0.0

    @property
    def seconds(self) -> float:
        """Time spent training, that of interrupted processes up to their last checkpoint included."""
        return self._seconds_before + time.monotonic() - self._started_at

    @property
    def is_out_of_time(self) -> bool:
        return 0 < self.recipe.time_budget * 60 <= self.seconds

    @property
    def is_finished(self) -> bool:
        """Whether nothing is left to train; without time, that is once there is a snapshot of what was trained last."""
        has_snapshot = snapshot_path(self.snapshots, self.iteration).exists()
        return self.iteration == self.recipe.iterations or (self.is_out_of_time and has_snapshot)

    def resume(self) -> None:
        """Restore the checkpoint of this very run, or begin with an empty workspace if there is none."""
        checkpoint = self.workspace / "checkpoint.npz"
        if checkpoint.exists():
            with np.load(checkpoint) as saved:
                if str(saved["fingerprint"]) == self.fingerprint:
                    self._restore([saved[f"variable_{number}"] for number in range(len(self._variables()))])
                    self.history = json.loads(str(saved["history"]))
                    self.iteration = self.history[-1]["iteration"]
                    self._seconds_before = float(saved["seconds"])
                    self._remove_stray_snapshots()
                    print(f"resuming after iteration {self.iteration:,} of {self.recipe.iterations:,}")
                    return
            print(f"starting anew: the checkpoint in {self.workspace} belongs to another network, recipe or data")
        remove(self.workspace)
        self.snapshots.mkdir(parents=True)

    def on_epoch_end(self, epoch: int, logs: dict) -> None:
        """Keep the history; write snapshot and checkpoint when due. An epoch of Keras is ``validate_every`` long."""
        self.iteration = (epoch + 1) * self.recipe.validate_every
        row = {"loss": logs["loss"], "accuracy": logs["accuracy"], **self._validate()}
        # The weights too: max-pooling and ReLU swallow what is not a number, so the loss alone may look sound.
        if not all(np.isfinite(values).all() for values in (list(row.values()), *_values(self.network.weights))):
            raise TrainingDivergedError(
                f"the loss or a weight is not finite at iteration {self.iteration:,}: lower learning_rate "
                f"(now {self.recipe.learning_rate}) or set schedule to cosine with warmup; no snapshot of this state "
                "was written"
            )
        self.history.append({"iteration": self.iteration, **row})
        self.model.stop_training = self.is_out_of_time
        is_last = self.iteration == self.recipe.iterations or self.model.stop_training
        if is_last or self.iteration % self.recipe.snapshot_every == 0:
            self._write_snapshot()
        if is_last or time.monotonic() - self._saved_at > CHECKPOINT_SECONDS:
            self._write_checkpoint()

    def _validate(self) -> dict[str, float]:
        probabilities = predict(self.network, self.validation.images)
        loss = keras.losses.CategoricalCrossentropy(label_smoothing=self.recipe.label_smoothing)
        return {
            "validation_loss": float(loss(self.targets[self.validation.labels], probabilities)),
            "validation_accuracy": float(np.mean(probabilities.argmax(axis=1) == self.validation.labels)),
        }

    def _write_snapshot(self) -> None:
        if not self.recipe.moving_average:
            write_snapshot(self.snapshots, self.network, self.iteration)
            return
        current = _values(self._variables())
        self.network.optimizer.finalize_variable_values(self.network.trainable_variables)
        self._renew_statistics()
        write_snapshot(self.snapshots, self.network, self.iteration)
        self._restore(current)

    def _renew_statistics(self) -> None:
        """Make the running means of batch normalisation those of the averaged weights, as in stochastic weight
        averaging (Izmailov et al., UAI 2018, section 3.2)."""
        if any(isinstance(layer, keras.layers.BatchNormalization) for layer in self.network.layers):
            drawn = batches(self.training, self.targets, self.recipe, self.iteration)
            for images, _ in itertools.islice(drawn, _STATISTICS_BATCHES):
                self.network(images, training=True)

    def _write_checkpoint(self) -> None:
        arrays = {f"variable_{number}": value for number, value in enumerate(_values(self._variables()))}
        about = {"fingerprint": self.fingerprint, "history": json.dumps(self.history), "seconds": self.seconds}
        with replacing(self.workspace / "checkpoint.npz") as temporary, temporary.open("wb") as file:
            np.savez(file, **about, **arrays)
        self._saved_at = time.monotonic()

    def _remove_stray_snapshots(self) -> None:
        """Remove what a smaller time budget ended with, and what was written after the checkpoint."""
        for path in self.snapshots.iterdir():
            iteration = int(path.name.split(".")[0])
            is_last = iteration == self.iteration and self.is_out_of_time
            if iteration > self.iteration or (iteration % self.recipe.snapshot_every and not is_last):
                path.unlink()

    def _restore(self, values: Iterable[np.ndarray]) -> None:
        for variable, value in zip(self._variables(), values, strict=True):
            variable.assign(value)

    def _variables(self) -> list[keras.Variable]:
        return [*self.network.variables, *self.network.optimizer.variables]


def _values(variables: Iterable[keras.Variable]) -> list[np.ndarray]:
    return [keras.ops.convert_to_numpy(variable) for variable in variables]


class _ProgressBar(keras.callbacks.Callback):
    """One bar over the whole training, counted in images, so that its rate is images per second."""

    def __init__(self, run: Run, shown: bool):
        super().__init__()
        self.run = run
        images = run.recipe.batch_size
        self.bar = tqdm(
            total=run.recipe.iterations * images,
            initial=run.iteration * images,
            unit="image",
            unit_scale=True,
            disable=not shown,
        )

    def on_train_batch_end(self, batch: int, logs: dict | None = None) -> None:
        self.bar.update(self.run.recipe.batch_size)

    def on_epoch_end(self, epoch: int, logs: dict) -> None:
        last = self.run.history[-1]
        self.bar.set_description(f"iteration {last['iteration']:,} of {self.run.recipe.iterations:,}", refresh=False)
        self.bar.set_postfix_str(
            f"loss {last['loss']:.3f} accuracy {last['accuracy']:.1%}, "
            f"validation {last['validation_loss']:.3f} {last['validation_accuracy']:.1%}"
        )

    def on_train_end(self, logs: dict | None = None) -> None:
        self.bar.close()


def fingerprint(network: keras.Model, description: dict, *parts: LabelledImages) -> str:
    """Tells runs apart that must not continue one another: network, description (but for the time budget) and data."""
    recipe = {key: value for key, value in description["recipe"].items() if key != "time_budget"}
    about = [architecture(network), description | {"recipe": recipe}]
    digest = hashlib.sha256(json.dumps(about, sort_keys=True).encode())
    for part in parts:
        digest.update(np.ascontiguousarray(part.images))
        digest.update(np.ascontiguousarray(part.labels))
    return digest.hexdigest()
