"""The container image: built with buildah and run, where both are possible.

``CONTAINER_BASE`` names the base image, for example ``python:3.11-slim``, or one made without a registry:

    mmdebstrap --variant=minbase --include=python3-venv,ca-certificates bookworm base.tar
    container=$(buildah from scratch) && buildah add $container base.tar / && buildah commit $container base

``CONTAINER_OPTIONS`` are further options for ``buildah build``, such as volumes with certificates.
"""

import json
import os
import shlex
import shutil
import socket
import subprocess
import time

import pytest

from helpers.photos import draw, encode, photograph
from helpers.project import ROOT
from helpers.server import Server

IMAGE = "localhost/facial-expression-test"


def buildah(*words: str, **options) -> str:
    finished = subprocess.run(["buildah", *words], capture_output=True, text=True, cwd=ROOT, **options)
    assert finished.returncode == 0, finished.stderr[-3000:]
    return finished.stdout.strip()


@pytest.fixture(scope="module")
def container():
    if not shutil.which("buildah"):
        pytest.skip("buildah is not installed")
    if not os.environ.get("CONTAINER_BASE"):
        pytest.skip("CONTAINER_BASE is not set: name a base image with Python")
    options = shlex.split(os.environ.get("CONTAINER_OPTIONS", ""))
    base = f"BASE={os.environ['CONTAINER_BASE']}"
    buildah("build", "--layers", *options, "--build-arg", base, "--file", "app/Dockerfile", "--tag", IMAGE, ".")
    container = buildah("from", IMAGE)
    yield container
    buildah("rm", container)


def test_image_holds_one_landmark_model_and_no_tools(container):
    models = buildah("run", container, "--", "find", "/environment", "-name", "*.dat").splitlines()
    assert [path.rpartition("/")[2] for path in models] == ["shape_predictor_68_face_landmarks.dat"]
    packages = buildah("run", container, "--", "sh", "-c", "ls /environment/lib/python3*/site-packages").splitlines()
    assert "fastapi" in packages
    assert not {"pip", "setuptools", "tensorflow", "dvc"} & set(packages)


def test_runs_as_another_user_that_can_write_nothing(container):
    config = json.loads(buildah("inspect", container))["OCIv1"]["config"]
    assert config["User"] == "10001:10001"
    writable = buildah("run", container, "--", "find", "/srv", "/environment", "-writable", "-not", "-type", "l")
    assert writable == ""


def test_recognizes_and_reports_its_health(container, tmp_path):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    slow_machine = "FACIAL_EXPRESSION_RESPONSE_TIMEOUT=60"
    variables = ("--network", "host", "--env", f"PORT={port}", "--env", slow_machine)
    command = json.loads(buildah("inspect", container))["OCIv1"]["config"]["Cmd"]
    with (tmp_path / "log").open("wb") as log:
        process = subprocess.Popen(
            ["buildah", "run", *variables, container, "--", *command], stdout=log, stderr=log, cwd=ROOT
        )
    server = Server(process, tmp_path / "log", port)
    try:
        health = ["buildah", "run", *variables, container, "--", "python", "-m", "app.health"]
        while subprocess.run(health, capture_output=True).returncode:
            assert process.poll() is None, server.log.read_text()
            time.sleep(0.2)
        assert server.post(encode(photograph(draw()))) == 200
    finally:
        server.stop()
