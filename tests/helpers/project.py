"""Copies of the project, and commands run in them as users run them."""

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def dvc(directory: Path, *words: str) -> subprocess.CompletedProcess:
    """Run ``dvc`` and require its success."""
    result = try_dvc(directory, *words)
    assert result.returncode == 0, f"dvc {' '.join(words)}\n{result.stdout[-3000:]}\n{result.stderr[-3000:]}"
    return result


def try_dvc(directory: Path, *words: str, **variables: str) -> subprocess.CompletedProcess:
    command = [sys.executable, "-m", "dvc", *words]
    return subprocess.run(command, cwd=directory, env=environment() | variables, capture_output=True, text=True)


def environment() -> dict[str, str]:
    """The environment of a user who activated this Python: DVC runs stages as ``python -m ...``."""
    inherited = {key: value for key, value in os.environ.items() if not key.startswith(("KERAS_", "TF_", "COV_"))}
    return {
        **inherited,
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "DVC_NO_ANALYTICS": "1",
        "PYTHONUNBUFFERED": "1",
    }


def git(directory: Path, *words: str) -> str:
    """Run ``git``, require its success and return its output."""
    identity = ["-c", "user.name=test", "-c", "user.email=test@example.org"]
    command = ["git", *identity, *words]
    return subprocess.run(command, cwd=directory, capture_output=True, text=True, check=True).stdout


def python(directory: Path, *words: str) -> str:
    """Run Python, require its success and return its output."""
    command = [sys.executable, *words]
    result = subprocess.run(command, cwd=directory, env=environment(), capture_output=True, text=True)
    assert result.returncode == 0, result.stderr[-3000:]
    return result.stdout
