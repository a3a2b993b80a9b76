"""Every way to get the repository: the served model loads, and DVC finds nothing to do."""

import os
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from helpers.project import ROOT, environment, git

LOAD = "from facial_expression.recognizer import Recognizer; Recognizer.load('models/serving')"
STATUS = ("-m", "dvc", "repro", "--pull", "--allow-missing", "--dry")
NOBODY = 65534


@pytest.fixture(scope="module")
def source(tmp_path_factory) -> Path:
    """The last commit in a repository of its own, which worktrees may change."""
    if not (ROOT / ".git").exists():
        pytest.skip("no git repository to clone")
    directory = tmp_path_factory.mktemp("clones")
    git(directory, "clone", "--quiet", "--bare", str(ROOT), "source.git")
    return directory / "source.git"


def unpack_zip(source: Path, target: Path) -> None:
    """As downloaded from a web page: DVC needs `git init`."""
    archive = target.with_suffix(".zip")
    git(source, "archive", "--format=zip", f"--output={archive}", "HEAD")
    with zipfile.ZipFile(archive) as files:
        files.extractall(target)
    git(target, "init", "--quiet")


def clone_shallow(source: Path, target: Path) -> None:
    git(source, "clone", "--quiet", "--depth", "1", source.as_uri(), str(target))


def add_worktree(source: Path, target: Path) -> None:
    git(source, "worktree", "add", "--quiet", "--detach", str(target))


def clone(source: Path, target: Path) -> None:
    git(source, "clone", "--quiet", str(source), str(target))


def clone_for_windows(source: Path, target: Path) -> None:
    git(source, "-c", "core.autocrlf=true", "clone", "--quiet", str(source), str(target))


def clone_with_strict_umask(source: Path, target: Path) -> None:
    command = ["git", "clone", "--quiet", str(source), str(target)]
    subprocess.run(command, check=True, umask=0o077)
    assert (target / "models/serving/card.json").stat().st_mode & 0o777 == 0o600


def run(directory: Path, *words: str, as_user: bool = False) -> subprocess.CompletedProcess:
    """Run Python in a clone, with a home of its own; ``as_user``: as a user who may read all files, but not write."""
    home = directory.with_name("home")
    home.mkdir(exist_ok=True)
    prefix: list[str] = []
    if as_user and os.geteuid() == 0:
        if shutil.which("setpriv") is None:
            pytest.skip("setpriv is not installed")
        os.chown(home, NOBODY, NOBODY)
        capabilities = ["--inh-caps=-all,+dac_read_search", "--ambient-caps=+dac_read_search"]
        prefix = ["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups", *capabilities]
    variables = environment() | {"HOME": str(home), "DVC_SITE_CACHE_DIR": str(home / "site")}
    command = [*prefix, sys.executable, *words]
    return subprocess.run(command, cwd=directory, env=variables, capture_output=True, text=True)


def assert_works(directory: Path, as_user: bool = False) -> None:
    loaded = run(directory, "-c", LOAD, as_user=as_user)
    assert loaded.returncode == 0, loaded.stderr
    result = run(directory, *STATUS, as_user=as_user)
    assert result.returncode == 0, result.stderr
    assert "Data and pipelines are up to date" in result.stdout
    assert "Running stage" not in result.stdout


@pytest.mark.parametrize(
    ("make", "name"),
    [
        (unpack_zip, "zip"),
        (clone_shallow, "shallow"),
        (add_worktree, "worktree"),
        (clone, "ein Ordner für Gefühle"),
        (clone_for_windows, "crlf"),
        (clone_with_strict_umask, "umask"),
    ],
    ids=["zip", "shallow", "worktree", "spaces and umlauts", "crlf", "umask 077"],
)
def test_works_in_every_kind_of_checkout(source, tmp_path, make: Callable[[Path, Path], None], name):
    make(source, tmp_path / name)
    assert_works(tmp_path / name)


def test_works_for_a_user_other_than_root(source, tmp_path):
    directory = tmp_path / "clone"
    clone(source, directory)
    if os.geteuid() == 0:
        for path in (directory, *directory.rglob("*")):
            os.chown(path, NOBODY, NOBODY)
    assert_works(directory, as_user=True)


def test_model_loads_in_a_read_only_checkout(source, tmp_path):
    """DVC itself needs its lock in .dvc/tmp; a clone of the checkout has one."""
    directory = tmp_path / "clone"
    clone(source, directory)
    paths = (directory, *directory.rglob("*"))
    for path in paths:
        path.chmod(path.stat().st_mode & ~0o222)
    try:
        loaded = run(directory, "-c", LOAD, as_user=True)
        assert loaded.returncode == 0, loaded.stderr
        refused = run(directory, *STATUS, as_user=True)
        assert refused.returncode != 0
        assert ".dvc/tmp" in refused.stderr
        clone(directory, tmp_path / "second")
        assert_works(tmp_path / "second")
    finally:
        for path in paths:
            path.chmod(path.stat().st_mode | 0o200)
