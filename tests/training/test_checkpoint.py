"""Interrupted trainings: the same bytes as an uninterrupted one, and nothing half-written."""

import itertools
import json
import os
import re
import shutil
import signal

import numpy as np
import pandas as pd
import pytest

from facial_expression.data.face_table import LabeledImages
from facial_expression.errors import UserError
from facial_expression.networks import shallow, wide
from facial_expression.training import checkpoint, loop, snapshots
from helpers.disks import small_disk
from helpers.training import (
    CLASSES,
    EVERYTHING,
    PLAIN,
    TRAINING,
    VALIDATION,
    Interruption,
    before_update,
    build_normalized,
    change,
    interrupt,
    interrupted,
    read_files,
    run_clock,
    train,
    train_in_process,
)


@pytest.fixture(scope="module")
def reference(tmp_path_factory):
    """History and model of ``EVERYTHING`` without interruption."""
    directory = tmp_path_factory.mktemp("reference")
    history = train(directory)
    return history, read_files(directory / "model")


def assert_same(directory, history, reference):
    pd.testing.assert_frame_equal(history, reference[0], check_exact=True)
    assert read_files(directory / "model") == reference[1]


# Processes


def test_other_process_with_one_core_writes_the_same_bytes(tmp_path, reference):
    """The result depends on the number of threads, but not on the number of cores that run them."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    ended = train_in_process(tmp_path, threads=cores, one_core=True)
    assert ended.returncode == 0, ended.stderr
    assert_same(tmp_path, pd.read_pickle(tmp_path / "history.pickle"), reference)


def test_next_process_finishes_what_a_killed_one_began(tmp_path, reference, capsys):
    killed = train_in_process(tmp_path, kill_before=9)
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    assert sorted(path.name for path in tmp_path.iterdir()) == ["workspace", "workspace.lock"]
    history = train(tmp_path)
    assert "resuming after iteration 6 of 12" in capsys.readouterr().out
    assert_same(tmp_path, history, reference)


# Interruptions at every moment


def half_written_snapshot(patch):
    def write(directory, network, iteration):
        snapshots.write_snapshot(directory, network, iteration)
        path = snapshots.snapshot_path(directory, iteration)
        path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
        interrupt()

    patch.setattr(loop, "write_snapshot", write)


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

    patch.setattr(loop, "write_description", write)


def unkept_history(patch):
    patch.setattr(loop.pd, "DataFrame", interrupt)


@pytest.mark.parametrize(
    "moments",
    [
        [before_update(2)],
        [before_update(5), before_update(8), before_update(12)],
        [half_written_snapshot],
        [half_written_checkpoint],
        [half_written_model],
        [unkept_history],
    ],
    ids=["before the first checkpoint", "three times", "snapshot", "checkpoint", "model directory", "at the very end"],
)
def test_interrupted_training_ends_with_the_same_bytes(tmp_path, reference, moments):
    for moment in moments:
        with interrupted(moment):
            train(tmp_path)
        assert (tmp_path / "model").exists() == (moment is unkept_history)
    assert_same(tmp_path, train(tmp_path), reference)


@pytest.mark.parametrize("moving_average", [0.0, 0.9])
def test_running_means_and_momentum_survive_interruption(tmp_path, moving_average):
    recipe = change(PLAIN, optimizer="adam", moving_average=moving_average)
    whole = train(tmp_path / "whole", recipe, build_normalized)
    with interrupted(before_update(5)):
        train(tmp_path / "parts", recipe, build_normalized)
    parts = train(tmp_path / "parts", recipe, build_normalized)
    assert_same(tmp_path / "parts", parts, (whole, read_files(tmp_path / "whole" / "model")))


def test_writes_checkpoints_each_minute_and_at_the_end(tmp_path, monkeypatch):
    save, written = np.savez, []

    def note(file, **arrays):
        written.append(json.loads(arrays["history"])[-1]["iteration"])
        save(file, **arrays)

    run_clock(monkeypatch, seconds=25)
    monkeypatch.setattr(np, "savez", note)
    train(tmp_path, change(PLAIN, iterations=8, snapshot_every=8, validate_every=1), shallow.build)
    assert checkpoint.CHECKPOINT_SECONDS == 60
    assert written == [3, 6, 8]  # 75 seconds after the start, 75 after that, and the last


def test_finished_training_gives_its_model_again(tmp_path, monkeypatch, capsys, reference):
    """DVC may fail to record it: another command holds its lock, or a kill comes too soon."""
    train(tmp_path)
    shutil.rmtree(tmp_path / "model")
    monkeypatch.setattr(loop, "batches", interrupt)
    assert_same(tmp_path, train(tmp_path), reference)
    assert capsys.readouterr().out == f"trained already: to train again, delete {tmp_path / 'workspace'} first\n"


@pytest.mark.parametrize(("number", "written"), [(2, 0), (5, 3), (11, 9)])
def test_stopped_training_writes_its_last_validation(tmp_path, monkeypatch, reference, number, written):
    def stop():
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        before_update(number, stop)(patch)
        with pytest.raises(KeyboardInterrupt, match=f"the next run resumes after iteration {written}"):
            train(tmp_path)
    assert (tmp_path / "workspace" / "checkpoint.npz").exists() == (written > 0)
    assert_same(tmp_path, train(tmp_path), reference)


@pytest.mark.parametrize("damage", [lambda content: content[: len(content) // 2], lambda content: b""])
def test_damaged_checkpoint_starts_over(tmp_path, capsys, begun, damage):
    shutil.copytree(begun, tmp_path, dirs_exist_ok=True)
    path = tmp_path / "workspace" / "checkpoint.npz"
    path.write_bytes(damage(path.read_bytes()))
    train(tmp_path, PLAIN, shallow.build)
    assert f"starting over: the checkpoint in {tmp_path / 'workspace'} is damaged" in capsys.readouterr().out


def test_flipped_byte_in_the_checkpoint_starts_over(tmp_path, capsys, begun):
    shutil.copytree(begun, tmp_path, dirs_exist_ok=True)
    path = tmp_path / "workspace" / "checkpoint.npz"
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    train(tmp_path, PLAIN, shallow.build)
    assert "is damaged" in capsys.readouterr().out


def test_full_disk_names_the_snapshot_and_keeps_the_checkpoint(tmp_path):
    with small_disk(tmp_path / "disk", megabytes=8) as disk:
        whole = train(tmp_path, PLAIN, shallow.build)
        with interrupted(before_update(4)):
            train(disk, PLAIN, shallow.build)
        filler = disk / "filler"
        filler.write_bytes(bytes(shutil.disk_usage(disk).free - 2**20))
        with pytest.raises(OSError, match=r"No space left on device: '.*/snapshots/000006\.weights\.h5'"):
            train(disk, PLAIN, shallow.build)
        filler.unlink()
        assert_same(disk, train(disk, PLAIN, shallow.build), (whole, read_files(tmp_path / "model")))


def test_second_training_names_the_process_of_the_first(tmp_path):
    message = f"process {os.getpid()} is training in {tmp_path / 'workspace'}: wait for it, or end it with `kill "
    with checkpoint.lock(tmp_path / "workspace"):
        for _ in range(2):
            with pytest.raises(UserError, match=re.escape(message)), checkpoint.lock(tmp_path / "workspace"):
                pass
    with checkpoint.lock(tmp_path / "workspace"):
        pass


# Fingerprints


@pytest.fixture(scope="module")
def begun(tmp_path_factory):
    """A directory whose workspace holds a checkpoint of iteration 3 of ``PLAIN``."""
    directory = tmp_path_factory.mktemp("begun")
    with interrupted(before_update(4)):
        train(directory, PLAIN, shallow.build)
    return directory


def with_value(faces, part, place, value):
    arrays = {"images": faces.images.copy(), "labels": faces.labels.copy()}
    arrays[part][place] = value
    return LabeledImages(**arrays, rows=faces.rows)


@pytest.mark.parametrize(
    ("start", "changes"),
    [
        (3, {}),
        (3, {"recipe": change(PLAIN, time_budget=1000.0)}),
        (0, {"recipe": change(PLAIN, learning_rate=0.02)}),
        (0, {"recipe": change(PLAIN, precision="mixed_bfloat16")}),
        (0, {"recipe": change(PLAIN, seed=4)}),
        (0, {"recipe": change(PLAIN, iterations=12)}),
        (0, {"recipe": change(PLAIN, augmentation={"flip": 0.5})}),
        (0, {"build": wide.build}),
        (0, {"training": with_value(TRAINING, "images", (7, 3, 5), TRAINING.images[7, 3, 5] ^ 1)}),
        (0, {"training": with_value(TRAINING, "labels", 7, (TRAINING.labels[7] + 1) % 6)}),
        (0, {"validation": with_value(VALIDATION, "images", (7, 3, 5), VALIDATION.images[7, 3, 5] ^ 1)}),
        (0, {"validation": with_value(VALIDATION, "labels", 7, (VALIDATION.labels[7] + 1) % 6)}),
        (0, {"classes": CLASSES[::-1]}),
        (0, {"description": {"protocol": "official"}}),
    ],
    ids=[
        "nothing",
        "time budget",
        "learning rate",
        "precision",
        "seed",
        "iterations",
        "augmentation",
        "network",
        "training image",
        "training label",
        "validation image",
        "validation label",
        "classes",
        "description",
    ],
)
def test_resumes_only_the_same_training(tmp_path, monkeypatch, capsys, begun, start, changes):
    shutil.copytree(begun, tmp_path, dirs_exist_ok=True)
    starts = []
    monkeypatch.setattr(loop, "batches", lambda *arguments: starts.append(arguments[-1]) or interrupt())
    with pytest.raises(Interruption):
        train(tmp_path, **{"recipe": PLAIN, "build": shallow.build} | changes)
    assert starts == [start]
    restart = (
        f"starting over: the checkpoint in {tmp_path / 'workspace'} belongs to another network, recipe, data or code"
    )
    assert capsys.readouterr().out.strip() == ("resuming after iteration 3 of 6" if start else restart)


def test_other_code_trains_anew(tmp_path, monkeypatch, begun):
    shutil.copytree(begun, tmp_path, dirs_exist_ok=True)
    (tmp_path / "training").mkdir()
    (tmp_path / "training" / "checkpoint.py").write_text("another algorithm")
    monkeypatch.setattr(checkpoint, "__file__", str(tmp_path / "training" / "checkpoint.py"))
    starts = []
    monkeypatch.setattr(loop, "batches", lambda *arguments: starts.append(arguments[-1]) or interrupt())
    with pytest.raises(Interruption):
        train(tmp_path, PLAIN, shallow.build)
    assert starts == [0]


def test_nothing_of_another_training_reaches_the_model(tmp_path, reference):
    with interrupted(before_update(5)):
        train(tmp_path, change(EVERYTHING, seed=9, snapshot_every=3))
    assert (tmp_path / "workspace" / "snapshots" / "000003.weights.h5").exists()
    assert_same(tmp_path, train(tmp_path), reference)


# Time budgets


@pytest.fixture(scope="module")
def unlimited(tmp_path_factory):
    """History and model of ``EVERYTHING`` without a budget, with a snapshot at each validation."""
    directory = tmp_path_factory.mktemp("unlimited")
    history = train(directory, change(EVERYTHING, snapshot_every=3), build_normalized)
    return history, read_files(directory / "model")


@pytest.fixture
def minutes(monkeypatch):
    """A clock that each weight update advances by a minute: call it for the minutes since the start."""
    return run_clock(monkeypatch, seconds=60)


def train_for(budget, directory):
    return train(directory, change(EVERYTHING, time_budget=float(budget)), build_normalized)


def assert_model(directory, unlimited, iterations, budget):
    """The model is that of the training without a budget, except for the snapshots that it lacks."""
    files = read_files(directory / "model")
    names = {"architecture.json", *(f"{iteration:06d}.weights.h5" for iteration in iterations)}
    assert files.keys() == names | {"training.json"}
    assert {name: files[name] for name in names} == {name: unlimited[1][name] for name in names}
    recipe = snapshots.read_description(directory / "model")["recipe"]
    assert recipe == change(EVERYTHING, time_budget=float(budget)).model_dump(exclude_defaults=True)


@pytest.mark.parametrize(("budget", "kept"), [(3, [3]), (3.5, [6]), (8, [6, 9])])
def test_stops_at_the_first_validation_after_its_budget(tmp_path, minutes, unlimited, budget, kept):
    history = train_for(budget, tmp_path)
    assert minutes() == kept[-1]
    pd.testing.assert_frame_equal(history, unlimited[0][: kept[-1] // 3], check_exact=True)
    assert_model(tmp_path, unlimited, kept, budget)
    assert (tmp_path / "workspace" / "checkpoint.npz").exists()


@pytest.mark.parametrize("budget", [11.5, 1000])
def test_sufficient_budget_changes_nothing(tmp_path, minutes, unlimited, budget):
    history = train_for(budget, tmp_path)
    pd.testing.assert_frame_equal(history, unlimited[0], check_exact=True)
    assert_model(tmp_path, unlimited, [6, 12], budget)


@pytest.mark.parametrize("budgets", [(8, 0), (2, 8, 1000)], ids=str)
def test_larger_budgets_resume_to_the_same_bytes(tmp_path, capsys, minutes, unlimited, budgets):
    for budget in budgets[:-1]:
        ended = train_for(budget, tmp_path)["iteration"].iloc[-1]
        snapshot = f"{ended:06d}.weights.h5"
        assert read_files(tmp_path / "model")[snapshot] == unlimited[1][snapshot]
    assert ended == 9
    history = train_for(budgets[-1], tmp_path)
    assert "resuming after iteration 9 of 12" in capsys.readouterr().out
    assert minutes() == 12
    pd.testing.assert_frame_equal(history, unlimited[0], check_exact=True)
    assert_model(tmp_path, unlimited, [6, 12], budgets[-1])


def test_spent_budget_writes_the_same_model_without_training(tmp_path, monkeypatch, minutes, unlimited):
    first = train_for(8, tmp_path)
    monkeypatch.setattr(loop, "batches", interrupt)
    for budget in (8, 6):
        shutil.rmtree(tmp_path / "model")
        pd.testing.assert_frame_equal(train_for(budget, tmp_path), first, check_exact=True)
        assert_model(tmp_path, unlimited, [6, 9], budget)


def test_spent_budget_without_snapshot_trains_to_the_next(tmp_path, minutes, unlimited):
    with interrupted(before_update(5)):
        train_for(0, tmp_path)
    train_for(2, tmp_path)  # from the checkpoint of iteration 3, after three minutes and without a snapshot
    assert minutes() == 7  # four updates before the interruption, three after iteration 3
    assert_model(tmp_path, unlimited, [6], 2)


def test_time_of_an_interrupted_process_counts(tmp_path, minutes, unlimited):
    with interrupted(before_update(8)):
        train_for(8, tmp_path)
    train_for(8, tmp_path)  # from the checkpoint of iteration 6, six minutes after the start
    assert_model(tmp_path, unlimited, [6, 9], 8)
