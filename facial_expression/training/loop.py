"""The training loop of all networks.

Training counts iterations (weight updates), as the study does. Every batch is a function of the seed and the iteration
alone, and a checkpoint holds every variable of network and optimizer, so an interrupted run ends with the same bytes as
an uninterrupted one. The exception is a run with a time budget, whose end depends on the machine.
"""

import itertools
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pandas as pd
from tqdm import tqdm

from facial_expression.data.face_table import LabeledImages
from facial_expression.errors import UserError
from facial_expression.files import atomic_write
from facial_expression.params import Recipe
from facial_expression.training.augmentation import augment
from facial_expression.training.checkpoint import Checkpoint, fingerprint, lock
from facial_expression.training.optimizers import make_optimizer
from facial_expression.training.runtime import feed
from facial_expression.training.snapshots import predict, write_description, write_snapshot

_STATISTICS_BATCHES = 30  # after which a running mean with momentum 0.9 has forgotten 96% of its former value


class TrainingDivergedError(UserError):
    """The loss or a weight is not finite."""


def train(
    network: keras.Model,
    recipe: Recipe,
    classes: tuple[str, ...],
    training: LabeledImages,
    validation: LabeledImages,
    model_directory: str | Path,
    workspace: str | Path,
    description: dict[str, Any] | None = None,
    progress: bool = True,
) -> pd.DataFrame:
    """Train a network and write it as a model directory (:mod:`facial_expression.training.snapshots`).

    Args:
        network: newly built, not compiled.
        recipe: how to train.
        classes: names of the classes, in the order of the network's outputs.
        training: faces to train on.
        validation: faces to evaluate every ``validate_every`` iterations; nothing is learned from them.
        model_directory: where to write the model at the end.
        workspace: directory for checkpoints. Training resumes from a checkpoint of the same network, recipe (except its
            time budget), data, description and code. The checkpoint of a finished training gives its model again.
        description: further entries of ``training.json``.
        progress: show a progress bar with images per second, time left, loss and accuracy.

    Returns:
        History with one row per validation: iteration, loss, accuracy (means over the minibatches since the previous
        row), validation_loss, validation_accuracy.

    Raises:
        TrainingDivergedError: the loss or a weight is not finite.
        UserError: there are fewer training faces than a batch holds, or another process uses the workspace.
        KeyboardInterrupt: training was interrupted; the checkpoint of the last validation is written.
    """
    if len(training.labels) < recipe.batch_size:
        raise UserError(f"{len(training.labels)} training faces are too few for a batch of {recipe.batch_size}")
    faces = {"training": len(training.labels), "validation": len(validation.labels)}
    how = recipe.model_dump(exclude_defaults=True)
    description = {"classes": list(classes), "faces": faces, "recipe": how, **(description or {})}
    network.compile(
        optimizer=make_optimizer(recipe),
        loss=keras.losses.CategoricalCrossentropy(label_smoothing=recipe.label_smoothing),
        metrics=[keras.metrics.CategoricalAccuracy(name="accuracy")],
    )
    network.optimizer.build(network.trainable_variables)
    checkpoint = Checkpoint(Path(workspace), network, recipe, fingerprint(network, description, training, validation))
    with lock(checkpoint.workspace):
        checkpoint.resume()
        if not checkpoint.is_finished:
            with _precision(network, recipe.precision):
                _fit(network, recipe, len(classes), training, validation, checkpoint, progress)
        _write_model(model_directory, network, description, checkpoint)
    return pd.DataFrame(checkpoint.history)


def batches(
    training: LabeledImages, targets: np.ndarray, recipe: Recipe, start: int = 0
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """The endless sequence of batches from iteration ``start`` on.

    Each epoch is a permutation of the training faces, without the last few that do not fill a batch.

    Args:
        training: faces to train on.
        targets: float32, shape (classes, classes): the target of each label.
        recipe: batch size, augmentation, seed.
        start: number of iterations already done.

    Yields:
        Images (uint8 or float32, shape (batch, size, size, 1)) and targets (float32, shape (batch, classes)).
    """
    per_epoch = len(training.labels) // recipe.batch_size
    epoch, order = -1, np.empty(0, int)
    for iteration in itertools.count(start):
        if iteration // per_epoch != epoch:
            epoch = iteration // per_epoch
            order = np.random.default_rng([recipe.seed, 0, epoch]).permutation(len(training.labels))
        offset = iteration % per_epoch * recipe.batch_size
        chosen = np.sort(order[offset : offset + recipe.batch_size])
        generator = np.random.default_rng([recipe.seed, 1, iteration])
        images, labels = training.images[chosen], training.labels[chosen]
        images, batch_targets = augment(images, targets[labels], recipe.augmentation, generator)
        yield images[..., None], batch_targets


def _write_model(
    directory: str | Path, network: keras.Model, description: dict[str, Any], checkpoint: Checkpoint
) -> None:
    with atomic_write(directory) as temporary:
        temporary.mkdir()
        write_description(temporary, network, description)
        for snapshot in sorted(checkpoint.snapshots.iterdir()):
            shutil.copyfile(snapshot, temporary / snapshot.name)


@contextmanager
def _precision(network: keras.Model, policy: str) -> Iterator[None]:
    """Compute all layers but the last in a precision; weights and probabilities stay float32 (Micikevicius et al.,
    "Mixed Precision Training", ICLR 2018)."""
    *hidden, _ = network.layers
    kept = [layer.dtype_policy for layer in hidden]
    for layer in hidden:
        layer.dtype_policy = keras.DTypePolicy(policy)
    try:
        yield
    finally:
        for layer, own in zip(hidden, kept, strict=True):
            layer.dtype_policy = own


def _fit(
    network: keras.Model,
    recipe: Recipe,
    classes: int,
    training: LabeledImages,
    validation: LabeledImages,
    checkpoint: Checkpoint,
    progress: bool,
) -> None:
    targets = np.eye(classes, dtype=np.float32)
    bar = _ProgressBar(checkpoint, progress)
    try:
        network.fit(
            feed(partial(batches, training, targets, recipe, checkpoint.iteration)),
            steps_per_epoch=recipe.validate_every,
            initial_epoch=checkpoint.iteration // recipe.validate_every,
            epochs=recipe.iterations // recipe.validate_every,
            callbacks=[_Run(recipe, targets, training, validation, checkpoint), bar],
            shuffle=False,  # batches are shuffled already
            verbose=0,
        )
    except KeyboardInterrupt as interruption:
        checkpoint.write()
        raise type(interruption)(f"the next run resumes after iteration {checkpoint.written:,}") from None
    finally:
        bar.close()


class _Run(keras.callbacks.Callback):
    """Validates and writes snapshots and checkpoints. An epoch of Keras is ``validate_every`` iterations long."""

    def __init__(
        self,
        recipe: Recipe,
        targets: np.ndarray,
        training: LabeledImages,
        validation: LabeledImages,
        checkpoint: Checkpoint,
    ):
        super().__init__()
        self.recipe, self.targets, self.checkpoint = recipe, targets, checkpoint
        self.training, self.validation = training, validation

    def on_epoch_end(self, epoch: int, logs: dict[str, float]) -> None:
        iteration = (epoch + 1) * self.recipe.validate_every
        row = {"loss": logs["loss"], "accuracy": logs["accuracy"], **self._validate()}
        # The weights too: max-pooling and ReLU swallow NaN, so the loss alone may look sound.
        weights = (keras.ops.convert_to_numpy(weight) for weight in self.model.weights)
        if not all(np.isfinite(values).all() for values in (list(row.values()), *weights)):
            raise TrainingDivergedError(
                f"the loss or a weight is not finite at iteration {iteration:,}: lower learning_rate (now "
                f"{self.recipe.learning_rate}) or set schedule to cosine with warmup; no snapshot was written"
            )
        self.checkpoint.history.append({"iteration": iteration, **row})
        self.model.stop_training = self.checkpoint.is_out_of_time
        is_last = iteration == self.recipe.iterations or self.model.stop_training
        if is_last or iteration % self.recipe.snapshot_every == 0:
            self._write_snapshot(iteration)
        self.checkpoint.keep()
        if is_last or self.checkpoint.is_due:
            self.checkpoint.write()

    def _validate(self) -> dict[str, float]:
        probabilities = predict(self.model, self.validation.images)
        targets = self.targets[self.validation.labels]
        # The function, since the class divides by the number of devices.
        losses = keras.losses.categorical_crossentropy(
            targets, probabilities, label_smoothing=self.recipe.label_smoothing
        )
        return {
            "validation_loss": float(keras.ops.sum(losses) / len(losses)),
            "validation_accuracy": float(np.mean(probabilities.argmax(axis=1) == self.validation.labels)),
        }

    def _write_snapshot(self, iteration: int) -> None:
        if not self.recipe.moving_average:
            write_snapshot(self.checkpoint.snapshots, self.model, iteration)
            return
        current = self.checkpoint.values()
        self.model.optimizer.finalize_variable_values(self.model.trainable_variables)
        self._renew_statistics(iteration)
        write_snapshot(self.checkpoint.snapshots, self.model, iteration)
        self.checkpoint.restore(current)

    def _renew_statistics(self, iteration: int) -> None:
        """Fit the running means of batch normalization to the averaged weights, as in stochastic weight averaging
        (Izmailov et al., UAI 2018, section 3.2)."""
        if any(isinstance(layer, keras.layers.BatchNormalization) for layer in self.model.layers):
            renewing = batches(self.training, self.targets, self.recipe, iteration)
            for images, _ in itertools.islice(renewing, _STATISTICS_BATCHES):
                self.model(images, training=True)


class _ProgressBar(keras.callbacks.Callback):
    """One bar over the whole training, counted in images, so that its rate is images per second."""

    def __init__(self, checkpoint: Checkpoint, shown: bool):
        super().__init__()
        self.checkpoint, self.recipe = checkpoint, checkpoint.recipe
        self.bar = tqdm(
            total=self.recipe.iterations * self.recipe.batch_size,
            initial=checkpoint.iteration * self.recipe.batch_size,
            unit="image",
            unit_scale=True,
            disable=not shown,
        )

    def on_train_batch_end(self, batch: int, logs: dict[str, float] | None = None) -> None:
        self.bar.update(self.recipe.batch_size)

    def on_epoch_end(self, epoch: int, logs: dict[str, float]) -> None:
        last = self.checkpoint.history[-1]
        self.bar.set_description(f"iteration {last['iteration']:,} of {self.recipe.iterations:,}", refresh=False)
        self.bar.set_postfix_str(
            f"loss {last['loss']:.3f} accuracy {last['accuracy']:.1%}, "
            f"validation {last['validation_loss']:.3f} {last['validation_accuracy']:.1%}"
        )

    def close(self) -> None:
        self.bar.close()
