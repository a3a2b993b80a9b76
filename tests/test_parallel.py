"""Dask: the results of a scheduler's workers are those of one process, also if one of them is killed in the middle."""

import hashlib
import os
import shutil
import sys

import numpy as np
import pandas as pd
import pytest

from facial_expression import parallel
from facial_expression.data.labels import Labels
from facial_expression.data.synthetic import draw_face
from facial_expression.emotions import NAMES
from facial_expression.errors import UserError
from facial_expression.faces.align_table import detect_faces
from facial_expression.faces.detection import DetectionPass
from facial_expression.photo_table import cut_faces
from helpers.dask_cluster import running_cluster
from helpers.photos import draw, encode, photograph
from helpers.project import ROOT

pytest.importorskip("distributed")

PASSES = (DetectionPass(),)


class Killing:
    """Pictures, of which the n-th slice makes something happen first."""

    def __init__(self, pictures, at, happen):
        self.pictures, self.left, self.happen = pictures, at, happen

    def __len__(self):
        return len(self.pictures)

    def __getitem__(self, index):
        self.left -= 1
        if self.left == 0:
            self.happen()
        return self.pictures[index]


def same_face(one, other):
    return one is other or (one.score == other.score and np.array_equal(one.landmarks, other.landmarks))


def test_killed_worker_changes_no_detected_face(tmp_path, monkeypatch):
    monkeypatch.setattr("facial_expression.faces.align_table._BATCH", 4)
    pictures = np.stack([draw_face(NAMES[n % 7], np.random.default_rng(n)) for n in range(80)])
    expected = detect_faces(pictures, PASSES, 1, workers=1, progress=False)
    assert sum(face is not None for face in expected) > 20
    with running_cluster(tmp_path) as cluster:
        watched = Killing(pictures, 12, cluster.kill_worker)  # eight batches are sent before the first is needed
        found = detect_faces(watched, PASSES, 1, scheduler=cluster.address, progress=False)
    assert watched.left <= 0
    assert len(found) == len(expected)
    assert all(map(same_face, found, expected))


def test_killed_worker_changes_no_face_cut_from_photos(tmp_path, monkeypatch):
    monkeypatch.setattr("facial_expression.photo_table._BATCH", 1)
    rows = []
    for number in range(24):
        file = tmp_path / f"{number}.jpg"
        file.write_bytes(encode(photograph(draw("happy", number), side=120, size=(160, 200)), "JPEG"))
        rows.append(
            {
                "file": file.name,
                "label": "happy",
                "usage": "Training",
                "md5": hashlib.md5(file.read_bytes()).hexdigest(),
            }
        )
    pictures, labels = pd.DataFrame(rows), Labels(NAMES, "fer2013", {})
    expected = cut_faces(pictures, tmp_path, labels, PASSES, 48, workers=1, progress=False)
    results, killed = [], []

    def map_and_kill(executor, function, items, ahead):
        for result in original(executor, function, items, ahead):
            results.append(result)
            if len(results) == 3:
                killed.append(cluster.kill_worker())
            yield result

    original = parallel.map_in_order
    monkeypatch.setattr(parallel, "map_in_order", map_and_kill)
    with running_cluster(tmp_path) as cluster:
        cut = cut_faces(pictures, tmp_path, labels, PASSES, 48, scheduler=cluster.address, progress=False)
    assert killed
    assert len(results) == 24
    np.testing.assert_array_equal(cut.table.images, expected.table.images)
    pd.testing.assert_frame_equal(cut.table.faces, expected.table.faces)


def copy_package(folder):
    """A copy of the package with other code."""
    other = folder / "other"
    shutil.copytree(ROOT / "facial_expression", other / "facial_expression", ignore=shutil.ignore_patterns("*.pyc"))
    with (other / "facial_expression" / "emotions.py").open("a") as file:
        file.write("# changed\n")
    return other


def test_worker_with_another_version_is_named(tmp_path):
    with running_cluster(tmp_path, workers=1, package=copy_package(tmp_path)) as cluster:
        expected = r"^the worker tcp://127\.0\.0\.1:\d+ has another version of facial-expression: install the same"
        with pytest.raises(UserError, match=expected):
            list(parallel.run_parallel(str, [1], scheduler=cluster.address))


def test_worker_that_comes_later_is_prepared(tmp_path, monkeypatch):
    monkeypatch.setenv("OPENCV_IPP", "avx2")
    with running_cluster(tmp_path, workers=1) as cluster, parallel.connect(cluster.address) as (executor, _):
        assert executor.submit(os.getenv, "OPENCV_IPP").result() == "avx2"
        cluster.start_worker(OPENCV_IPP="sse42")
        cluster.kill_worker()
        assert executor.submit(os.getenv, "OPENCV_IPP").result() == "avx2"


def test_worker_with_another_version_that_comes_later_is_named(tmp_path):
    other = copy_package(tmp_path)
    with running_cluster(tmp_path, workers=1) as cluster, parallel.connect(cluster.address) as (executor, _):
        cluster.start_worker(PYTHONPATH=str(other))
        cluster.kill_worker()
        with pytest.raises(UserError, match=r"^a worker on \S+ has another version of facial-expression"):
            executor.submit(abs, 1).result()


def test_scheduler_without_workers_is_named(tmp_path):
    with (
        running_cluster(tmp_path, workers=0) as cluster,
        pytest.raises(UserError, match="the scheduler has no workers"),
    ):
        list(parallel.run_parallel(str, [1], scheduler=cluster.address))


def test_workers_without_the_package_are_named(tmp_path):
    if "site-packages" in parallel.__file__:
        pytest.skip("the package is installed, so every worker has it")
    expected = pytest.raises(UserError, match="its workers cannot import the package")
    with running_cluster(tmp_path, workers=1, package=None) as cluster, expected:
        list(parallel.run_parallel(str, [1], scheduler=cluster.address))


def test_worker_takes_over_what_opencv_reads(monkeypatch):
    monkeypatch.delenv("OPENCV_IPP", raising=False)
    monkeypatch.delitem(sys.modules, "cv2")
    assert parallel.prepare_worker(parallel.package_digest(), {"OPENCV_IPP": "avx2"}) is None
    assert os.environ["OPENCV_IPP"] == "avx2"
    monkeypatch.setenv("OPENCV_IPP", "sse42")
    monkeypatch.setitem(sys.modules, "cv2", None)
    problem = parallel.prepare_worker(parallel.package_digest(), {"OPENCV_IPP": "avx2"})
    assert problem == "has loaded OpenCV: restart it with OPENCV_IPP=avx2"
