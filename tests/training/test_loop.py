"""Training: the same bytes whatever happens on the way, nothing half-written, and what a recipe says is what is done.

The recipe ``EVERYTHING`` uses all that has a state: dropout, augmentation, schedule, optimizer slots, moving average.
"""

import contextlib
import itertools
import json
import os
import shutil
import signal
import subprocess
import sys
import types
from pathlib import Path

import h5py
import keras
import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from facial_expression import runtime, snapshots, training
from facial_expression.facetable import LabelledImages
from facial_expression.networks import shallow, wide
from facial_expression.params import Augmentation, Recipe, Runtime

SIZE = 24
CLASSES = ("angry", "fear", "happy", "sad", "surprise", "neutral")
NO_AUGMENTATION = Augmentation(flip=0.0, shift=0.0, rotation=0.0, scale=0.0, contrast=0.0, cutout=0, mixup=0.0)
PLAIN = Recipe(
    pictures="aligned",
    iterations=6,
    snapshot_every=6,
    validate_every=3,
    batch_size=20,
    optimizer="sgd",
    learning_rate=0.01,
    schedule="constant",
    warmup=0,
    weight_decay=0.0,
    label_smoothing=0.0,
    moving_average=0.0,
    augmentation=NO_AUGMENTATION,
    time_budget=0.0,
    seed=3,
)
EVERYTHING = Recipe(
    pictures="framed",
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
    time_budget=0.0,
    seed=3,
)


def change(recipe, **values):
    return Recipe.model_validate(recipe.model_dump() | values)


def random_faces(count, seed):
    random = np.random.default_rng(seed)
    images = random.integers(0, 256, (count, SIZE, SIZE), dtype=np.uint8)
    return LabelledImages(images, random.integers(0, len(CLASSES), count), np.arange(count))


def normalised(classes, size):
    """A network with a state that is not trained: running means of batch normalisation, random numbers of dropout."""
    layers = keras.layers
    pixels = keras.Input((size, size, 1), name="pixels")
    features = layers.BatchNormalization(name="normalisation")(layers.Conv2D(4, 5, 2, name="convolution")(pixels))
    features = layers.Dropout(0.3, name="dropout")(layers.GlobalAveragePooling2D(name="average")(features))
    probabilities = layers.Dense(classes, activation="softmax", name="probabilities")(features)
    return keras.Model(pixels, probabilities, name="normalised")


TRAINING, VALIDATION = random_faces(105, 0), random_faces(30, 1)


def train(where, recipe=EVERYTHING, build=wide.build, threads=0, progress=False, **arguments):
    """Train in ``where``/model and ``where``/workspace; arguments of ``training.train`` can be replaced."""
    environment = {"backend": os.environ["KERAS_BACKEND"], "onednn": int(os.environ["TF_ENABLE_ONEDNN_OPTS"])}
    runtime.prepare(Runtime(**environment, threads=threads, workers=1), recipe.seed)
    faces = {"classes": CLASSES, "training": TRAINING, "validation": VALIDATION}
    network = build(len(CLASSES), SIZE)
    return training.train(
        network,
        recipe,
        **faces | arguments,
        model_directory=where / "model",
        workspace=where / "workspace",
        progress=progress,
    )


def content(directory):
    """Every file's bytes by name."""
    return {str(path.relative_to(directory)): path.read_bytes() for path in directory.rglob("*") if path.is_file()}


def weights(model, iteration):
    network = snapshots.load_network(model)
    snapshots.load_snapshot(network, model, iteration)
    return [variable.numpy() for variable in network.trainable_variables]


class Interruption(BaseException):
    """Stands for whatever ends a process."""


def interrupt():
    raise Interruption


@contextlib.contextmanager
def interrupted(moment):
    """The block is a training that ends at ``moment``, after a checkpoint at every validation."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(training, "CHECKPOINT_SECONDS", -1)
        moment(patch)
        with pytest.raises(Interruption):
            yield


def before_update(number, action=interrupt):
    """The moment when iteration ``number`` is about to begin."""

    def on_train_batch_begin(run, batch, logs=None):
        if run.iteration + batch + 1 == number:
            action()

    return lambda patch: patch.setattr(training.Run, "on_train_batch_begin", on_train_batch_begin, raising=False)


@pytest.fixture(scope="module")
def reference(tmp_path_factory):
    """The history and the model of ``EVERYTHING``, never interrupted."""
    where = tmp_path_factory.mktemp("reference")
    history = train(where)
    return history, content(where / "model")


def assert_same(where, history, reference):
    pd.testing.assert_frame_equal(history, reference[0], check_exact=True)
    assert content(where) == {f"model/{name}": written for name, written in reference[1].items()}


# What is written


def test_model_directory_and_nothing_else_is_left(tmp_path):
    stale = tmp_path / "model" / "000003.weights.h5"
    stale.parent.mkdir()
    stale.write_bytes(b"of a former training")
    train(tmp_path, PLAIN, shallow.build, description={"protocol": "official"})
    assert [path.name for path in tmp_path.iterdir()] == ["model"]
    assert sorted(content(tmp_path / "model")) == ["000006.weights.h5", "architecture.json", "recipe.json"]
    written = json.loads((tmp_path / "model" / "recipe.json").read_text())
    assert written == {"classes": list(CLASSES), "recipe": PLAIN.model_dump(), "protocol": "official"}


def test_history_and_snapshots_stand_where_the_recipe_wants_them(reference):
    history, files = reference
    assert list(history) == ["iteration", "loss", "accuracy", "validation_loss", "validation_accuracy"]
    assert history["iteration"].tolist() == [3, 6, 9, 12]
    assert history["iteration"].dtype == np.int64
    assert np.isfinite(history).all(axis=None)
    assert [name for name in sorted(files) if name.endswith(".h5")] == ["000006.weights.h5", "000012.weights.h5"]


def test_history_tells_loss_and_accuracy_of_the_validation_faces(tmp_path):
    recipe = change(PLAIN, label_smoothing=0.1)
    last = train(tmp_path, recipe, shallow.build).iloc[-1]
    network = snapshots.load_network(tmp_path / "model")
    snapshots.load_snapshot(network, tmp_path / "model", 6)
    probabilities = snapshots.predict(network, VALIDATION.images)
    targets = np.eye(len(CLASSES))[VALIDATION.labels] * 0.9 + 0.1 / len(CLASSES)
    assert last["validation_loss"] == pytest.approx(-(targets * np.log(probabilities)).sum(axis=1).mean(), rel=1e-4)
    assert last["validation_accuracy"] == pytest.approx((probabilities.argmax(axis=1) == VALIDATION.labels).mean())


def test_how_often_is_validated_changes_no_weight_and_averages_the_minibatches(tmp_path):
    recipe = change(PLAIN, snapshot_every=3)
    seldom = train(tmp_path / "seldom", recipe, normalised)
    often = train(tmp_path / "often", change(recipe, validate_every=1), normalised)
    means = often.groupby((often["iteration"] - 1) // 3)[["loss", "accuracy"]].mean()
    np.testing.assert_allclose(seldom[["loss", "accuracy"]], means, rtol=1e-5)
    for iteration in (3, 6):
        name = f"model/{iteration:06d}.weights.h5"
        assert (tmp_path / "seldom" / name).read_bytes() == (tmp_path / "often" / name).read_bytes()


def test_progress_bar_counts_images_and_names_the_scores(tmp_path, capfd):
    train(tmp_path, PLAIN, shallow.build, progress=True)
    shown = capfd.readouterr().err
    assert "iteration 6 of 6: 100%" in shown
    assert "120/120" in shown
    assert "image/s" in shown
    assert "validation" in shown


# The same bytes, whatever happens


def run_in_process(where, kill_before=None, threads=0, one_core=False):
    """What the processes below do: train and keep the history, or be killed when an iteration begins."""
    if one_core and hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(training, "CHECKPOINT_SECONDS", -1)
        before_update(kill_before, lambda: os.kill(os.getpid(), signal.SIGKILL))(patch)
        train(where, threads=threads).to_pickle(where / "history.pickle")


def process(where, **arguments):
    tests = Path(__file__).parent
    code = f"import pathlib, test_training as t; t.run_in_process(pathlib.Path({str(where)!r}), **{arguments!r})"
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(tests), str(tests.parent)])}
    return subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=False)


def test_another_process_writes_the_same_bytes_even_with_fewer_cores(tmp_path, reference):
    """The result depends on the number of threads, but not on the number of cores that they find."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    ended = process(tmp_path, threads=cores, one_core=True)
    assert ended.returncode == 0, ended.stderr
    history = pd.read_pickle(tmp_path / "history.pickle")
    (tmp_path / "history.pickle").unlink()
    assert_same(tmp_path, history, reference)


def test_killed_process_is_finished_by_the_next_with_the_same_bytes(tmp_path, reference, capsys):
    killed = process(tmp_path, kill_before=9)
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["workspace"]
    history = train(tmp_path)
    assert "resuming after iteration 6 of 12" in capsys.readouterr().out
    assert_same(tmp_path, history, reference)


def half_written_snapshot(patch):
    def write(directory, network, iteration):
        snapshots.write_snapshot(directory, network, iteration)
        path = directory / f"{iteration:06d}.weights.h5"
        path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
        interrupt()

    patch.setattr(training, "write_snapshot", write)


def half_written_checkpoint(patch):
    calls, save = itertools.count(1), np.savez

    def write(file, **arrays):
        if next(calls) == 3:
            file.write(b"half of it")
            interrupt()
        save(file, **arrays)

    patch.setattr(np, "savez", write)


def half_written_model(patch):
    def write(directory, network, description):
        (directory / "architecture.json").write_text("half of it")
        interrupt()

    patch.setattr(training, "write_description", write)


def workspace_not_removed(patch):
    def remove(path):
        if (path / "checkpoint.npz").exists():
            interrupt()

    patch.setattr(training, "remove", remove)


@pytest.mark.parametrize(
    "moments",
    [
        [before_update(2)],
        [before_update(5), before_update(8), before_update(12)],
        [half_written_snapshot],
        [half_written_checkpoint],
        [half_written_model],
        [workspace_not_removed],
    ],
    ids=["before the first checkpoint", "three times", "snapshot", "checkpoint", "model directory", "at the very end"],
)
def test_interrupted_training_ends_as_if_it_had_not_been(tmp_path, reference, moments):
    for moment in moments:
        with interrupted(moment):
            train(tmp_path)
        assert (tmp_path / "model").exists() == (moment is workspace_not_removed)
    assert_same(tmp_path, train(tmp_path), reference)


@pytest.mark.parametrize("moving_average", [0.0, 0.9])
def test_running_means_and_momentum_survive_an_interruption(tmp_path, moving_average):
    recipe = change(PLAIN, optimizer="adam", moving_average=moving_average)
    whole = train(tmp_path / "whole", recipe, normalised)
    with interrupted(before_update(5)):
        train(tmp_path / "parts", recipe, normalised)
    parts = train(tmp_path / "parts", recipe, normalised)
    assert_same(tmp_path / "parts", parts, (whole, content(tmp_path / "whole" / "model")))


def test_checkpoints_are_written_as_seldom_as_asked_and_at_the_end(tmp_path, monkeypatch):
    clock, save, written = itertools.count(step=25), np.savez, []

    def note(file, **arrays):
        written.append(json.loads(arrays["history"])[-1]["iteration"])
        save(file, **arrays)

    monkeypatch.setattr(training, "CHECKPOINT_SECONDS", 60)
    monkeypatch.setattr(training, "time", types.SimpleNamespace(monotonic=lambda: next(clock)))
    monkeypatch.setattr(np, "savez", note)
    train(tmp_path, change(PLAIN, iterations=8, snapshot_every=8, validate_every=1), shallow.build)
    assert written == [3, 6, 8]  # 75 seconds after the start, 75 after that, and the last


# Whose checkpoint it is


@pytest.fixture(scope="module")
def begun(tmp_path_factory):
    """A directory whose workspace holds a checkpoint of iteration 3 of ``PLAIN``."""
    where = tmp_path_factory.mktemp("begun")
    with interrupted(before_update(4)):
        train(where, PLAIN, shallow.build)
    return where


def changed(faces, part, place, value):
    arrays = {"images": faces.images.copy(), "labels": faces.labels.copy()}
    arrays[part][place] = value
    return LabelledImages(**arrays, rows=faces.rows)


@pytest.mark.parametrize(
    ("start", "change_of_run"),
    [
        (3, {}),
        (0, {"recipe": change(PLAIN, learning_rate=0.02)}),
        (0, {"recipe": change(PLAIN, seed=4)}),
        (0, {"recipe": change(PLAIN, iterations=12)}),
        (0, {"recipe": change(PLAIN, augmentation=NO_AUGMENTATION.model_dump() | {"flip": 0.5})}),
        (0, {"build": wide.build}),
        (0, {"training": changed(TRAINING, "images", (7, 3, 5), TRAINING.images[7, 3, 5] ^ 1)}),
        (0, {"training": changed(TRAINING, "labels", 7, (TRAINING.labels[7] + 1) % 6)}),
        (0, {"validation": changed(VALIDATION, "labels", 7, (VALIDATION.labels[7] + 1) % 6)}),
        (0, {"classes": CLASSES[::-1]}),
        (0, {"description": {"protocol": "official"}}),
    ],
)
def test_only_the_checkpoint_of_this_very_run_is_continued(tmp_path, monkeypatch, capsys, begun, start, change_of_run):
    shutil.copytree(begun, tmp_path, dirs_exist_ok=True)
    starts = []
    monkeypatch.setattr(training, "batches", lambda *arguments: starts.append(arguments[-1]) or interrupt())
    arguments = {"recipe": PLAIN, "build": shallow.build} | change_of_run
    with pytest.raises(Interruption):
        train(tmp_path, **arguments)
    assert starts == [start]
    said = "resuming after iteration 3 of 6" if start else f"starting anew: the checkpoint in {tmp_path / 'workspace'}"
    assert said in capsys.readouterr().out


def test_nothing_of_another_run_reaches_the_model(tmp_path, reference):
    other = change(EVERYTHING, seed=9, snapshot_every=3)
    with interrupted(before_update(5)):
        train(tmp_path, other)
    assert (tmp_path / "workspace" / "snapshots" / "000003.weights.h5").exists()
    assert_same(tmp_path, train(tmp_path), reference)


# A time budget


@pytest.fixture(scope="module")
def unlimited(tmp_path_factory):
    """The history and the model of ``EVERYTHING`` without a budget, with a snapshot at each validation."""
    where = tmp_path_factory.mktemp("unlimited")
    history = train(where, change(EVERYTHING, snapshot_every=3), normalised)
    return history, content(where / "model")


def let_minutes_pass(patch):
    """A clock that goes on by one minute with every weight update and else stands still; returns how many were done."""
    now = [1000.0]

    def on_train_batch_end(run, batch, logs=None):
        now[0] += 60

    patch.setattr(training.Run, "on_train_batch_end", on_train_batch_end, raising=False)
    patch.setattr(training, "time", types.SimpleNamespace(monotonic=lambda: now[0]))
    return lambda: round((now[0] - 1000) / 60)


@pytest.fixture
def minutes(monkeypatch):
    return let_minutes_pass(monkeypatch)


def train_for(budget, where):
    return train(where, change(EVERYTHING, time_budget=float(budget)), normalised)


def assert_model(where, unlimited, iterations, budget):
    """The model is that of the training without a budget, but for the snapshots that it lacks."""
    written = content(where / "model")
    names = {"architecture.json", *(f"{iteration:06d}.weights.h5" for iteration in iterations)}
    assert written.keys() == names | {"recipe.json"}
    assert {name: written[name] for name in names} == {name: unlimited[1][name] for name in names}
    recipe = snapshots.read_description(where / "model")["recipe"]
    assert recipe == change(EVERYTHING, time_budget=float(budget)).model_dump()


@pytest.mark.parametrize(("budget", "kept"), [(3, [3]), (3.5, [6]), (8, [6, 9])])
def test_training_ends_at_the_first_validation_after_its_budget(tmp_path, minutes, unlimited, budget, kept):
    history = train_for(budget, tmp_path)
    assert minutes() == kept[-1]
    pd.testing.assert_frame_equal(history, unlimited[0][: kept[-1] // 3], check_exact=True)
    assert_model(tmp_path, unlimited, kept, budget)
    assert (tmp_path / "workspace" / "checkpoint.npz").exists()


@pytest.mark.parametrize("budget", [11.5, 1000])
def test_a_budget_that_suffices_changes_nothing_and_leaves_nothing(tmp_path, minutes, unlimited, budget):
    history = train_for(budget, tmp_path)
    pd.testing.assert_frame_equal(history, unlimited[0], check_exact=True)
    assert_model(tmp_path, unlimited, [6, 12], budget)
    assert not (tmp_path / "workspace").exists()


@pytest.mark.parametrize("budgets", [(8, 0), (2, 8, 1000)], ids=str)
def test_larger_budgets_or_none_go_on_and_end_as_if_there_had_been_none(tmp_path, capsys, minutes, unlimited, budgets):
    for budget in budgets[:-1]:
        ended = train_for(budget, tmp_path)["iteration"].iloc[-1]
        snapshot = f"{ended:06d}.weights.h5"
        assert content(tmp_path / "model")[snapshot] == unlimited[1][snapshot]
    assert ended == 9
    history = train_for(budgets[-1], tmp_path)
    assert "resuming after iteration 9 of 12" in capsys.readouterr().out
    assert minutes() == 12
    pd.testing.assert_frame_equal(history, unlimited[0], check_exact=True)
    assert_model(tmp_path, unlimited, [6, 12], budgets[-1])
    assert not (tmp_path / "workspace").exists()


def test_a_budget_that_is_used_up_gives_the_same_model_without_training(tmp_path, monkeypatch, minutes, unlimited):
    first = train_for(8, tmp_path)
    monkeypatch.setattr(training, "batches", lambda *arguments: interrupt())
    for budget in (8, 6):
        shutil.rmtree(tmp_path / "model")
        pd.testing.assert_frame_equal(train_for(budget, tmp_path), first, check_exact=True)
        assert_model(tmp_path, unlimited, [6, 9], budget)


def test_time_of_an_interrupted_process_counts(tmp_path, minutes, unlimited):
    with interrupted(before_update(8)):
        train_for(8, tmp_path)
    train_for(8, tmp_path)  # from the checkpoint of iteration 6, where six minutes had passed
    assert_model(tmp_path, unlimited, [6, 9], 8)


# Batches


def numbered_faces(count):
    """Faces whose pixels and label tell their number."""
    numbers = np.arange(count)
    images = np.broadcast_to(numbers.astype(np.uint8)[:, None, None], (count, 2, 2))
    return LabelledImages(images, numbers, numbers)


def drawn(count, batch_size, seed, number, start=0, **augmentation):
    recipe = change(PLAIN, batch_size=batch_size, seed=seed, augmentation=NO_AUGMENTATION.model_dump() | augmentation)
    targets = np.eye(count, dtype=np.float32)
    return list(itertools.islice(training.batches(numbered_faces(count), targets, recipe, start), number))


counts = st.integers(1, 60).flatmap(lambda count: st.tuples(st.just(count), st.integers(1, count)))


@given(counts, st.integers(0, 2**31 - 1))
def test_every_epoch_takes_each_face_at_most_once_and_as_many_as_fill_batches(sizes, seed):
    count, batch_size = sizes
    per_epoch = count // batch_size
    batches = drawn(count, batch_size, seed, 2 * per_epoch)
    for epoch in (batches[:per_epoch], batches[per_epoch:]):
        faces = np.concatenate([images[:, 0, 0, 0] for images, _ in epoch])
        assert len(faces) == per_epoch * batch_size
        assert len(np.unique(faces)) == len(faces)
    for images, targets in batches:
        assert images.shape == (batch_size, 2, 2, 1)
        assert images.dtype == np.uint8
        assert targets.dtype == np.float32
        np.testing.assert_array_equal(targets, np.eye(count)[images[:, 0, 0, 0]])


@given(counts, st.integers(0, 2**31 - 1), st.integers(0, 150))
def test_batches_from_an_iteration_on_are_those_after_skipping_the_earlier(sizes, seed, start):
    augmentation = {"flip": 0.5, "contrast": 0.3, "mixup": 0.2}
    later = drawn(*sizes, seed, 2, start, **augmentation)
    all_of_them = drawn(*sizes, seed, start + 2, **augmentation)
    for one, two in zip(later, all_of_them[start:], strict=True):
        assert [part.tobytes() for part in one] == [part.tobytes() for part in two]


def test_order_differs_between_epochs_and_seeds_and_leaves_out_others_each_time():
    orders = [np.concatenate([images[:, 0, 0, 0] for images, _ in drawn(47, 10, 1, 40, start)]) for start in (0, 40)]
    epochs = np.concatenate(orders).reshape(20, 40)
    assert len({tuple(epoch) for epoch in epochs}) == 20
    assert len({tuple(np.setdiff1d(np.arange(47), epoch)) for epoch in epochs}) > 15
    other = np.concatenate([images[:, 0, 0, 0] for images, _ in drawn(47, 10, 2, 4)])
    assert not np.array_equal(other, epochs[0])


def test_each_iteration_varies_its_faces_anew():
    def gray_levels(start):
        return drawn(40, 40, 1, 1, start, contrast=0.5)[0][0].tobytes()

    assert len({gray_levels(iteration) for iteration in range(10)}) == 10


# When it goes wrong


def test_too_few_faces_for_a_batch_are_named_before_anything_is_written(tmp_path):
    few = LabelledImages(*(getattr(TRAINING, part)[:19] for part in ("images", "labels", "rows")))
    with pytest.raises(ValueError, match="19 training faces are too few for a batch of 20"):
        train(tmp_path, PLAIN, shallow.build, training=few)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("build", [normalised, shallow.build, wide.build])
def test_a_face_that_is_not_a_number_stops_training_at_its_iteration(tmp_path, build):
    images = TRAINING.images.astype(np.float32)
    images[50] = np.nan
    faces = LabelledImages(images, TRAINING.labels, TRAINING.rows)
    recipe = change(PLAIN, iterations=10, snapshot_every=1, validate_every=1)
    targets = np.eye(len(CLASSES), dtype=np.float32)
    met = next(
        number
        for number, (batch, _) in enumerate(training.batches(faces, targets, recipe), start=1)
        if np.isnan(batch).any()
    )
    assert 1 < met <= 5
    former = tmp_path / "model" / "architecture.json"
    former.parent.mkdir()
    former.write_text("former")
    with pytest.raises(training.TrainingDivergedError) as raised:
        train(tmp_path, recipe, build, training=faces)
    for word in (f"at iteration {met}:", "lower learning_rate (now 0.01)", "warmup"):
        assert word in str(raised.value)
    written = list(range(1, met))
    assert snapshots.list_snapshots(tmp_path / "workspace" / "snapshots") == written
    assert content(tmp_path / "model") == {"architecture.json": b"former"}


def test_far_too_high_learning_rate_is_an_error_and_leaves_no_model(tmp_path):
    recipe = PLAIN.model_copy(update={"optimizer": "adam", "learning_rate": 1e30})
    with pytest.raises(training.TrainingDivergedError, match=r"lower learning_rate \(now 1e\+30\)"):
        train(tmp_path, recipe)
    assert not (tmp_path / "model").exists()


# What the recipe's words mean


def test_it_learns_what_can_be_learned(tmp_path):
    def faces(count, seed):
        noisy = random_faces(count, seed)
        images = noisy.images // 4
        for image, label in zip(images, noisy.labels, strict=True):
            image[8 * (label % 3) : 8 * (label % 3) + 8, 12 * (label // 3) : 12 * (label // 3) + 12] += 128
        return LabelledImages(images, noisy.labels, noisy.rows)

    recipe = change(PLAIN, optimizer="rmsprop", learning_rate=5e-4, iterations=60, snapshot_every=60, validate_every=60)
    history = train(tmp_path, recipe, shallow.build, training=faces(120, 0), validation=faces(60, 1))
    assert history["validation_accuracy"].iloc[-1] > 0.95


def test_snapshots_hold_the_moving_average_and_training_goes_on_from_the_weights(tmp_path):
    recipe = change(PLAIN, snapshot_every=1, validate_every=1, learning_rate=0.1)
    plain = train(tmp_path / "plain", recipe, shallow.build)
    averaged = train(tmp_path / "averaged", change(recipe, moving_average=0.75), shallow.build)
    pd.testing.assert_frame_equal(averaged, plain, check_exact=True)
    average = None
    for iteration in range(1, 7):
        current = weights(tmp_path / "plain" / "model", iteration)
        average = current if average is None else [0.75 * a + 0.25 * b for a, b in zip(average, current, strict=True)]
        snapshot = weights(tmp_path / "averaged" / "model", iteration)
        for one, two in zip(snapshot, average, strict=True):
            np.testing.assert_allclose(one, two, atol=1e-6)
    assert max(np.abs(a - b).max() for a, b in zip(average, current, strict=True)) > 1e-3


def test_training_never_notices_that_its_weights_are_averaged(tmp_path, unlimited):
    plain = train(tmp_path, change(EVERYTHING, snapshot_every=3, moving_average=0.0), normalised)
    pd.testing.assert_frame_equal(unlimited[0], plain, check_exact=True)
    snapshot = "000012.weights.h5"
    assert unlimited[1][snapshot] != content(tmp_path / "model")[snapshot]


def statistics_by_hand(model, iteration, recipe, mean, variance):
    """What thirty batches make of running statistics, after the convolution of ``normalised`` in this snapshot."""
    kernel, bias = weights(model, iteration)[:2]
    momentum = snapshots.load_network(model).get_layer("normalisation").momentum
    targets = np.eye(len(CLASSES), dtype=np.float32)
    for images, _ in itertools.islice(training.batches(TRAINING, targets, recipe, iteration), 30):
        windows = np.lib.stride_tricks.sliding_window_view(images[..., 0].astype(np.float64), (5, 5), (1, 2))
        features = np.einsum("nhwij,ijf->nhwf", windows[:, ::2, ::2], kernel[:, :, 0].astype(np.float64)) + bias
        mean = momentum * mean + (1 - momentum) * features.mean(axis=(0, 1, 2))
        variance = momentum * variance + (1 - momentum) * features.var(axis=(0, 1, 2))
    return mean, variance


def test_running_statistics_of_a_snapshot_are_those_of_its_averaged_weights(tmp_path):
    recipe = change(EVERYTHING, snapshot_every=3, learning_rate=0.05, label_smoothing=0.0)
    train(tmp_path / "averaged", recipe, normalised)
    train(tmp_path / "plain", change(recipe, moving_average=0.0), normalised)
    statistics = {}
    for name in ("averaged", "plain"):
        model = tmp_path / name / "model"
        network = snapshots.load_network(model)
        for iteration in (6, 12):
            snapshots.load_snapshot(network, model, iteration)
            layer = network.get_layer("normalisation")
            statistics[name, iteration] = layer.moving_mean.numpy(), layer.moving_variance.numpy()
    for iteration in (6, 12):
        before = statistics["plain", iteration]
        by_hand = statistics_by_hand(tmp_path / "averaged" / "model", iteration, recipe, *before)
        for found, expected, unrenewed in zip(statistics["averaged", iteration], by_hand, before, strict=True):
            np.testing.assert_allclose(found, expected, rtol=1e-4)
            assert (np.abs(found - unrenewed) > 0.01 * np.abs(found)).all()


def rates(recipe):
    optimizer = training.make_optimizer(recipe)
    for iteration in range(recipe.iterations + 1):
        optimizer.iterations.assign(iteration)
        yield float(optimizer.learning_rate)


def test_schedules():
    constant = change(PLAIN, iterations=40, snapshot_every=40, validate_every=40, learning_rate=0.5)
    assert set(rates(constant)) == {0.5}
    cosine = list(rates(change(constant, schedule="cosine")))
    np.testing.assert_allclose(cosine, 0.25 * (1 + np.cos(np.pi * np.arange(41) / 40)), atol=1e-6)
    warm = list(rates(change(constant, schedule="cosine", warmup=8)))
    np.testing.assert_allclose(warm[:8], 0.5 * np.arange(8) / 8, atol=1e-6)
    np.testing.assert_allclose(warm[8:], 0.25 * (1 + np.cos(np.pi * np.arange(33) / 32)), atol=1e-6)


@pytest.mark.parametrize(
    ("name", "kind", "settings"),
    [
        ("rmsprop", keras.optimizers.RMSprop, {"rho": 0.9, "momentum": 0.0, "centered": False}),
        ("sgd", keras.optimizers.SGD, {"momentum": 0.9, "nesterov": True}),
        ("adam", keras.optimizers.Adam, {"beta_1": 0.9, "beta_2": 0.999}),
    ],
)
def test_optimizers(name, kind, settings):
    optimizer = training.make_optimizer(change(PLAIN, optimizer=name))
    assert type(optimizer) is kind
    assert {key: getattr(optimizer, key) for key in settings} == settings
    assert not optimizer.use_ema
    assert optimizer.weight_decay is None


@pytest.mark.parametrize("name", ["rmsprop", "sgd", "adam"])
def test_weight_decay_is_decoupled_from_the_gradient(name):
    optimizer = training.make_optimizer(change(PLAIN, optimizer=name, learning_rate=0.1, weight_decay=0.01))
    weight = keras.Variable([2.0, -4.0])
    optimizer.apply([keras.ops.zeros(2)], [weight])
    np.testing.assert_allclose(weight.numpy(), np.array([2.0, -4.0]) * (1 - 0.1 * 0.01), rtol=1e-6)


def test_snapshot_holds_the_weights_alone(tmp_path):
    train(tmp_path, change(PLAIN, optimizer="adam", moving_average=0.9))
    sizes = {}
    with h5py.File(tmp_path / "model" / "000006.weights.h5") as file:
        file.visititems(lambda name, node: sizes.update({name: node.size}) if isinstance(node, h5py.Dataset) else None)
    network = snapshots.load_network(tmp_path / "model")
    assert all(name.startswith("layers/") for name in sizes)
    assert sum(size for name, size in sizes.items() if "seed_generator" not in name) == network.count_params()
