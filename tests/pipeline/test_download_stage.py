"""Which CSV is used: the one that params.yaml names by its MD5, wherever it is."""

import hashlib
import subprocess
import sys
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from facial_expression.data.synthetic import write_sample
from helpers.project import dvc, environment, try_dvc
from tools.demo import make_copy


@pytest.fixture(scope="module")
def archives(tmp_path_factory) -> dict[str, Path]:
    """Two CSVs by their MD5."""
    folder = tmp_path_factory.mktemp("archives")
    paths = [folder / "first.csv", folder / "second.csv"]
    for seed, path in enumerate(paths):
        write_sample(path, 50, seed, workers=1, progress=False)
    return {md5(path): path for path in paths}


@pytest.fixture
def project(tmp_path, archives) -> Path:
    """A copy of the project that has downloaded the first CSV."""
    copy = tmp_path / "project"
    make_copy(copy, {})
    name_csv(copy, next(iter(archives)))
    result = try_dvc(copy, "repro", "download", FER2013_ARCHIVE=str(next(iter(archives.values()))))
    assert result.returncode == 0, result.stderr
    return copy


def md5(path: Path) -> str:
    return hashlib.md5(path.read_bytes()).hexdigest()


def name_csv(project: Path, digest: str) -> None:
    params = YAML().load(project / "params.yaml")
    params["download"]["md5"] = digest
    YAML().dump(params, project / "params.yaml")


def check(project: Path, archive: Path) -> subprocess.CompletedProcess:
    command = [sys.executable, "-m", "stages.download", "--check"]
    variables = environment() | {"FER2013_ARCHIVE": str(archive)}
    return subprocess.run(command, cwd=project, env=variables, capture_output=True, text=True)


def test_other_csv_is_noticed_and_then_used(project, archives):
    (first, first_path), (second, second_path) = archives.items()
    raw = project / "data/raw/fer2013.csv"
    assert check(project, first_path).returncode == 0
    refused = check(project, second_path)
    assert refused.returncode == 1
    assert refused.stderr.startswith(f"download: {second_path} holds another CSV than params.yaml names: set ")
    assert second in refused.stderr
    assert len(refused.stderr.splitlines()) == 1

    name_csv(project, second)
    assert check(project, second_path).returncode == 0
    for force in ([], ["--force"]):
        result = try_dvc(project, "repro", *force, "download", FER2013_ARCHIVE=str(second_path))
        assert result.returncode == 0, result.stderr
        assert md5(raw) == second
    name_csv(project, first)
    dvc(project, "repro", "download")  # from the run cache: it needs no archive
    assert md5(raw) == first


def test_same_csv_elsewhere_runs_nothing(project, archives):
    params = YAML().load(project / "params.yaml")
    params["download"]["archive"] = "elsewhere.zip"
    YAML().dump(params, project / "params.yaml")
    assert "Running stage" not in dvc(project, "repro", "download").stdout
