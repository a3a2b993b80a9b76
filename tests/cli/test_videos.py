"""Videos: rows of frames, people who keep their numbers, annotated copies, timelines, and cameras."""

import csv
import os
import signal
import threading
import time

import cv2
import numpy as np
import pytest
from PIL import Image, ImageColor

from facial_expression.cli.annotation import COLORS
from facial_expression.cli.sources import camera_number
from facial_expression.cli.tracks import Tracks
from facial_expression.cli.videos import read_frames
from facial_expression.recognizer import Recognizer
from helpers.films import draw_frames, write_video
from helpers.photos import draw, encode, photograph
from helpers.served_model import CLASSES

FRAMES = 12


def write_film(path, frames, rate=10):
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), rate, frames[0].shape[::-1])
    for frame in frames:
        writer.write(cv2.cvtColor(frame, cv2.COLOR_GRAY2BGR))
    writer.release()
    return path


@pytest.fixture(scope="module")
def film(tmp_path_factory):
    """Two people side by side for twelve frames, in two of which one of them is hidden."""
    still = photograph(draw("happy", 0), draw("surprise", 2), side=140, size=(160, 320))
    frames = [np.roll(still, number, axis=1) for number in range(FRAMES)]
    for number in (5, 6):
        frames[number][:, 160:] = 150
    return write_film(tmp_path_factory.mktemp("film") / "film.avi", frames)


def read_rows(path):
    with open(path, newline="") as file:
        return list(csv.DictReader(file))


def test_rows_of_frames_have_number_time_and_person(predict, film, tmp_path):
    predict(film, "-o", tmp_path / "faces.csv")
    rows = read_rows(tmp_path / "faces.csv")
    assert [int(row["frame"]) for row in rows] == sorted(int(row["frame"]) for row in rows)
    assert {float(row["time"]) for row in rows} == {number / 10 for number in range(FRAMES)}
    assert {row["person"] for row in rows} == {"1", "2"}
    for person in ("1", "2"):
        seen = [row for row in rows if row["person"] == person]
        sides = {float(row["left"]) + float(row["width"]) / 2 > 165 for row in seen}
        assert len(sides) == 1, "a person changes places"
    people = {number: sum(int(row["frame"]) == number for row in rows) for number in range(FRAMES)}
    assert (people[5], people[6]) == (1, 1)
    assert people[4] == people[7] == 2


def test_frames_are_recognized_as_pictures(predict, film, tmp_path, model_directory):
    predict(film, "-o", tmp_path / "faces.csv")
    recognizer = Recognizer.load(model_directory)
    rows = iter(read_rows(tmp_path / "faces.csv"))
    for frame in read_frames(str(film)):
        for face in recognizer.recognize(cv2.cvtColor(frame.colors, cv2.COLOR_RGB2GRAY)):
            row = next(rows)
            assert (int(row["frame"]), float(row["left"])) == (frame.number, round(face.box[0], 2))
            assert [float(row[name]) for name in CLASSES] == [round(face.probabilities[name], 4) for name in CLASSES]
    assert next(rows, None) is None


def test_every_takes_some_frames(predict, film, tmp_path):
    predict(film, "--every", 5, "-o", tmp_path / "faces.csv")
    assert {row["frame"] for row in read_rows(tmp_path / "faces.csv")} == {"0", "5", "10"}


def test_workers_and_folders_do_not_change_the_rows_of_a_video(predict, start, film, photos, tmp_path):
    (tmp_path / "0.jpg").write_bytes((photos / "0.jpg").read_bytes())
    (tmp_path / "film.avi").write_bytes(film.read_bytes())
    (tmp_path / "late.png").write_bytes(encode(draw()))
    predict(tmp_path, "-o", tmp_path / "one.csv")
    process = start("predict", tmp_path, "-o", "two.csv", "--workers", 2, folder=tmp_path)
    assert process.wait() == 0, process.stderr.read()
    assert (tmp_path / "two.csv").read_bytes() == (tmp_path / "one.csv").read_bytes()
    names = [row["file"].rpartition("/")[2] for row in read_rows(tmp_path / "one.csv")]
    assert names == sorted(names)
    assert set(names) == {"0.jpg", "film.avi", "late.png"}


def test_reports_a_video_that_cannot_be_read(predict, tmp_path):
    (tmp_path / "film.mp4").write_bytes(b"no video")
    result = predict(tmp_path / "film.mp4", exit_code=3)
    assert "film.mp4: OpenCV cannot read it as a video" in result.stderr


def test_video_whose_name_is_not_unicode_is_reported(predict, tmp_path):
    """OpenCV would end the process."""
    (tmp_path / "happy.png").write_bytes(encode(photograph(draw("happy", 0))))
    try:
        (tmp_path / os.fsdecode(b"caf\xe9.mp4")).write_bytes(b"")
    except OSError:
        pytest.skip("this file system has only names in Unicode")
    result = predict(tmp_path, "--annotate", tmp_path / "shown", "-o", tmp_path / "faces.csv", exit_code=3)
    assert "OpenCV needs a name in UTF-8: rename the video" in result.stderr
    assert len(read_rows(tmp_path / "faces.csv")) == 1


def test_annotated_copies_show_boxes_in_the_color_of_the_emotion(predict, film, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "one.png").write_bytes(encode(photograph(draw("happy", 0))))
    (tmp_path / "in" / "film.avi").write_bytes(film.read_bytes())
    predict("in", "--annotate", "shown", "-o", "faces.csv")
    assert sorted(path.name for path in (tmp_path / "shown" / "in").iterdir()) == ["film.avi.webm", "one.png.jpg"]
    shown = np.asarray(Image.open("shown/in/one.png.jpg"))
    assert shown.shape == (480, 640, 3)
    (row,) = [row for row in read_rows("faces.csv") if row["file"] == "in/one.png"]
    edge = shown[round(float(row["top"]) + float(row["height"]) / 2), round(float(row["left"]))]
    assert np.abs(edge - np.array(ImageColor.getrgb(COLORS[row["emotion"]]))).max() < 30
    assert np.abs(shown[20, 20] - np.array(150)).max() < 10
    frames = list(read_frames("shown/in/film.avi.webm"))
    assert len(frames) == FRAMES
    for frame, plain in zip(frames, read_frames(str(film)), strict=True):
        assert frame.colors.shape == plain.colors.shape
        changed = (np.abs(frame.colors.astype(int) - plain.colors) > 60).any(axis=2)
        assert 0.01 < changed.mean() < 0.4


def test_interrupted_video_leaves_no_half_copy(start, tmp_path):
    write_video(tmp_path / "film.webm")
    process = start("predict", "film.webm", "-o", "faces.csv", "--annotate", "shown", "--workers", 1, folder=tmp_path)
    end = time.monotonic() + 60
    while not list(tmp_path.glob("shown/.partial-*")):
        assert time.monotonic() < end
        time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    process.communicate()
    assert process.returncode == 130
    assert list((tmp_path / "shown").iterdir()) == []


def test_timeline_is_a_plot_with_the_same_bytes_each_time(predict, film, tmp_path, monkeypatch):
    monkeypatch.chdir(film.parent)
    for folder in ("one", "two"):
        predict("film.avi", "--timeline", tmp_path / folder, "-o", tmp_path / f"{folder}.csv")
    one, two = (tmp_path / folder / "film.avi.png" for folder in ("one", "two"))
    assert one.read_bytes() == two.read_bytes()
    assert Image.open(one).size[0] == 1000


@pytest.mark.parametrize("name", ["sale$20%$.avi", "x$^$y.avi"])
def test_timeline_shows_any_name(predict, film, tmp_path, name):
    (tmp_path / name).write_bytes(film.read_bytes())
    predict(tmp_path / name, "--timeline", tmp_path / "plots", "--every", 6, "-o", tmp_path / "faces.csv")
    assert [path.name for path in (tmp_path / "plots").rglob("*.png")] == [f"{name}.png"]


def test_timeline_of_a_video_without_faces_says_so(predict, tmp_path):
    film = write_film(tmp_path / "film.avi", [np.full((100, 100), 90, np.uint8)] * 3)
    predict(film, "--timeline", tmp_path / "plots", "-o", tmp_path / "faces.csv")
    assert len(list((tmp_path / "plots").rglob("*.png"))) == 1


def test_people_keep_their_numbers_while_they_are_seen():
    tracks = Tracks()
    assert tracks.number([(0, 0, 10, 10), (50, 0, 10, 10)], 0.0) == [1, 2]
    assert tracks.number([(52, 1, 10, 10), (1, 1, 10, 10)], 0.1) == [2, 1]
    assert tracks.number([(2, 2, 10, 10)], 0.2) == [1]
    assert tracks.number([(53, 2, 10, 10), (80, 0, 5, 5)], 1.0) == [2, 3]
    assert tracks.number([(2, 2, 10, 10)], 1.3) == [4], "person 1 was away for more than a second"
    assert tracks.number([], 1.4) == []
    assert tracks.number([(2, 2, 10, 10), (3, 3, 9, 9)], 1.5) == [4, 5], "two faces are two people"


class Camera:
    """A camera that shows the same picture again and again."""

    def __init__(self, source):
        assert source in (0, 7)
        self.source = source

    def isOpened(self):
        return self.source == 0

    def grab(self):
        return True

    def retrieve(self):
        return True, cv2.cvtColor(draw_frames(1)[0], cv2.COLOR_GRAY2BGR)

    def get(self, _):
        return 0.0

    def release(self):
        pass


def test_camera_is_read_until_interrupted(predict, tmp_path, monkeypatch):
    monkeypatch.setattr("cv2.VideoCapture", Camera)
    previous = signal.getsignal(signal.SIGINT)
    threading.Timer(2, signal.raise_signal, [signal.SIGINT]).start()
    predict("camera:0", "-o", tmp_path / "faces.csv")
    rows = read_rows(tmp_path / "faces.csv")
    times = [float(row["time"]) for row in rows]
    assert len(rows) >= 1
    assert times == sorted(times)
    assert {row["file"] for row in rows} == {"camera:0"}
    assert {row["person"] for row in rows} == {"1"}
    assert signal.getsignal(signal.SIGINT) == previous


def test_missing_camera_is_reported(predict, monkeypatch):
    monkeypatch.setattr("cv2.VideoCapture", Camera)
    assert "camera:7: there is no such camera" in predict("camera:7", exit_code=3).stderr


def test_camera_is_a_name_that_no_file_has(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert [camera_number(name) for name in ("camera", "camera:2", "camera.mp4", "camera:x")] == [0, 2, None, None]
    (tmp_path / "camera").mkdir()
    assert camera_number("camera") is None
