"""Which files a command reads."""

import os

import pytest

from facial_expression.cli.sources import Sources, is_video
from facial_expression.errors import UserError


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("b.JPG", "a.png", "c/d.heic", "c/e/f.mp4", "c/a.txt", ".hidden/g.png", ".h.png", "c.webp/i.jpg"):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.touch()
    return tmp_path


def test_folder_gives_images_and_videos_in_order(folder):
    expected = ["a.png", "b.JPG", "c/d.heic", "c/e/f.mp4", "c.webp/i.jpg"]
    assert list(Sources(["."])) == [os.path.join(".", name) for name in expected]


def test_names_patterns_and_lists_are_taken_in_the_order_given(folder):
    sources = Sources(["c/a.txt", "**/*.png", "-", "c"], ["x.jpg\n", "\n", "with space.jpg\r\n"])
    expected = ["c/a.txt", "a.png", "x.jpg", "with space.jpg", "c/d.heic", "c/e/f.mp4"]
    assert list(sources) == list(sources) == expected


def test_argument_given_twice_counts_once(folder):
    assert list(Sources(["a.png", "b.JPG", "a.png"])) == ["a.png", "b.JPG"]


def test_file_with_the_characters_of_a_pattern_is_a_file(folder):
    (folder / "[1].png").touch()
    assert list(Sources(["[1].png"])) == ["[1].png"]


@pytest.mark.parametrize("argument", ["z.png", "c/*.png", "camera:x"])
def test_rejects_what_names_nothing(folder, argument):
    with pytest.raises(UserError, match=r"no such file or folder|no file matches"):
        Sources([argument])


def test_suffix_says_what_is_a_video():
    assert [is_video(name) for name in ("a.MP4", "a.mov", "a.gif", "mp4", "camera:1")] == [
        True,
        True,
        False,
        False,
        True,
    ]
