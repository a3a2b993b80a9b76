"""What git and Docker make of the repository: line ends, links, permissions."""

import subprocess
from pathlib import Path

import pytest

from helpers.project import ROOT


def git(*words: str, cwd: Path = ROOT) -> str:
    return subprocess.run(["git", *words], cwd=cwd, capture_output=True, text=True, check=True).stdout


@pytest.fixture
def needs_git():
    if not (ROOT / ".git").exists():
        pytest.skip("no git repository")


@pytest.mark.usefixtures("needs_git")
def test_windows_checkout_has_the_same_bytes(tmp_path):
    """DVC hashes bytes: with CRLF every stage would look changed and the served model would be damaged."""
    git("-c", "core.autocrlf=true", "clone", "--quiet", str(ROOT), str(tmp_path / "clone"))
    names = [name for name in git("ls-files", "-z").split("\0") if name]
    committed = git("ls-files", "--eol").splitlines()
    assert not [line for line in committed if line.startswith("i/crlf")]
    for name in ("dvc.yaml", "params.yaml", "facial_expression/emotions.py"):
        assert b"\r" not in (tmp_path / "clone" / name).read_bytes()
    served = [name for name in names if name.startswith("models/serving/")]
    assert served
    for name in served:
        assert (tmp_path / "clone" / name).read_bytes() == subprocess.run(
            ["git", "show", f"HEAD:{name}"], cwd=ROOT, capture_output=True, check=True
        ).stdout


@pytest.mark.usefixtures("needs_git")
@pytest.mark.parametrize("name", [".venv", ".venv-serve", "data", "models/official", "demo", ".checkpoints"])
def test_git_ignores_links_to_folders(tmp_path, name):
    """Data and environments often lie on another disk."""
    git("init", "--quiet", cwd=tmp_path)
    (tmp_path / ".gitignore").write_bytes((ROOT / ".gitignore").read_bytes())
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / name).parent.mkdir(exist_ok=True)
    (tmp_path / name).symlink_to(tmp_path / "elsewhere")
    assert git("status", "--porcelain", cwd=tmp_path) == "?? .gitignore\n"


def test_image_is_readable_whatever_the_umask():
    """The image runs as user 10001, and files checked out under umask 077 have mode 0600."""
    lines = (ROOT / "app" / "Dockerfile").read_text().rpartition("FROM ")[2].splitlines()
    copied = [line for line in lines if line.startswith("COPY") and "--from=" not in line]
    assert copied
    assert all("--chmod=755" in line for line in copied)
