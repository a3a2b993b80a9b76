"""The training loop: what it writes, the batches, divergence, and the meaning of a recipe's keys."""

import itertools
import json

import h5py
import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from facial_expression.data.face_table import LabeledImages
from facial_expression.errors import UserError
from facial_expression.networks import shallow, wide
from facial_expression.training import snapshots
from facial_expression.training.loop import TrainingDivergedError, batches
from helpers.training import (
    CLASSES,
    EVERYTHING,
    PLAIN,
    SIZE,
    TRAINING,
    VALIDATION,
    build_normalized,
    change,
    labeled_noise,
    load_trained,
    read_files,
    train,
)

ONE_HOT = np.eye(len(CLASSES), dtype=np.float32)


# Outputs


def test_writes_a_model_directory_and_its_workspace(tmp_path):
    stale = tmp_path / "model" / "000003.weights.h5"
    stale.parent.mkdir()
    stale.write_bytes(b"of a former training")
    train(tmp_path, PLAIN, shallow.build, description={"protocol": "official"})
    assert sorted(path.name for path in tmp_path.iterdir()) == ["model", "workspace", "workspace.lock"]
    assert sorted(read_files(tmp_path / "model")) == ["000006.weights.h5", "architecture.json", "training.json"]
    description = json.loads((tmp_path / "model" / "training.json").read_text())
    recipe = PLAIN.model_dump(exclude_defaults=True)
    faces = {"training": 105, "validation": 30}
    assert description == {"classes": list(CLASSES), "faces": faces, "recipe": recipe, "protocol": "official"}


def test_recipe_sets_iterations_of_history_and_snapshots(tmp_path):
    history = train(tmp_path, EVERYTHING, build_normalized)
    assert list(history) == ["iteration", "loss", "accuracy", "validation_loss", "validation_accuracy"]
    assert history["iteration"].tolist() == [3, 6, 9, 12]
    assert history["iteration"].dtype == np.int64
    assert np.isfinite(history).all(axis=None)
    assert snapshots.list_snapshots(tmp_path / "model") == [6, 12]


def test_history_holds_the_metrics_of_the_validation_faces(tmp_path):
    last = train(tmp_path, change(PLAIN, label_smoothing=0.1), shallow.build).iloc[-1]
    probabilities = snapshots.predict(load_trained(tmp_path / "model", 6), VALIDATION.images)
    targets = np.eye(len(CLASSES))[VALIDATION.labels] * 0.9 + 0.1 / len(CLASSES)
    assert last["validation_loss"] == pytest.approx(-(targets * np.log(probabilities)).sum(axis=1).mean(), rel=1e-4)
    assert last["validation_accuracy"] == pytest.approx((probabilities.argmax(axis=1) == VALIDATION.labels).mean())


def test_validation_changes_no_weight_and_averages_minibatches(tmp_path):
    recipe = change(PLAIN, snapshot_every=3)
    rare = train(tmp_path / "rare", recipe, build_normalized)
    frequent = train(tmp_path / "frequent", change(recipe, validate_every=1), build_normalized)
    means = frequent.groupby((frequent["iteration"] - 1) // 3)[["loss", "accuracy"]].mean()
    np.testing.assert_allclose(rare[["loss", "accuracy"]], means, rtol=1e-5)
    for iteration in (3, 6):
        name = f"model/{iteration:06d}.weights.h5"
        assert (tmp_path / "rare" / name).read_bytes() == (tmp_path / "frequent" / name).read_bytes()


def test_progress_bar_counts_images_and_shows_metrics(tmp_path, capfd):
    train(tmp_path, PLAIN, shallow.build, progress=True)
    shown = capfd.readouterr().err
    for words in ("iteration 6 of 6: 100%", "120/120", "image/s", "loss", "accuracy", "validation"):
        assert words in shown


def test_without_progress_bar_nothing_is_printed(tmp_path, capfd):
    train(tmp_path, PLAIN, shallow.build)
    assert capfd.readouterr() == ("", "")


def test_snapshot_holds_the_weights_only(tmp_path):
    train(tmp_path, change(PLAIN, optimizer="adam", moving_average=0.9))
    sizes = {}
    with h5py.File(tmp_path / "model" / "000006.weights.h5") as file:
        file.visititems(lambda name, node: sizes.update({name: node.size}) if isinstance(node, h5py.Dataset) else None)
    network = snapshots.load_network(tmp_path / "model")
    assert all(name.startswith("layers/") for name in sizes)
    assert sum(size for name, size in sizes.items() if "seed_generator" not in name) == network.count_params()


# Batches


def numbered_faces(count):
    """Faces whose pixels and labels are their numbers."""
    numbers = np.arange(count)
    images = np.broadcast_to(numbers.astype(np.uint8)[:, None, None], (count, 2, 2))
    return LabeledImages(images, numbers, numbers)


def draw(count, batch_size, seed, number, start=0, **augmentation):
    recipe = change(PLAIN, batch_size=batch_size, seed=seed, augmentation=augmentation)
    targets = np.eye(count, dtype=np.float32)
    return list(itertools.islice(batches(numbered_faces(count), targets, recipe, start), number))


def numbers_of(drawn):
    return np.concatenate([images[:, 0, 0, 0] for images, _ in drawn])


counts = st.integers(1, 60).flatmap(lambda count: st.tuples(st.just(count), st.integers(1, count)))


@given(counts, st.integers(0, 2**31 - 1))
def test_each_epoch_fills_batches_with_different_faces(sizes, seed):
    count, batch_size = sizes
    per_epoch = count // batch_size
    drawn = draw(count, batch_size, seed, 2 * per_epoch)
    for epoch in (drawn[:per_epoch], drawn[per_epoch:]):
        numbers = numbers_of(epoch)
        assert len(numbers) == len(np.unique(numbers)) == per_epoch * batch_size
    for images, targets in drawn:
        assert images.shape == (batch_size, 2, 2, 1)
        assert images.dtype == np.uint8
        assert targets.dtype == np.float32
        np.testing.assert_array_equal(targets, np.eye(count)[images[:, 0, 0, 0]])


@given(counts, st.integers(0, 2**31 - 1), st.integers(0, 150))
def test_batches_depend_on_the_iteration_alone(sizes, seed, start):
    augmentation = {"flip": 0.5, "contrast": 0.3, "mixup": 0.2}
    resumed = draw(*sizes, seed, 2, start, **augmentation)
    whole = draw(*sizes, seed, start + 2, **augmentation)
    for one, two in zip(resumed, whole[start:], strict=True):
        assert [part.tobytes() for part in one] == [part.tobytes() for part in two]


def test_order_differs_between_epochs_and_seeds():
    epochs = numbers_of(draw(47, 10, 1, 80)).reshape(20, 40)
    assert len({tuple(epoch) for epoch in epochs}) == 20
    assert len({tuple(np.setdiff1d(np.arange(47), epoch)) for epoch in epochs}) > 15  # the faces left out
    assert not np.array_equal(numbers_of(draw(47, 10, 2, 4)), epochs[0])


def test_each_iteration_and_seed_has_its_own_augmentation():
    gray = LabeledImages(np.full((40, 2, 2), 128, np.uint8), np.zeros(40, int), np.arange(40))
    recipes = [change(PLAIN, batch_size=10, seed=seed, augmentation={"contrast": 0.5}) for seed in (1, 2)]
    targets = np.ones((1, 1), np.float32)
    drawn = [images for recipe in recipes for images, _ in itertools.islice(batches(gray, targets, recipe), 12)]
    assert len({images.tobytes() for images in drawn}) == 24


# Errors


def test_rejects_fewer_faces_than_a_batch(tmp_path):
    few = LabeledImages(*(getattr(TRAINING, part)[:19] for part in ("images", "labels", "rows")))
    with pytest.raises(UserError, match="19 training faces are too few for a batch of 20"):
        train(tmp_path, PLAIN, shallow.build, training=few)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("build", [build_normalized, shallow.build, wide.build])
def test_nan_stops_training_at_its_iteration(tmp_path, build):
    images = TRAINING.images.astype(np.float32)
    images[50] = np.nan
    faces = LabeledImages(images, TRAINING.labels, TRAINING.rows)
    recipe = change(PLAIN, iterations=10, snapshot_every=1, validate_every=1)
    numbered = enumerate(batches(faces, ONE_HOT, recipe), start=1)
    diverged = next(number for number, (batch, _) in numbered if np.isnan(batch).any())
    assert 1 < diverged <= 5
    former = tmp_path / "model" / "architecture.json"
    former.parent.mkdir()
    former.write_text("former")
    with pytest.raises(TrainingDivergedError) as raised:
        train(tmp_path, recipe, build, training=faces)
    for words in (f"at iteration {diverged}:", "lower learning_rate (now 0.01)", "warmup"):
        assert words in str(raised.value)
    assert snapshots.list_snapshots(tmp_path / "workspace" / "snapshots") == list(range(1, diverged))
    assert read_files(tmp_path / "model") == {"architecture.json": b"former"}


def test_too_high_learning_rate_is_a_user_error(tmp_path):
    recipe = PLAIN.model_copy(update={"optimizer": "adam", "learning_rate": 1e30})
    with pytest.raises(UserError, match=r"lower learning_rate \(now 1e\+30\)"):
        train(tmp_path, recipe)
    assert not (tmp_path / "model").exists()


# Learning and averaging


def patterned_faces(count, seed):
    """Noise with a bright rectangle whose position depends on the label."""
    noise = labeled_noise(count, seed)
    images = noise.images // 4
    height, width = SIZE // 3, SIZE // 2
    for image, label in zip(images, noise.labels, strict=True):
        row, column = label % 3 * height, label // 3 * width
        image[row : row + height, column : column + width] += 128
    return LabeledImages(images, noise.labels, noise.rows)


def test_learns_an_easy_pattern(tmp_path):
    recipe = change(PLAIN, optimizer="rmsprop", learning_rate=5e-4, iterations=60, snapshot_every=60, validate_every=60)
    faces = {"training": patterned_faces(120, 0), "validation": patterned_faces(60, 1)}
    history = train(tmp_path, recipe, shallow.build, **faces)
    assert history["validation_accuracy"].iloc[-1] > 0.95


def test_mixed_precision_keeps_float32_weights_and_network(tmp_path):
    recipe = change(EVERYTHING, precision="mixed_bfloat16")
    mixed = train(tmp_path / "mixed", recipe, build_normalized)
    exact = train(tmp_path / "exact", EVERYTHING, build_normalized)
    assert (mixed["loss"] != exact["loss"]).all()
    np.testing.assert_allclose(mixed["loss"], exact["loss"], rtol=0.02)
    files, others = (read_files(tmp_path / name / "model") for name in ("mixed", "exact"))
    assert files["architecture.json"] == others["architecture.json"]
    assert {weight.dtype for weight in load_trained(tmp_path / "mixed" / "model", 12).weights} >= {"float32"}
    train(tmp_path / "again", recipe, build_normalized)
    assert read_files(tmp_path / "again" / "model") == files


def weights_of(model, iteration):
    return [variable.numpy() for variable in load_trained(model, iteration).trainable_variables]


def test_snapshots_hold_the_moving_average(tmp_path):
    recipe = change(PLAIN, snapshot_every=1, validate_every=1, learning_rate=0.1)
    plain = train(tmp_path / "plain", recipe, shallow.build)
    averaged = train(tmp_path / "averaged", change(recipe, moving_average=0.75), shallow.build)
    pd.testing.assert_frame_equal(averaged, plain, check_exact=True)
    average = weights_of(tmp_path / "plain" / "model", 1)
    for iteration in range(1, 7):
        current = weights_of(tmp_path / "plain" / "model", iteration)
        average = [0.75 * a + 0.25 * b for a, b in zip(average, current, strict=True)]
        snapshot = weights_of(tmp_path / "averaged" / "model", iteration)
        for one, two in zip(snapshot, average, strict=True):
            np.testing.assert_allclose(one, two, atol=1e-6)
    assert max(np.abs(a - b).max() for a, b in zip(average, current, strict=True)) > 1e-3


def test_averaging_leaves_the_training_unchanged(tmp_path):
    recipe = change(EVERYTHING, snapshot_every=3)
    averaged = train(tmp_path / "averaged", recipe, build_normalized)
    plain = train(tmp_path / "plain", change(recipe, moving_average=0.0), build_normalized)
    pd.testing.assert_frame_equal(averaged, plain, check_exact=True)
    snapshot = "model/000012.weights.h5"
    assert (tmp_path / "averaged" / snapshot).read_bytes() != (tmp_path / "plain" / snapshot).read_bytes()


def statistics_of(model, iteration):
    """Running mean and variance of a snapshot of the normalized network."""
    layer = load_trained(model, iteration).get_layer("normalization")
    return layer.moving_mean.numpy(), layer.moving_variance.numpy()


def renew_statistics(model, iteration, recipe, mean, variance):
    """Running mean and variance after thirty batches through the convolution of a snapshot, in NumPy."""
    kernel, bias = weights_of(model, iteration)[:2]
    momentum = snapshots.load_network(model).get_layer("normalization").momentum
    for images, _ in itertools.islice(batches(TRAINING, ONE_HOT, recipe, iteration), 30):
        windows = np.lib.stride_tricks.sliding_window_view(images[..., 0].astype(np.float64), (5, 5), (1, 2))
        features = np.einsum("nhwij,ijf->nhwf", windows[:, ::2, ::2], kernel[:, :, 0].astype(np.float64)) + bias
        mean = momentum * mean + (1 - momentum) * features.mean(axis=(0, 1, 2))
        variance = momentum * variance + (1 - momentum) * features.var(axis=(0, 1, 2))
    return mean, variance


def test_running_statistics_fit_the_averaged_weights(tmp_path):
    recipe = change(EVERYTHING, snapshot_every=3, learning_rate=0.05, label_smoothing=0.0)
    train(tmp_path / "averaged", recipe, build_normalized)
    train(tmp_path / "plain", change(recipe, moving_average=0.0), build_normalized)
    averaged, plain = tmp_path / "averaged" / "model", tmp_path / "plain" / "model"
    for iteration in (6, 12):
        before = statistics_of(plain, iteration)
        expected = renew_statistics(averaged, iteration, recipe, *before)
        for found, wanted, unrenewed in zip(statistics_of(averaged, iteration), expected, before, strict=True):
            np.testing.assert_allclose(found, wanted, rtol=1e-4)
            assert (np.abs(found - unrenewed) > 0.01 * np.abs(found)).all()
