"""Written completely or not at all: files, directories, and blocks that fail."""

from pathlib import Path

import pytest

from facial_expression.atomic import replacing


def write(path: Path, text: str) -> None:
    path.write_text(text, encoding="utf-8")


def write_tree(path: Path, **files: str) -> None:
    path.mkdir()
    for name, text in files.items():
        write(path / name, text)


def fail_half_way(destination: Path, error: type[BaseException] = RuntimeError) -> None:
    with replacing(destination) as temporary:
        if destination.suffix:
            write(temporary, "half")
        else:
            write_tree(temporary, one="half")
        raise error


def files_in(folder: Path) -> dict[str, str]:
    """Every file below a folder, hidden ones too, and its content."""
    return {str(path.relative_to(folder)): path.read_text() for path in sorted(folder.rglob("*")) if path.is_file()}


def test_a_file_appears_when_the_block_ends(tmp_path):
    with replacing(tmp_path / "report.json") as temporary:
        write(temporary, "new")
        assert not (tmp_path / "report.json").exists()
    assert files_in(tmp_path) == {"report.json": "new"}


def test_a_directory_appears_when_the_block_ends(tmp_path):
    with replacing(tmp_path / "faces") as temporary:
        write_tree(temporary, one="1", two="2")
        assert not (tmp_path / "faces").exists()
    assert files_in(tmp_path) == {"faces/one": "1", "faces/two": "2"}


def test_missing_folders_above_are_made(tmp_path):
    with replacing(str(tmp_path / "reports" / "published" / "metrics.json")) as temporary:
        write(temporary, "new")
    assert files_in(tmp_path) == {"reports/published/metrics.json": "new"}


def test_a_file_is_replaced(tmp_path):
    write(tmp_path / "report.json", "old")
    with replacing(tmp_path / "report.json") as temporary:
        write(temporary, "new")
    assert files_in(tmp_path) == {"report.json": "new"}


def test_a_directory_is_replaced_as_a_whole(tmp_path):
    write_tree(tmp_path / "faces", one="old", stale="old")
    with replacing(tmp_path / "faces") as temporary:
        write_tree(temporary, one="new")
    assert files_in(tmp_path) == {"faces/one": "new"}


def test_a_directory_replaces_a_file(tmp_path):
    write(tmp_path / "faces", "old")
    with replacing(tmp_path / "faces") as temporary:
        write_tree(temporary, one="new")
    assert files_in(tmp_path) == {"faces/one": "new"}


def test_a_file_never_wipes_a_directory(tmp_path):
    write_tree(tmp_path / "faces", one="old")
    with pytest.raises(OSError, match="faces"), replacing(tmp_path / "faces") as temporary:
        write(temporary, "new")
    assert files_in(tmp_path) == {"faces/one": "old"}


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt])
def test_a_block_that_fails_leaves_the_old_file_alone(tmp_path, error):
    write(tmp_path / "report.json", "old")
    with pytest.raises(error):
        fail_half_way(tmp_path / "report.json", error)
    assert files_in(tmp_path) == {"report.json": "old"}


def test_a_block_that_fails_leaves_the_old_directory_alone(tmp_path):
    write_tree(tmp_path / "faces", one="old", two="old")
    with pytest.raises(RuntimeError):
        fail_half_way(tmp_path / "faces")
    assert files_in(tmp_path) == {"faces/one": "old", "faces/two": "old"}


def test_a_block_that_fails_leaves_nothing_where_nothing_was(tmp_path):
    with pytest.raises(RuntimeError):
        fail_half_way(tmp_path / "faces")
    assert list(tmp_path.iterdir()) == []


def test_a_block_that_creates_nothing_is_an_error(tmp_path):
    write(tmp_path / "report.json", "old")
    with pytest.raises(FileNotFoundError, match=r"report\.json"), replacing(tmp_path / "report.json"):
        pass
    assert files_in(tmp_path) == {"report.json": "old"}


def test_what_a_killed_run_left_behind_is_not_mixed_in(tmp_path):
    with replacing(tmp_path / "faces") as temporary:
        write_tree(temporary, one="new")
    left_behind = temporary
    write_tree(left_behind, stale="half")
    with replacing(tmp_path / "faces") as temporary:
        assert not temporary.exists()
        write_tree(temporary, two="new")
    assert temporary == left_behind
    assert files_in(tmp_path) == {"faces/two": "new"}


def test_a_link_is_replaced_and_what_it_points_to_stays(tmp_path):
    write_tree(tmp_path / "cache", one="old")
    (tmp_path / "faces").symlink_to("cache")
    with replacing(tmp_path / "faces") as temporary:
        write_tree(temporary, one="new")
    assert not (tmp_path / "faces").is_symlink()
    assert (tmp_path / "faces" / "one").read_text() == "new"
    assert (tmp_path / "cache" / "one").read_text() == "old"
