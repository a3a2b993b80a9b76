"""Recognition and export leave no files of ONNX Runtime's telemetry in the home directory."""

import os
import subprocess
import sys
from pathlib import Path

import cv2
import pytest

from helpers.photos import draw, photograph
from helpers.served_model import write_model

ROOT = Path(__file__).parents[1]

RECOGNIZE = """
import sys
import cv2
from facial_expression.recognizer import Recognizer
recognizer = Recognizer.load(sys.argv[1])
print(len(recognizer.recognize(cv2.imread(sys.argv[2], cv2.IMREAD_GRAYSCALE))))
"""
QUANTIZE = """
import sys
import numpy as np
from facial_expression.export.quantize import quantize
quantize(sys.argv[1], sys.argv[2], np.zeros((4, 48, 48), np.uint8))
"""


@pytest.fixture(scope="module")
def model_directory(tmp_path_factory):
    return write_model(tmp_path_factory.mktemp("served") / "serving")


def run_without_ci(code: str, home: Path, *arguments: Path) -> list[str]:
    """Run code without the variable ``CI``, which disables telemetry; return the files left in the home directory."""
    home.mkdir()
    kept = {key: value for key, value in os.environ.items() if key != "CI" and not key.startswith("ORT_")}
    environment = kept | {"HOME": str(home), "XDG_CACHE_HOME": str(home / ".cache"), "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-c", code, *map(str, arguments)]
    finished = subprocess.run(command, env=environment, capture_output=True, text=True, cwd=home.parent)
    assert finished.returncode == 0, finished.stderr
    return [path.relative_to(home).as_posix() for path in sorted(home.rglob("*"))]


def test_recognition_leaves_home_directory_empty(tmp_path, model_directory):
    photo = tmp_path / "photo.png"
    cv2.imwrite(str(photo), photograph(draw()))
    assert run_without_ci(RECOGNIZE, tmp_path / "home", model_directory, photo) == []


def test_export_leaves_no_onnx_runtime_files(tmp_path, model_directory):
    """Keras and Matplotlib may store settings there."""
    left = run_without_ci(QUANTIZE, tmp_path / "home", model_directory / "model.onnx", tmp_path / "int8.onnx")
    assert not [name for name in left if "microsoft" in name.lower() or "onnx" in name.lower()]
