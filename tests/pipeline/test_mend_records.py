"""What a DVC that was killed while it wrote leaves behind is mended, and nothing else is touched."""

import shutil
import subprocess

import pytest

from helpers.project import ROOT, git
from stages._stage import LOCK_COPY
from tools.mend_records import is_cut_off, mend

LOCK = (ROOT / "dvc.lock").read_text()
WHOLE = LOCK[: LOCK.index("  align:")]


@pytest.fixture
def repository(tmp_path):
    git(tmp_path, "init", "--quiet")
    (tmp_path / "dvc.lock").write_text(WHOLE)
    git(tmp_path, "add", "dvc.lock")
    git(tmp_path, "commit", "--quiet", "--message", "Record")
    return tmp_path


def test_whole_records_stay(repository):
    lock = repository / "dvc.lock"
    lock.write_text(LOCK)
    rwlock = repository / ".dvc/tmp/rwlock"
    rwlock.parent.mkdir(parents=True)
    rwlock.write_text("{}")
    assert mend(repository) == []
    assert (lock.read_text(), rwlock.read_text()) == (LOCK, "{}")


def test_cut_off_lock_is_restored_from_git(repository):
    lock = repository / "dvc.lock"
    for content in ("", LOCK[: len(LOCK) // 2].rstrip() + "\n    nfi", LOCK[:8192]):
        lock.write_text(content)
        (message,) = mend(repository)
        assert message.startswith(f"{lock} was cut off by a DVC that was killed: restored the committed one")
        assert lock.read_text() == WHOLE


def test_cut_inside_a_letter_is_mended(repository):
    lock = repository / "dvc.lock"
    lock.write_bytes(LOCK[:4096].encode() + "ö".encode()[:1])
    assert len(mend(repository)) == 1
    assert lock.read_text() == WHOLE


def test_conflicts_of_a_merge_stay(repository):
    lock = repository / "dvc.lock"
    lock.write_text(conflict := f"<<<<<<< HEAD\n{WHOLE}=======\n{LOCK}>>>>>>> theirs\n")
    assert mend(repository) == []
    assert lock.read_text() == conflict


def test_copy_of_the_last_stage_goes_before_the_committed_lock(repository):
    lock, copy = repository / "dvc.lock", repository / LOCK_COPY
    copy.parent.mkdir(parents=True)
    copy.write_text(LOCK)
    lock.write_text(LOCK[:8192])
    assert mend(repository) == [f"{lock} was cut off by a DVC that was killed: restored the one before the last stage"]
    assert lock.read_text() == LOCK
    copy.write_text(LOCK[:99])
    lock.write_text(LOCK[:8192])
    assert "restored the committed one" in mend(repository)[0]


def test_cut_off_lock_that_was_never_committed_is_deleted(tmp_path):
    git(tmp_path, "init", "--quiet")
    (tmp_path / "dvc.lock").write_text(LOCK[:5000])
    (message,) = mend(tmp_path)
    assert "deleted it" in message
    assert not (tmp_path / "dvc.lock").exists()


def test_every_cut_within_a_line_is_noticed():
    cuts = [cut for cut in range(0, len(WHOLE), 7) if WHOLE[:cut][-1:] != "\n"]
    assert all(is_cut_off(WHOLE[:cut]) for cut in cuts)
    assert not is_cut_off(WHOLE)


def test_empty_rwlock_is_deleted(repository):
    rwlock = repository / ".dvc/tmp/rwlock"
    rwlock.parent.mkdir(parents=True)
    rwlock.touch()
    assert mend(repository) == [f"{rwlock} was left empty by a DVC that was killed: deleted it"]
    assert not rwlock.exists()


def test_make_mends_first(tmp_path):
    shutil.copy(ROOT / "Makefile", tmp_path)
    for name in (".venv/bin/python", ".venv/bin/dvc"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text('#!/bin/sh\necho "$@"\n')
        path.chmod(0o755)
    (tmp_path / "requirements.txt").touch()
    (tmp_path / ".venv/ready").touch()
    for target in ("repro", "train", "demo"):
        made = subprocess.run(
            ["make", "--no-print-directory", target], cwd=tmp_path, capture_output=True, text=True, check=True
        )
        assert made.stdout.startswith("-m tools.mend_records\n")
