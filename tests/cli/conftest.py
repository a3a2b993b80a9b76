"""A tiny served model, a folder of photos, and the command as users call it."""

import socket
import subprocess
import sys

import numpy as np
import pytest
from click.testing import CliRunner

from facial_expression.cli.main import command
from helpers.photos import draw, encode, photograph
from helpers.project import ROOT, environment
from helpers.served_model import write_model


@pytest.fixture(scope="session")
def model_directory(tmp_path_factory):
    return write_model(tmp_path_factory.mktemp("served") / "serving")


@pytest.fixture(scope="session")
def photos(tmp_path_factory):
    """Eleven pictures of no, one or two people, one of them in a folder below, and a file that is no picture."""
    folder = tmp_path_factory.mktemp("photos")
    (folder / "below").mkdir()
    for number, emotion in enumerate(("happy", "sad", "angry", "surprise", "fear") * 2):
        faces = [draw(emotion, number + person) for person in range(1 + number % 2)]
        data = encode(photograph(*faces, side=120, size=(160, 280)), "JPEG", quality=95)
        (folder / ("below/3.jpg" if number == 3 else f"{number}.jpg")).write_bytes(data)
    (folder / "blank.png").write_bytes(encode(np.full((90, 120), 90, np.uint8)))
    (folder / "broken.jpg").write_bytes(b"no picture")
    (folder / "notes.txt").write_text("no picture either")
    return folder


@pytest.fixture
def predict(model_directory):
    """Runs ``predict`` in this process and requires its exit code; returns its output."""

    def run(*words, exit_code=0, workers=1, **options):
        command_line = ["predict", *map(str, words), "--model", str(model_directory)]
        command_line += ["--workers", str(workers)] if workers else []
        result = CliRunner().invoke(command, command_line, catch_exceptions=False, **options)
        assert result.exit_code == exit_code, result.output
        return result

    return run


@pytest.fixture
def start(model_directory):
    """Starts the command as a process of its own."""
    processes = []

    def run(*words, folder):
        variables = environment() | {"PYTHONPATH": str(ROOT), "FACIAL_EXPRESSION_MODEL": str(model_directory)}
        command_line = [sys.executable, "-m", "facial_expression", *map(str, words)]
        process = subprocess.Popen(
            command_line, cwd=folder, env=variables, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        processes.append(process)
        return process

    yield run
    for process in processes:
        process.kill()
        process.communicate()


@pytest.fixture(scope="module")
def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]
