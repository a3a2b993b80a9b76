"""The API keeps to its description, as far as Schemathesis can tell; skipped where that is not installed."""

import shutil
import subprocess
from pathlib import Path

import pytest

from helpers.server import running_server

CONFIGURATION = Path(__file__).with_name("schemathesis.toml")


def test_api_keeps_to_its_description(model_directory, tmp_path):
    program = shutil.which("schemathesis")
    if program is None:
        pytest.skip("schemathesis is not installed: pip install schemathesis, in an environment of its own")
    with running_server(tmp_path / "log", model=model_directory) as server:
        command = [program, "--config-file", str(CONFIGURATION), "run", f"{server.address}/openapi.json"]
        options = ["--exclude-deprecated", "--max-examples", "20", "--generation-deterministic", "--no-color"]
        finished = subprocess.run([*command, *options], cwd=tmp_path, capture_output=True, text=True, timeout=300)
    assert finished.returncode == 0, finished.stdout
