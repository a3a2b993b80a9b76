"""Annotated copies and timelines replace nothing that is read, and are not read themselves."""

import os

import pytest

from facial_expression.cli.copies import check_copies, copy_of, timeline_of
from facial_expression.errors import UserError
from helpers.photos import draw, encode


@pytest.mark.parametrize(
    ("file", "copy"),
    [
        ("a/x.jpg", "shown/a/x.jpg"),
        ("/a/x.JPG", "shown/a/x.JPG"),
        ("../a/x.png", "shown/a/x.png.jpg"),
        ("film.mp4", "shown/film.mp4.webm"),
        ("s3://bucket/x.jpg", "shown/s3:/bucket/x.jpg"),
    ],
)
def test_copy_has_the_path_of_its_file(file, copy):
    assert copy_of(file, "shown").as_posix() == copy


def test_timeline_is_a_picture():
    assert timeline_of("a/film.mp4", "plots").as_posix() == "plots/a/film.mp4.png"


@pytest.mark.parametrize(
    ("files", "folder", "message"),
    [
        (["a.jpg"], ".", r"^a\.jpg would be replaced by a copy: choose another folder for copies$"),
        (["film.webm"], ".", "^film.webm would be replaced"),
        (["../in/a.jpg"], "..", "^../in/a.jpg would be replaced"),
        (["a.png", "a.png.jpg"], ".", "already written for another file"),
        (["a/x.jpg", "../a/x.jpg"], "shown", "^../a/x.jpg: shown/a/x.jpg is already written for another file"),
    ],
)
def test_copy_that_would_replace_a_file_is_an_error(tmp_path, monkeypatch, files, folder, message):
    (tmp_path / "in").mkdir()
    monkeypatch.chdir(tmp_path / "in")
    with pytest.raises(UserError, match=message):
        check_copies(files, folder, None)


def test_timeline_that_would_replace_a_picture_is_an_error(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    check_copies(["a.png", "film.mp4"], None, ".")
    with pytest.raises(UserError, match=r"^film\.mp4\.png would be replaced"):
        check_copies(["film.mp4.png", "film.mp4"], None, ".")


def test_different_copies_are_allowed(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    check_copies(["a.jpg", "b/a.jpg", "a.mp4"], "shown", "shown")


def test_command_keeps_the_photo_that_a_copy_would_replace(predict, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "happy.jpg").write_bytes(photo := encode(draw(), "JPEG"))
    with pytest.raises(UserError, match=r"happy\.jpg would be replaced by a copy"):
        predict("happy.jpg", "--annotate", os.curdir)
    assert [path.name for path in tmp_path.iterdir()] == ["happy.jpg"]
    assert (tmp_path / "happy.jpg").read_bytes() == photo


@pytest.mark.parametrize("source", ["photos", "photos/**/*.jpg"])
def test_copies_below_the_folder_are_not_read(predict, tmp_path, monkeypatch, source):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "photos").mkdir()
    for name in ("a.jpg", "z.jpg"):
        (tmp_path / "photos" / name).write_bytes(encode(draw(), "JPEG"))
    rows = [predict(source, "--annotate", "photos/copies", "--whole-picture").stdout for _ in range(2)]
    assert rows[0] == rows[1]
    assert sorted(path.name for path in (tmp_path / "photos/copies/photos").iterdir()) == ["a.jpg", "z.jpg"]


def test_folder_of_copies_cannot_be_searched(predict, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "photos").mkdir()
    with pytest.raises(UserError, match=r"^photos cannot be searched and written to"):
        predict("photos", "--annotate", "photos")
