"""The examples in the README, run as they are against a server."""

import re
import shutil
import subprocess
import sys

import pytest

from helpers.photos import draw, encode, photograph
from helpers.project import ROOT
from helpers.server import running_server

README = (ROOT / "app" / "README.md").read_text()


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder with the photos that the examples name."""
    folder = tmp_path_factory.mktemp("examples")
    for name in ("photo.jpg", "one.jpg", "two.jpg"):
        (folder / name).write_bytes(encode(photograph(draw("happy", 0)), "JPEG"))
    return folder


@pytest.fixture(scope="module")
def server(folder, model_directory):
    with running_server(folder / "log", model=model_directory) as server:
        yield server


def example(language: str, server) -> str:
    (code,) = re.findall(rf"^```{language}\n(.+?)^```", README, re.MULTILINE | re.DOTALL)
    return at(code, server)


def at(code: str, server) -> str:
    assert "http://127.0.0.1:8000" in code
    return code.replace("http://127.0.0.1:8000", server.address)


def run(*command: str, folder, **options) -> str:
    finished = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=120, **options)
    assert finished.returncode == 0, finished.stderr
    return finished.stdout


def needs(program: str) -> str:
    path = shutil.which(program)
    if path is None:
        pytest.skip(f"{program} is not installed")
    return path


def assert_prints_one_face(output: str) -> None:
    (line,) = output.splitlines()
    assert re.fullmatch(r"(angry|fear|happy|sad|surprise|neutral) [01]\.\d+ \[.+\]", line)


def test_python_example_prints_every_face(server, folder):
    assert_prints_one_face(run(sys.executable, "-c", example("python", server), folder=folder))


def test_javascript_example_prints_every_face(server, folder):
    (folder / "example.mjs").write_text(example("javascript", server))
    output = run(needs("node"), "example.mjs", folder=folder, env={"NODE_NO_WARNINGS": "1"})
    assert_prints_one_face(" ".join(output.split()))


def test_curl_examples_return_faces(server, folder):
    needs("curl")
    commands = re.findall(r"^    (curl .+)$", README, re.MULTILINE)
    assert len(commands) == 3
    for command in commands:
        assert '"emotion":' in run("sh", "-c", at(command, server), folder=folder)
