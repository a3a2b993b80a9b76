"""Growing: the deeper network begins with what the shallower one knows, and an interruption changes nothing."""

import functools
import hashlib
import shutil

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
    before_update,
    content,
    interrupted,
)
from test_training import train as train_plain

from facial_expression import growing, snapshots, training
from facial_expression.networks import resnet10, resnet34
from facial_expression.params import ResidualRecipe

SHORT = {"iterations": 4, "snapshot_every": 2, "validate_every": 2, "warmup": 1}
RECIPE = ResidualRecipe.model_validate(EVERYTHING.model_dump() | SHORT | {"stem_pool": False})


@pytest.fixture(autouse=True, scope="module")
def quick_networks():
    """No less a network, but few filters, and no graphs, which take longer to trace than these few iterations take."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(resnet34, "FILTERS", (4, 8, 8, 8))
        patch.setattr(training, "_STATISTICS_BATCHES", 2)
        patch.setattr(keras.Model, "compile", functools.partialmethod(keras.Model.compile, run_eagerly=True))
        yield


def build(classes, size):
    return resnet34.build(classes, size, **RECIPE.architecture, blocks=(2, 1, 1, 2))


def build_shallower(classes, size):
    return resnet10.build(classes, size, **RECIPE.architecture)


def train(where, shallower, recipe=RECIPE, build=build):
    """Grow the network in ``shallower``/model and train it in ``where``."""
    with pytest.MonkeyPatch.context() as patch:
        grown = functools.partial(growing.train_grown, shallower=shallower / "model")
        patch.setattr(training, "train", grown)
        return train_plain(where, recipe, build, description={"protocol": "official"})


def train_shallower(where, seed):
    train_plain(where, RECIPE.model_copy(update={"seed": seed}), build_shallower)
    return where


@pytest.fixture(scope="module")
def shallower(tmp_path_factory, quick_networks):
    return train_shallower(tmp_path_factory.mktemp("shallower"), seed=5)


@pytest.fixture(scope="module")
def reference(tmp_path_factory, shallower):
    where = tmp_path_factory.mktemp("reference")
    history = train(where, shallower)
    return history, content(where)


@pytest.mark.parametrize("stem_pool", [False, True])
def test_grown_network_computes_what_the_shallower_one_computes(stem_pool):
    shallower = resnet10.build(len(CLASSES), SIZE, stem_pool=stem_pool)
    shallower(TRAINING.images[:40, ..., None], training=True)  # statistics and scales of their own
    shallower.get_layer("stage_2_block_1_first_normalisation").gamma.assign(np.linspace(0.5, 2, 8))
    network = resnet34.build(len(CLASSES), SIZE, stem_pool=stem_pool, blocks=(2, 1, 1, 2))
    before = snapshots.predict(shallower, VALIDATION.images)
    assert np.abs(snapshots.predict(network, VALIDATION.images) - before).max() > 1e-3
    resnet34.grow(shallower, network)
    np.testing.assert_allclose(snapshots.predict(network, VALIDATION.images), before, atol=1e-6)


def test_further_blocks_can_learn_although_they_begin_as_identity():
    network = build(len(CLASSES), SIZE)
    resnet34.grow(build_shallower(len(CLASSES), SIZE), network)
    network.compile(optimizer=keras.optimizers.SGD(0.1), loss="categorical_crossentropy")
    kernel = network.get_layer("stage_1_block_2_second_convolution").kernel
    before = keras.ops.convert_to_numpy(kernel)
    for _ in range(2):  # the first step moves the scale away from zero, the second what lies behind it
        network.train_on_batch(TRAINING.images[:20, ..., None], np.eye(len(CLASSES))[TRAINING.labels[:20]])
    assert np.abs(keras.ops.convert_to_numpy(kernel) - before).max() > 0


def test_training_begins_with_what_the_last_snapshot_knows(tmp_path, shallower):
    """Without learning, and without the normalisation's running means, nothing is forgotten."""
    still = RECIPE.model_copy(update={"learning_rate": 1e-30, "weight_decay": 0.0, "moving_average": 0.0})
    train(tmp_path, shallower, still)
    for iteration, same in ((2, False), (4, True)):
        start, network = (snapshots.load_network(model) for model in (shallower / "model", tmp_path / "model"))
        snapshots.load_snapshot(start, shallower / "model", iteration)
        snapshots.load_snapshot(network, tmp_path / "model", 4)
        for layer in start.layers:
            for name in ("kernel", "gamma", "beta"):
                if hasattr(layer, name):
                    one, other = (getattr(model.get_layer(layer.name), name).numpy() for model in (start, network))
                    assert np.array_equal(one, other) == same or not one.any(), (layer.name, name)


def test_model_says_what_it_grew_from(tmp_path, shallower, reference):
    history, files = reference
    assert history["iteration"].tolist() == [2, 4]
    assert sorted(files) == [
        *("model/000002.weights.h5", "model/000004.weights.h5", "model/architecture.json", "model/recipe.json"),
    ]
    (tmp_path / "recipe.json").write_bytes(files["model/recipe.json"])
    description = snapshots.read_description(tmp_path)
    last = (shallower / "model" / "000004.weights.h5").read_bytes()
    assert description["grown_from"] == {"iteration": 4, "sha256": hashlib.sha256(last).hexdigest()}
    assert (description["protocol"], description["classes"]) == ("official", list(CLASSES))


def test_interrupted_growth_ends_as_if_it_had_not_been(tmp_path, shallower, reference, capsys):
    with interrupted(before_update(4)):
        train(tmp_path, shallower)
    assert not (tmp_path / "model").exists()
    history = train(tmp_path, shallower)
    assert "resuming after iteration 2" in capsys.readouterr().out
    pd.testing.assert_frame_equal(history, reference[0], check_exact=True)
    assert content(tmp_path) == reference[1]


def test_what_grew_from_another_network_is_not_continued(tmp_path, shallower, reference, capsys):
    other = train_shallower(tmp_path / "other", seed=6)
    with interrupted(before_update(4)):
        train(tmp_path / "grown", other)
    train(tmp_path / "grown", shallower)
    assert "starting anew" in capsys.readouterr().out
    assert content(tmp_path / "grown") == reference[1]


@pytest.mark.parametrize(("classes", "size"), [(5, SIZE), (6, SIZE + 8)])
def test_network_for_other_pictures_or_classes_is_refused(tmp_path, shallower, classes, size):
    with pytest.raises(ValueError, match="is a network for other pictures or classes: train it anew"):
        train(tmp_path, shallower, build=lambda *_: build(classes, size))
    assert not any(tmp_path.iterdir())


@pytest.mark.parametrize(("key", "before", "now"), [("pictures", "framed", "aligned"), ("stem_pool", False, True)])
def test_network_that_learned_from_what_the_recipe_does_not_say_is_refused(tmp_path, shallower, key, before, now):
    with pytest.raises(ValueError, match=f"was trained with {key}: {before}, what grows from it asks for {now}: train"):
        train(tmp_path, shallower, RECIPE.model_copy(update={key: now}))
    assert not any(tmp_path.iterdir())


def test_network_that_does_not_say_what_it_learned_from_is_refused(tmp_path, shallower):
    shutil.copytree(shallower / "model", tmp_path / "before" / "model")
    recipe = tmp_path / "before/model/recipe.json"
    recipe.write_text(recipe.read_text().replace("stem_pool", "pool"))
    with pytest.raises(ValueError, match="was trained with stem_pool: None"):
        train(tmp_path / "after", tmp_path / "before")


def test_network_without_a_snapshot_is_refused(tmp_path):
    with pytest.raises(FileNotFoundError, match="holds no snapshot"):
        train(tmp_path, tmp_path)
