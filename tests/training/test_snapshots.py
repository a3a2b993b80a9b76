"""What a model directory holds, and that a network read from it answers as the one that was written."""

import json
import os

import h5py
import keras
import numpy as np
import pytest

from facial_expression import runtime, snapshots
from facial_expression.networks import preactivation, resnet10, resnet34, shallow, wide
from facial_expression.params import Runtime

SIZE = 24
FACES = np.random.default_rng(0).integers(0, 256, (7, SIZE, SIZE), dtype=np.uint8)


def build(build_network=wide.build, seed=1):
    here = Runtime(
        backend=keras.backend.backend(), onednn=int(os.environ["TF_ENABLE_ONEDNN_OPTS"]), threads=0, workers=1
    )
    runtime.prepare(here, seed)
    return build_network(6, SIZE)


def write(directory, network, *iterations, description=None):
    snapshots.write_description(directory, network, description or {})
    for iteration in iterations:
        snapshots.write_snapshot(directory, network, iteration)


def datasets(path):
    """Name and size of every array in a snapshot file."""
    sizes = {}
    with h5py.File(path) as file:
        file.visititems(lambda name, node: sizes.update({name: node.size}) if isinstance(node, h5py.Dataset) else None)
    return sizes


@pytest.mark.parametrize("build_network", [shallow.build, wide.build, resnet10.build, preactivation.build])
def test_network_read_back_answers_as_the_one_written(tmp_path, monkeypatch, build_network):
    monkeypatch.setattr(resnet34, "FILTERS", (4, 8, 8, 8))  # no less a network, but quick
    network = build(build_network)
    random = np.random.default_rng(0)  # the running means of batch normalisation too
    network.set_weights([random.uniform(0.01, 0.1, array.shape) for array in network.get_weights()])
    write(tmp_path, network, 300)
    read = snapshots.load_network(tmp_path)
    assert not np.array_equal(snapshots.predict(read, FACES), snapshots.predict(network, FACES))
    snapshots.load_snapshot(read, tmp_path, 300)
    np.testing.assert_array_equal(snapshots.predict(read, FACES), snapshots.predict(network, FACES))
    assert snapshots.architecture(read) == snapshots.architecture(network)


def test_each_snapshot_keeps_its_own_weights(tmp_path):
    networks = {iteration: build(seed=iteration) for iteration in (5, 10)}
    for iteration, network in networks.items():
        write(tmp_path, network, iteration)
    read = snapshots.load_network(tmp_path)
    for iteration in (10, 5):
        snapshots.load_snapshot(read, tmp_path, iteration)
        expected = snapshots.predict(networks[iteration], FACES)
        np.testing.assert_array_equal(snapshots.predict(read, FACES), expected)


def test_snapshots_are_listed_by_iteration(tmp_path):
    write(tmp_path, build(), 10_000, 200, 999_000, 1000)
    names = sorted(path.name for path in tmp_path.glob("*.h5"))
    assert names == [f"{number}.weights.h5" for number in ("000200", "001000", "010000", "999000")]
    assert snapshots.list_snapshots(tmp_path) == [200, 1000, 10_000, 999_000]
    assert snapshots.list_snapshots(str(tmp_path)) == [200, 1000, 10_000, 999_000]


@pytest.mark.parametrize("exists", [True, False])
def test_directory_without_snapshot_is_named_with_what_to_do(tmp_path, exists):
    directory = tmp_path / "models"
    if exists:
        directory.mkdir()
        snapshots.write_description(directory, build(), {})
    with pytest.raises(FileNotFoundError, match="models holds no snapshot: run `dvc repro` to train"):
        snapshots.list_snapshots(directory)


def test_compiling_and_training_add_nothing_to_what_is_written(tmp_path):
    fresh, trained = tmp_path / "fresh", tmp_path / "trained"
    for directory in (fresh, trained):
        directory.mkdir()
    network = build(shallow.build)
    write(fresh, network, 1)
    network.compile(
        optimizer=keras.optimizers.Adam(use_ema=True), loss="categorical_crossentropy", metrics=["accuracy"]
    )
    network.fit(FACES[..., None], np.eye(6)[[0, 1, 2, 3, 4, 5, 0]], verbose=0)
    write(trained, network, 1)
    assert datasets(trained / "000001.weights.h5") == datasets(fresh / "000001.weights.h5")
    assert sum(datasets(trained / "000001.weights.h5").values()) == network.count_params()
    assert (trained / "architecture.json").read_bytes() == (fresh / "architecture.json").read_bytes()
    assert "optimizer" not in (trained / "architecture.json").read_text()


def test_same_content_same_bytes(tmp_path):
    written = []
    for name in ("first", "second"):
        directory = tmp_path / name
        directory.mkdir()
        write(directory, build(), 7, description={"b": 1, "a": [2]} if name == "first" else {"a": [2], "b": 1})
        written.append({path.name: path.read_bytes() for path in directory.iterdir()})
    assert sorted(written[0]) == ["000007.weights.h5", "architecture.json", "recipe.json"]
    assert written[0] == written[1]


def test_description_is_read_as_it_was_written_and_pleasant_to_diff(tmp_path):
    description = {"recipe": {"seed": 3, "learning_rate": 0.0005}, "classes": ["angry", "happy"]}
    write(tmp_path, build(), description=description)
    assert snapshots.read_description(tmp_path) == description
    text = (tmp_path / "recipe.json").read_text()
    assert text.endswith("}\n")
    assert text.index("classes") < text.index("recipe")
    assert "\n  " in text
    assert json.loads((tmp_path / "architecture.json").read_text())["config"]["name"] == "wide"


@pytest.mark.parametrize("batch_size", [1, 3, 500])
def test_predictions_hold_whatever_the_batch(batch_size):
    network = build(shallow.build)
    probabilities = snapshots.predict(network, FACES, batch_size)
    assert probabilities.shape == (7, 6)
    assert probabilities.dtype == np.float32
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, atol=1e-5)
    np.testing.assert_allclose(probabilities, network.predict(FACES[..., None], verbose=0), atol=1e-6)


@pytest.mark.filterwarnings("ignore:Skipping nested container")
@pytest.mark.parametrize(("written", "read"), [(shallow.build, wide.build), (wide.build, shallow.build)])
def test_snapshot_of_another_network_is_not_loaded(tmp_path, written, read):
    write(tmp_path, build(written), 1)
    with pytest.raises(ValueError, match="could not be loaded"):
        snapshots.load_snapshot(build(read), tmp_path, 1)
