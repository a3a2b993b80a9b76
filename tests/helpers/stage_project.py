"""A directory with what a stage reads, and the stage run in it as DVC runs it."""

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from ruamel.yaml import YAML

from facial_expression.data.face_table import FaceTable, write_face_table
from facial_expression.data.splits import PARTS
from facial_expression.emotions import NAMES
from helpers.project import ROOT, environment


def write_params(directory: Path, runs: dict[str, dict], export_runs: Sequence[str] = ()) -> None:
    """Write the project's ``params.yaml`` with other runs, which need not say how they are trained."""
    yaml = YAML()
    params = yaml.load(ROOT / "params.yaml")
    defaults = {"protocol": "official", "input": "aligned", "recipe": "short"}
    params["runs"] = {
        "shallow": {},
        "wide": {},
        "resnet": {name: {"network": {"module": "wide"}} | defaults | run for name, run in runs.items()},
    }
    params["export"]["runs"] = list(export_runs)
    yaml.dump(params, directory / "params.yaml")


def write_faces(directory: Path, images: np.ndarray) -> pd.DataFrame:
    """Write faces of all emotions in turn, seven of each part at a time, and return their table."""
    count = len(images)
    emotions = [NAMES[number % len(NAMES)] for number in range(count)]
    parts = [PARTS[number // len(NAMES) % len(PARTS)] for number in range(count)]
    columns = {"row": range(count), "emotion": emotions, "usage": "PublicTest", "study": parts, "official": parts}
    columns["duplicate_of"] = pd.Series(pd.NA, index=range(count), dtype="Int64")
    faces = pd.DataFrame(columns | {"detected": [number % 2 == 0 for number in range(count)]})
    write_face_table(directory, FaceTable(images, faces))
    return faces


def run_stage(directory: Path, *words: str, **variables: str) -> subprocess.CompletedProcess:
    """Run ``python -m stages.<words>`` without any variable of Keras or TensorFlow."""
    variables = {"PYTHONPATH": str(ROOT), "COLUMNS": "80", **variables}
    command = [sys.executable, "-m", f"stages.{words[0]}", *words[1:]]
    return subprocess.run(command, cwd=directory, env=environment() | variables, capture_output=True, text=True)
