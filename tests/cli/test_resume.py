"""An interrupted command goes on where it ended, at whatever moment that was, and gives the same bytes."""

import json
import os
import signal
import time
from pathlib import Path

import psutil
import pytest
from zc.lockfile import LockFile

from facial_expression.cli import output
from facial_expression.cli.output import Unreadable, open_resumable
from facial_expression.cli.tables import csv_lines, json_lines
from facial_expression.errors import UserError
from helpers.photos import draw, encode

SETTINGS = {"model": "abc", "every": 1}
FILES = [f"{number}.jpg" for number in range(5)]


def write(path: Path, *, files=FILES, settings=SETTINGS, lines=csv_lines, overwrite=False, fail_after=None) -> list:
    """Write two rows per file, in chunks of two files; return the files that were not done yet."""
    written = []
    with open_resumable(path, lines(["file", "row"]), settings, overwrite, Path.replace) as output:
        remaining = list(output.skip_done(files))
        for start in range(0, len(remaining), 2):
            chunk = remaining[start : start + 2]
            for file in chunk:
                if len(written) == fail_after:
                    raise KeyboardInterrupt
                output.write([[file, 1], [file, 2]])
                written.append(file)
            output.finish(chunk, [Unreadable(file, "damaged") for file in chunk if file == "1.jpg"])
        assert output.unreadable == [("1.jpg", "damaged")]
    return written


@pytest.fixture
def complete(tmp_path):
    (tmp_path / "elsewhere").mkdir()
    write(tmp_path / "elsewhere" / "faces.csv")
    return (tmp_path / "elsewhere" / "faces.csv").read_bytes()


@pytest.mark.parametrize("done", range(5))
@pytest.mark.parametrize("lines", [csv_lines, json_lines])
def test_goes_on_after_the_last_complete_chunk(tmp_path, done, lines):
    path = tmp_path / "faces.csv"
    with pytest.raises(KeyboardInterrupt):
        write(path, lines=lines, fail_after=done)
    assert not path.exists()
    assert write(path, lines=lines) == FILES[done // 2 * 2 :]
    whole = tmp_path / "whole.csv"
    write(whole, lines=lines)
    assert path.read_bytes() == whole.read_bytes()
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["faces.csv", "whole.csv"]


def test_goes_on_from_every_byte_of_the_journal(tmp_path, complete):
    """A kill may leave half a line in the journal, and rows that it does not know."""
    path = tmp_path / "faces.csv"
    with pytest.raises(KeyboardInterrupt):
        write(path, fail_after=4)
    partial, journal = (Path(f"{path}.{suffix}") for suffix in ("partial", "journal"))
    rows, notes = partial.read_bytes(), journal.read_bytes()
    assert notes.count(b"\n") == 4
    for length in range(len(notes) + 1):
        partial.write_bytes(rows + b"half a ro")
        journal.write_bytes(notes[:length])
        write(path)
        assert path.read_bytes() == complete
        path.unlink()


def test_refuses_to_go_on_with_other_settings_or_files(tmp_path, complete):
    path = tmp_path / "faces.csv"
    with pytest.raises(KeyboardInterrupt):
        write(path, fail_after=3)
    for changes, message in (
        ({"settings": SETTINGS | {"every": 2}}, "was begun with other options or another model"),
        ({"files": ["0.jpg", "new.jpg", *FILES[1:]]}, "was begun with other files"),
        ({"files": FILES[:1]}, "was begun with other files"),
    ):
        with pytest.raises(UserError, match=rf"faces\.csv\.partial {message}: add --overwrite to start anew"):
            write(path, **changes)
    assert write(path, overwrite=True) == FILES
    assert path.read_bytes() == complete


def test_names_a_partial_file_that_lost_bytes(tmp_path):
    path = tmp_path / "faces.csv"
    with pytest.raises(KeyboardInterrupt):
        write(path, fail_after=3)
    os.truncate(f"{path}.partial", 3)
    with pytest.raises(UserError, match="shorter than its journal says"):
        write(path)


def test_keeps_a_finished_file_unless_told(tmp_path, complete):
    path = tmp_path / "faces.csv"
    path.write_bytes(b"mine")
    with pytest.raises(UserError, match="exists: choose another name, or add --overwrite"):
        write(path)
    with pytest.raises(KeyboardInterrupt):
        write(path, overwrite=True, fail_after=3)
    assert path.read_bytes() == b"mine"
    write(path, overwrite=True)
    assert path.read_bytes() == complete


def test_two_commands_do_not_write_one_file(tmp_path):
    path = tmp_path / "faces.csv"
    with open_resumable(path, csv_lines([]), SETTINGS, False, Path.replace):
        with pytest.raises(UserError, match=r"another command is writing .*faces\.csv: wait for it"):
            write(path)
        assert Path(f"{path}.partial").exists()


def test_lock_that_another_command_took_over_is_respected(tmp_path, monkeypatch):
    """Between opening the file and locking it, the command that held it may have removed it."""
    path = tmp_path / "faces.csv"

    def lock(name):
        held = LockFile(name)
        Path(name).unlink()
        Path(name).write_text(" 1\n")
        return held

    monkeypatch.setattr(output, "LockFile", lock)
    with pytest.raises(UserError, match="another command is writing"):
        write(path)
    assert Path(f"{path}.lock").read_text() == " 1\n"


@pytest.fixture
def many(tmp_path):
    folder = tmp_path / "many"
    folder.mkdir()
    data = [encode(draw(emotion, 1)) for emotion in ("happy", "sad", "fear")]
    for number in range(150):
        (folder / f"{number:03d}.png").write_bytes(data[number % 3])
    (folder / "000-broken.png").write_bytes(b"no picture")
    return folder


def wait_for_chunks(path: Path, count: int) -> None:
    journal, end = Path(f"{path}.journal"), time.monotonic() + 120
    while not journal.exists() or journal.read_bytes().count(b"\n") < count + 2:
        assert time.monotonic() < end, "the command does not make progress"
        time.sleep(0.01)


def test_killed_command_goes_on_to_the_same_bytes(start, predict, many, tmp_path):
    predict(many, "-o", tmp_path / "whole.csv", exit_code=3)
    words = ["predict", "many", "-o", "faces.csv", "--workers", 2]
    process = start(*words, folder=tmp_path)
    wait_for_chunks(tmp_path / "faces.csv", 2)
    workers = psutil.Process(process.pid).children(recursive=True)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert not (tmp_path / "faces.csv").exists()
    _, alive = psutil.wait_procs(workers, timeout=30)
    for worker in alive:
        worker.kill()
    assert alive == [], "worker processes outlive their command"
    done = json.loads(Path(f"{tmp_path}/faces.csv.journal").read_bytes().splitlines()[-1])["state"][0]
    again = start(*words, folder=tmp_path)
    _, messages = again.communicate()
    assert again.returncode == 3, messages
    assert f"going on after the first {done} files" in messages
    assert "1 file could not be read" in messages  # also if that was before the kill
    expected = (tmp_path / "whole.csv").read_text().replace(f"{tmp_path.as_posix()}/", "")
    assert (tmp_path / "faces.csv").read_text() == expected


@pytest.mark.parametrize(("sent", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_interrupted_command_says_how_to_go_on(start, many, tmp_path, sent, code):
    process = start("predict", "many", "-o", "faces.csv", "--workers", 1, folder=tmp_path)
    wait_for_chunks(tmp_path / "faces.csv", 1)
    process.send_signal(sent)
    _, messages = process.communicate()
    assert process.returncode == code
    assert messages.splitlines()[-1] == "interrupted. The same command goes on where this one ended."
    assert "Traceback" not in messages
    assert not (tmp_path / "faces.csv").exists()
