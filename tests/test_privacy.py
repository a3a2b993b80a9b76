"""Serving and exporting leave nothing behind in the home directory and connect to nobody."""

import os
import subprocess
import sys
from pathlib import Path

import cv2
from pictures import draw, photograph

ROOT = Path(__file__).parents[2]

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
from facial_expression import compaction
compaction.quantize(sys.argv[1], sys.argv[2], np.zeros((4, 48, 48), np.uint8))
"""


def run_without_ci(code: str, home: Path, *arguments: Path) -> list[str]:
    """What a process leaves in the home directory. The variable ``CI`` would switch the telemetry off by itself."""
    home.mkdir()
    kept = {key: value for key, value in os.environ.items() if key != "CI" and not key.startswith("ORT_")}
    environment = kept | {"HOME": str(home), "XDG_CACHE_HOME": str(home / ".cache"), "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-c", code, *map(str, arguments)]
    finished = subprocess.run(command, env=environment, capture_output=True, text=True, cwd=home.parent)
    assert finished.returncode == 0, finished.stderr
    return [path.relative_to(home).as_posix() for path in sorted(home.rglob("*"))]


def test_recognizing_leaves_the_home_directory_empty(tmp_path, model_directory):
    photo = tmp_path / "photo.png"
    cv2.imwrite(str(photo), photograph(draw()))
    assert run_without_ci(RECOGNIZE, tmp_path / "home", model_directory, photo) == []


def test_exporting_leaves_nothing_of_onnx_runtime(tmp_path, model_directory):
    """Keras and Matplotlib keep their settings there, and send nothing."""
    left = run_without_ci(QUANTIZE, tmp_path / "home", model_directory / "model.onnx", tmp_path / "int8.onnx")
    assert not [name for name in left if "microsoft" in name.lower() or "onnx" in name.lower()]
