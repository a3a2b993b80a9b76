"""Growing: the deeper network begins with what the shallower one knows, and an interruption changes nothing."""

import functools

import keras
import numpy as np
import pandas as pd
import pytest
from test_training import (
    CLASSES,
    EVERYTHING,
    SIZE,
    TRAINING,
    VALIDATION,
    content,
    interrupt,
    interrupted,
    let_minutes_pass,
    random_faces,
)
from test_training import train as train_plain

from facial_expression import growing, snapshots, training
from facial_expression.networks import resnet34
from facial_expression.params import GrowingRecipe

RECIPE = GrowingRecipe.model_validate(
    EVERYTHING.model_dump()
    | {"iterations": 2, "snapshot_every": 1, "validate_every": 1, "warmup": 1}
    | {"start": {"iterations": 4, "snapshot_every": 2, "learning_rate": 0.001, "warmup": 1}}
)


@pytest.fixture(autouse=True, scope="module")
def quick_networks():
    """No less a network, but few filters, and no graphs, which take longer to trace than these few iterations take."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(resnet34, "FILTERS", (4, 8, 8, 8))
        patch.setattr(training, "_STATISTICS_BATCHES", 2)
        patch.setattr(keras.Model, "compile", functools.partialmethod(keras.Model.compile, run_eagerly=True))
        yield


def build(classes, size):
    return resnet34.build(classes, size, (2, 1, 1, 2))


def train(where, recipe=RECIPE, **arguments):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(training, "train", growing.train_growing)
        return train_plain(where, recipe, build, **arguments)


@pytest.fixture(scope="module")
def reference(tmp_path_factory, quick_networks):
    where = tmp_path_factory.mktemp("reference")
    history = train(where)
    return history, content(where)


def test_grown_network_computes_what_the_shallower_one_computes():
    shallower = resnet34.build(len(CLASSES), SIZE, (1, 1, 1, 1))
    shallower(TRAINING.images[:40, ..., None], training=True)  # statistics and scales of their own
    shallower.get_layer("stage_2_block_1_first_normalisation").gamma.assign(np.linspace(0.5, 2, 8))
    network = build(len(CLASSES), SIZE)
    before = snapshots.predict(shallower, VALIDATION.images)
    assert np.abs(snapshots.predict(network, VALIDATION.images) - before).max() > 1e-3
    resnet34.grow(shallower, network)
    np.testing.assert_allclose(snapshots.predict(network, VALIDATION.images), before, atol=1e-6)


def test_further_blocks_can_learn_although_they_begin_as_identity():
    network = build(len(CLASSES), SIZE)
    resnet34.grow(resnet34.build(len(CLASSES), SIZE, (1, 1, 1, 1)), network)
    network.compile(optimizer=keras.optimizers.SGD(0.1), loss="categorical_crossentropy")
    kernel = network.get_layer("stage_1_block_2_second_convolution").kernel
    before = keras.ops.convert_to_numpy(kernel)
    for _ in range(2):  # the first step moves the scale away from zero, the second what lies behind it
        network.train_on_batch(TRAINING.images[:20, ..., None], np.eye(len(CLASSES))[TRAINING.labels[:20]])
    assert np.abs(keras.ops.convert_to_numpy(kernel) - before).max() > 0


def test_history_is_that_of_both_trainings_and_nothing_else_is_left(reference):
    history, files = reference
    assert history["iteration"].tolist() == [2, 4, 5, 6]
    assert np.isfinite(history).all(axis=None)
    assert sorted(name for name in files if name.endswith(".h5")) == [
        "model/000001.weights.h5",
        "model/000002.weights.h5",
    ]
    assert all(name.startswith("model/") for name in files)


def test_without_a_start_all_layers_are_trained_from_the_start(tmp_path):
    history = train(tmp_path, RECIPE.model_copy(update={"start": None}))
    assert history["iteration"].tolist() == [1, 2]


@pytest.mark.parametrize("number", [3, 5, 6], ids=["while shallow", "just grown", "while deep"])
def test_interrupted_growth_ends_as_if_it_had_not_been(tmp_path, reference, number):
    updates = iter(range(1, 100))

    def moment(patch):
        def on_train_batch_begin(run, batch, logs=None):
            if next(updates) == number:
                interrupt()

        patch.setattr(training.Run, "on_train_batch_begin", on_train_batch_begin, raising=False)

    with interrupted(moment):
        train(tmp_path)
    assert not (tmp_path / "model").exists()
    history = train(tmp_path)
    pd.testing.assert_frame_equal(history, reference[0], check_exact=False, rtol=1e-12)
    assert content(tmp_path) == reference[1]


def test_start_of_other_faces_is_not_grown(tmp_path, reference):
    with interrupted(after_the_start):
        train(tmp_path, training=random_faces(105, 7))
    assert (tmp_path / "workspace_start" / "model").exists()
    train(tmp_path)
    assert content(tmp_path) == reference[1]


def after_the_start(patch):
    patch.setattr(growing.resnet34, "grow", lambda *networks: interrupt())


def test_time_budget_is_that_of_the_deep_network_alone_and_a_larger_goes_on(tmp_path, monkeypatch, reference):
    minutes = let_minutes_pass(monkeypatch)
    history = train(tmp_path, RECIPE.model_copy(update={"time_budget": 0.5}))
    assert history["iteration"].tolist() == [2, 4, 5]
    files = content(tmp_path)
    assert [name for name in files if name.startswith("model/") and name.endswith(".h5")] == ["model/000001.weights.h5"]
    assert files["model/000001.weights.h5"] == reference[1]["model/000001.weights.h5"]
    history = train(tmp_path)
    assert minutes() == 6
    pd.testing.assert_frame_equal(history, reference[0], check_exact=False, rtol=1e-12)
    assert content(tmp_path) == reference[1]
