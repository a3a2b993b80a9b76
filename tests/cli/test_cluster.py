"""Dask: the rows of a scheduler's workers are those of one process, also if one of them is killed in the middle."""

import time

import pytest

from facial_expression.errors import UserError
from helpers.dask_cluster import running_cluster
from helpers.films import write_video
from helpers.photos import draw, encode, photograph

pytest.importorskip("distributed")


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    with running_cluster(tmp_path_factory.mktemp("cluster")) as cluster:
        yield cluster


@pytest.fixture(scope="module")
def pictures(tmp_path_factory):
    """Pictures for five chunks, a video, and a file that cannot be read."""
    folder = tmp_path_factory.mktemp("pictures")
    data = [
        encode(photograph(draw(emotion, 1), side=90, size=(110, 120)), "JPEG") for emotion in ("happy", "sad", "fear")
    ]
    for number in range(130):
        (folder / f"{number:03d}.jpg").write_bytes(data[number % 3])
    (folder / "020-broken.jpg").write_bytes(b"no picture")
    write_video(folder / "film.webm")
    return folder


def test_killed_worker_loses_nothing(predict, start, cluster, pictures, tmp_path):
    predict(pictures, "-o", tmp_path / "one.csv", exit_code=3)
    process = start("predict", pictures, "-o", "three.csv", "--scheduler", cluster.address, folder=tmp_path)
    journal, end = tmp_path / "three.csv.journal", time.monotonic() + 120
    while not journal.exists() or journal.read_bytes().count(b"\n") < 3:
        assert process.poll() is None, process.stderr.read()
        assert time.monotonic() < end, "the workers do not make progress"
        time.sleep(0.01)
    cluster.kill_worker()
    assert process.wait(120) == 3, process.stderr.read()
    assert (tmp_path / "three.csv").read_bytes() == (tmp_path / "one.csv").read_bytes()


def test_address_without_scheduler_is_named(predict, photos, free_port, monkeypatch):
    monkeypatch.setattr("facial_expression.parallel.CONNECT_SECONDS", 1)
    with pytest.raises(UserError, match=r"tcp://127\.0\.0\.1:1: no scheduler answers there"):
        predict(photos, "--scheduler", "tcp://127.0.0.1:1", workers=None)


def test_workers_and_scheduler_exclude_each_other(predict, photos):
    with pytest.raises(UserError, match="choose one"):
        predict(photos, "--scheduler", "tcp://127.0.0.1:1")
