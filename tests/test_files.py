"""Atomic writing of files and directories, JSON files, and checksums."""

import errno
import gzip
import json
import os
from pathlib import Path

import pytest

from facial_expression.errors import UserError
from facial_expression.files import atomic_write, read_json, remove, sha256, write_json


def write(path: Path, text: str) -> None:
    path.write_text(text, encoding="utf-8")


def write_tree(path: Path, **files: str) -> None:
    path.mkdir()
    for name, text in files.items():
        write(path / name, text)


def fail_halfway(destination: Path, error: type[BaseException] = RuntimeError) -> None:
    with atomic_write(destination) as temporary:
        if destination.suffix:
            write(temporary, "half")
        else:
            write_tree(temporary, one="half")
        raise error


def files_in(folder: Path) -> dict[str, str]:
    """Content of every file below a folder, including hidden ones."""
    return {str(path.relative_to(folder)): path.read_text() for path in sorted(folder.rglob("*")) if path.is_file()}


def test_file_appears_at_end_of_block(tmp_path):
    with atomic_write(tmp_path / "report.json") as temporary:
        write(temporary, "new")
        assert not (tmp_path / "report.json").exists()
    assert files_in(tmp_path) == {"report.json": "new"}


def test_directory_appears_at_end_of_block(tmp_path):
    with atomic_write(tmp_path / "faces") as temporary:
        write_tree(temporary, one="1", two="2")
        assert not (tmp_path / "faces").exists()
    assert files_in(tmp_path) == {"faces/one": "1", "faces/two": "2"}


def test_creates_missing_parent_folders(tmp_path):
    with atomic_write(str(tmp_path / "reports" / "study-6" / "models.json")) as temporary:
        write(temporary, "new")
    assert files_in(tmp_path) == {"reports/study-6/models.json": "new"}


def test_replaces_file(tmp_path):
    write(tmp_path / "report.json", "old")
    with atomic_write(tmp_path / "report.json") as temporary:
        write(temporary, "new")
    assert files_in(tmp_path) == {"report.json": "new"}


def test_replaces_whole_directory(tmp_path):
    write_tree(tmp_path / "faces", one="old", stale="old")
    with atomic_write(tmp_path / "faces") as temporary:
        write_tree(temporary, one="new")
    assert files_in(tmp_path) == {"faces/one": "new"}


def test_directory_replaces_file(tmp_path):
    write(tmp_path / "faces", "old")
    with atomic_write(tmp_path / "faces") as temporary:
        write_tree(temporary, one="new")
    assert files_in(tmp_path) == {"faces/one": "new"}


def test_file_never_replaces_directory(tmp_path):
    write_tree(tmp_path / "faces", one="old")
    with pytest.raises(OSError, match="faces"), atomic_write(tmp_path / "faces") as temporary:
        write(temporary, "new")
    assert files_in(tmp_path) == {"faces/one": "old"}


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt])
def test_failing_block_keeps_old_file(tmp_path, error):
    write(tmp_path / "report.json", "old")
    with pytest.raises(error):
        fail_halfway(tmp_path / "report.json", error)
    assert files_in(tmp_path) == {"report.json": "old"}


def test_failing_block_keeps_old_directory(tmp_path):
    write_tree(tmp_path / "faces", one="old", two="old")
    with pytest.raises(RuntimeError):
        fail_halfway(tmp_path / "faces")
    assert files_in(tmp_path) == {"faces/one": "old", "faces/two": "old"}


@pytest.mark.parametrize("renaming", [1, 2])
def test_interrupted_renaming_keeps_old_directory(tmp_path, monkeypatch, renaming):
    write_tree(tmp_path / "faces", one="old")
    calls = []

    def replace(source, target):
        calls.append(source)
        if len(calls) == renaming:
            raise KeyboardInterrupt
        rename(source, target)

    rename = os.replace
    monkeypatch.setattr(os, "replace", replace)
    with pytest.raises(KeyboardInterrupt), atomic_write(tmp_path / "faces") as temporary:
        write_tree(temporary, one="new")
    assert files_in(tmp_path) == {"faces/one": "old"}


def test_interrupted_removal_of_the_old_directory_keeps_the_new_one(tmp_path, monkeypatch):
    write_tree(tmp_path / "faces", one="old")

    def interrupt(path):
        raise KeyboardInterrupt

    monkeypatch.setattr("shutil.rmtree", interrupt)
    with pytest.raises(KeyboardInterrupt), atomic_write(tmp_path / "faces") as temporary:
        write_tree(temporary, one="new")
    assert files_in(tmp_path / "faces") == {"one": "new"}


def test_failing_block_leaves_nothing_behind(tmp_path):
    with pytest.raises(RuntimeError):
        fail_halfway(tmp_path / "faces")
    assert list(tmp_path.iterdir()) == []


def test_block_must_create_something(tmp_path):
    write(tmp_path / "report.json", "old")
    with pytest.raises(FileNotFoundError, match=r"report\.json"), atomic_write(tmp_path / "report.json"):
        pass
    assert files_in(tmp_path) == {"report.json": "old"}


def test_ignores_leftovers_of_killed_process(tmp_path):
    with atomic_write(tmp_path / "faces") as temporary:
        write_tree(temporary, one="new")
    leftover = temporary
    write_tree(leftover, stale="half")
    with atomic_write(tmp_path / "faces") as temporary:
        assert not temporary.exists()
        write_tree(temporary, two="new")
    assert temporary == leftover
    assert files_in(tmp_path) == {"faces/two": "new"}


def test_replaces_link_and_keeps_its_target(tmp_path):
    write_tree(tmp_path / "cache", one="old")
    (tmp_path / "faces").symlink_to("cache")
    with atomic_write(tmp_path / "faces") as temporary:
        write_tree(temporary, one="new")
    assert not (tmp_path / "faces").is_symlink()
    assert (tmp_path / "faces" / "one").read_text() == "new"
    assert (tmp_path / "cache" / "one").read_text() == "old"


def test_removes_files_trees_and_links_but_no_targets(tmp_path):
    write(tmp_path / "file", "old")
    write_tree(tmp_path / "tree", one="old")
    write_tree(tmp_path / "target", one="old")
    (tmp_path / "link").symlink_to("target")
    for name in ("file", "tree", "link", "absent"):
        remove(tmp_path / name)
    assert files_in(tmp_path) == {"target/one": "old"}


CONTENT = {"model": "small", "recall": {"sad": 0.5, "angry": None}, "rows": [1, 2], "emoji": "😠"}


def test_json_survives_round_trip_in_order(tmp_path):
    write_json(tmp_path / "reports" / "models.json", CONTENT)
    read = read_json(tmp_path / "reports" / "models.json", "dvc repro evaluate")
    assert read == CONTENT
    assert list(read) == list(CONTENT)


def test_json_is_indented_with_unix_line_ends(tmp_path):
    write_json(tmp_path / "models.json", {"b": 1, "a": [0.1]})
    assert (tmp_path / "models.json").read_bytes() == b'{\n  "b": 1,\n  "a": [\n    0.1\n  ]\n}\n'


@pytest.mark.parametrize("number", [float("nan"), float("inf")])
def test_rejects_numbers_that_json_lacks(tmp_path, number):
    write(tmp_path / "models.json", "old")
    with pytest.raises(ValueError, match="JSON compliant"):
        write_json(tmp_path / "models.json", {"accuracy": number})
    assert files_in(tmp_path) == {"models.json": "old"}


def test_missing_json_error_names_command(tmp_path):
    with pytest.raises(UserError, match=r"models\.json is missing: run `dvc repro evaluate`"):
        read_json(tmp_path / "models.json", "dvc repro evaluate")


@pytest.mark.parametrize("content", [b"", json.dumps(CONTENT).encode()[:-1], b"\xff\xfe", b"<html>"])
def test_damaged_json_error_names_file_and_command(tmp_path, content):
    (tmp_path / "models.json").write_bytes(content)
    with pytest.raises(UserError, match=r"models\.json is not valid JSON \(.*\): run `dvc repro evaluate`"):
        read_json(tmp_path / "models.json", "dvc repro evaluate")


def test_sha256_matches_known_value(tmp_path):
    (tmp_path / "file").write_bytes(b"abc")
    assert sha256(tmp_path / "file") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"


def test_disk_errors_name_what_was_to_be_written(tmp_path):
    with pytest.raises(OSError, match=r"No space left on device: '.*faces'"), atomic_write(tmp_path / "faces") as path:
        raise OSError(errno.ENOSPC, "no space", str(path / "images.npy"))
    with pytest.raises(OSError, match=r"No space left on device: '.*faces'"), atomic_write(tmp_path / "faces"):
        raise OSError("1000 requested and 20 written")  # NumPy's
    assert list(tmp_path.iterdir()) == []


def test_disk_errors_of_other_files_keep_their_names(tmp_path):
    with pytest.raises(FileNotFoundError, match="absent"), atomic_write(tmp_path / "faces"):
        (tmp_path / "absent").read_bytes()
    with pytest.raises(gzip.BadGzipFile, match="not gzip"), atomic_write(tmp_path / "faces"):
        raise gzip.BadGzipFile("not gzip")
