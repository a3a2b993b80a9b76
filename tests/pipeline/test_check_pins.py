"""`make check`: it hashes what dvc.lock pins, in the workspace and in the cache."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from helpers.pinned_project import flip_byte, make_clone, make_project, objects
from helpers.project import ROOT, dvc, environment


@pytest.fixture
def project(tmp_path) -> Path:
    return make_project(tmp_path / "project")


def check(directory: Path) -> subprocess.CompletedProcess:
    variables = environment() | {"PYTHONPATH": str(ROOT), "COLUMNS": "100"}
    command = [sys.executable, "-m", "tools.check_pins"]
    return subprocess.run(command, cwd=directory, env=variables, capture_output=True, text=True)


def rows(result: subprocess.CompletedProcess) -> dict[str, list[str]]:
    lines = [[cell.strip() for cell in line.split("│")[1:-1]] for line in result.stdout.splitlines()]
    return {cells[0]: cells[2:] for cells in lines if cells}


def test_intact_project_passes(project):
    result = check(project)
    assert result.returncode == 0, result.stderr
    assert rows(result) == {"data/faces": ["ok", "ok"], "report.json": ["ok", "git"]}


def test_what_a_clone_lacks_is_no_error(project, tmp_path):
    result = check(make_clone(project, tmp_path / "clone"))
    assert result.returncode == 0, result.stderr
    assert rows(result) == {"data/faces": ["—", "—"], "report.json": ["ok", "git"]}


def test_flipped_byte_in_the_cache_is_found(project):
    """`dvc status` and `dvc checkout` take it for the pinned file."""
    damaged = objects(project / ".dvc/cache")[-1]
    flip_byte(damaged)
    result = check(project)
    assert result.returncode == 1
    assert rows(result)["data/faces"] == ["ok", "damaged"]
    assert str(damaged) in result.stderr

    damaged.unlink()
    assert rows(check(project))["data/faces"] == ["ok", "lacks 1"]
    dvc(project, "commit", "--force")
    assert check(project).returncode == 0


def test_damaged_listing_of_a_folder_is_found(project):
    (listing,) = (path for path in objects(project / ".dvc/cache") if path.suffix == ".dir")
    flip_byte(listing)
    result = check(project)
    assert result.returncode == 1
    assert str(listing) in result.stderr


@pytest.mark.parametrize("name", ["data/faces/part-0.bin", "report.json"])
def test_flipped_byte_in_the_workspace_is_found(project, name):
    path = project / name
    content = path.read_bytes()
    path.unlink()  # in case it is a link into the cache
    path.write_bytes(content)
    flip_byte(path)
    result = check(project)
    assert result.returncode == 1
    output = os.path.commonpath([name, "data/faces"]) or name
    assert rows(result)[output][0] == "differs"
    assert output in result.stderr
