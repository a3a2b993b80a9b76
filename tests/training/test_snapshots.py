"""Model directories: what they hold, and that a network read back predicts the same."""

import json

import h5py
import keras
import numpy as np
import pytest

from facial_expression.errors import UserError
from facial_expression.training import snapshots
from helpers.networks import all_networks, build, random_faces

SIZE = 24
FACES = random_faces(7, SIZE)
NETWORKS = all_networks()


def build_wide(seed=1):
    return build("wide", 6, SIZE, seed)


def write(directory, network, *iterations, description=None):
    directory.mkdir(exist_ok=True)
    snapshots.write_description(directory, network, description or {})
    for iteration in iterations:
        snapshots.write_snapshot(directory, network, iteration)


def sizes_of(path):
    """Name and size of every array in a snapshot file."""
    sizes = {}
    with h5py.File(path) as file:
        file.visititems(lambda name, node: sizes.update({name: node.size}) if isinstance(node, h5py.Dataset) else None)
    return sizes


@pytest.mark.parametrize("name", NETWORKS)
def test_network_read_back_predicts_the_same(tmp_path, name):
    network = build(NETWORKS[name].module, 6, SIZE, **NETWORKS[name].arguments)
    random = np.random.default_rng(0)  # for the running means of batch normalization too
    network.set_weights([random.uniform(0.01, 0.1, array.shape) for array in network.get_weights()])
    write(tmp_path, network, 300)
    read = snapshots.load_network(tmp_path)
    assert not np.array_equal(snapshots.predict(read, FACES), snapshots.predict(network, FACES))
    snapshots.load_snapshot(read, tmp_path, 300)
    np.testing.assert_array_equal(snapshots.predict(read, FACES), snapshots.predict(network, FACES))
    assert snapshots.architecture(read) == snapshots.architecture(network)


def test_each_snapshot_keeps_its_own_weights(tmp_path):
    networks = {iteration: build_wide(seed=iteration) for iteration in (5, 10)}
    for iteration, network in networks.items():
        write(tmp_path, network, iteration)
    read = snapshots.load_network(tmp_path)
    for iteration in (10, 5):
        snapshots.load_snapshot(read, tmp_path, iteration)
        expected = snapshots.predict(networks[iteration], FACES)
        np.testing.assert_array_equal(snapshots.predict(read, FACES), expected)


def test_lists_snapshots_by_iteration(tmp_path):
    write(tmp_path, build_wide(), 10_000, 200, 999_000, 1000)
    names = sorted(path.name for path in tmp_path.glob("*.h5"))
    assert names == [f"{number}.weights.h5" for number in ("000200", "001000", "010000", "999000")]
    assert snapshots.list_snapshots(tmp_path) == [200, 1000, 10_000, 999_000]
    assert snapshots.list_snapshots(str(tmp_path)) == [200, 1000, 10_000, 999_000]


@pytest.mark.parametrize("exists", [True, False])
def test_missing_snapshot_is_a_user_error(tmp_path, exists):
    if exists:
        write(tmp_path / "model", build_wide())
    with pytest.raises(UserError, match="model holds no snapshot: run `dvc repro` to train it"):
        snapshots.list_snapshots(tmp_path / "model")


@pytest.mark.parametrize("exists", [True, False])
def test_missing_description_is_a_user_error(tmp_path, exists):
    if exists:
        (tmp_path / "model").mkdir()
    with pytest.raises(UserError, match="model holds no trained network: run `dvc repro` to train it"):
        snapshots.read_description(tmp_path / "model")


def test_compiling_and_training_add_nothing_to_the_files(tmp_path):
    fresh, trained = tmp_path / "fresh", tmp_path / "trained"
    network = build("shallow", 6, SIZE)
    write(fresh, network, 1)
    network.compile(
        optimizer=keras.optimizers.Adam(use_ema=True), loss="categorical_crossentropy", metrics=["accuracy"]
    )
    network.fit(FACES[..., None], np.eye(6)[[0, 1, 2, 3, 4, 5, 0]], verbose=0)
    write(trained, network, 1)
    assert sizes_of(trained / "000001.weights.h5") == sizes_of(fresh / "000001.weights.h5")
    assert sum(sizes_of(trained / "000001.weights.h5").values()) == network.count_params()
    assert (trained / "architecture.json").read_bytes() == (fresh / "architecture.json").read_bytes()
    assert "optimizer" not in (trained / "architecture.json").read_text()


def test_same_content_has_the_same_bytes(tmp_path):
    descriptions = {"first": {"b": 1, "a": [2]}, "second": {"a": [2], "b": 1}}
    for name, description in descriptions.items():
        write(tmp_path / name, build_wide(), 7, description=description)
    first, second = ({path.name: path.read_bytes() for path in (tmp_path / name).iterdir()} for name in descriptions)
    assert sorted(first) == ["000007.weights.h5", "architecture.json", "training.json"]
    assert first == second


def test_description_is_read_as_written_and_easy_to_diff(tmp_path):
    description = {"recipe": {"seed": 3, "learning_rate": 0.0005}, "classes": ["angry", "happy"]}
    write(tmp_path, build_wide(), description=description)
    assert snapshots.read_description(tmp_path) == description
    text = (tmp_path / "training.json").read_text()
    assert text.endswith("}\n")
    assert text.index("classes") < text.index("recipe")
    assert "\n  " in text
    assert json.loads((tmp_path / "architecture.json").read_text())["config"]["name"] == "wide"


@pytest.mark.parametrize("batch_size", [1, 3, 500])
def test_predictions_do_not_depend_on_the_batch_size(batch_size):
    network = build("shallow", 6, SIZE)
    probabilities = snapshots.predict(network, FACES, batch_size)
    assert probabilities.shape == (7, 6)
    assert probabilities.dtype == np.float32
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, atol=1e-5)
    np.testing.assert_allclose(probabilities, network.predict(FACES[..., None], verbose=0), atol=1e-6)


@pytest.mark.filterwarnings("ignore:Skipping nested container")
@pytest.mark.parametrize(("written", "read"), [("shallow", "wide"), ("wide", "shallow")])
def test_rejects_snapshot_of_another_network(tmp_path, written, read):
    write(tmp_path, build(written, 6, SIZE), 1)
    with pytest.raises(ValueError, match="could not be loaded"):
        snapshots.load_snapshot(build(read, 6, SIZE), tmp_path, 1)
