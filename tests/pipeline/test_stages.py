"""What the stages share, what dvc.yaml derives from params.yaml, and how a stage fails."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from ruamel.yaml import YAML

from facial_expression.data.face_table import FaceTable, write_face_table
from facial_expression.errors import UserError
from facial_expression.params import STAGES, load_params
from helpers.project import ROOT, dvc, environment
from stages._inputs import read_input
from stages._stage import run_stage

PARAMS = load_params(ROOT / "params.yaml")
SCRIPTS = sorted(path.stem for path in (ROOT / "stages").glob("[a-z]*.py"))


def write_table(directory, rows, level, size=4, **columns):
    faces = pd.DataFrame({"row": rows, "emotion": "happy", "usage": "Training"} | columns)
    images = np.stack([np.full((size, size), level + row, np.uint8) for row in rows])
    write_face_table(directory, FaceTable(images, faces))


def run_script(directory: Path, *words: str) -> subprocess.CompletedProcess:
    command = [sys.executable, "-m", *words]
    variables = environment() | {"PYTHONPATH": str(ROOT)}
    return subprocess.run(command, cwd=directory, env=variables, capture_output=True, text=True)


def test_filtered_faces_get_the_images_of_the_input(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_table("data/filtered", [0, 2, 3], 0, official=["training", "test", "none"])
    write_table("data/centered", [3, 2, 1, 0], 100)
    faces = read_input("centered")
    assert faces.images[:, 0, 0].tolist() == [100, 102, 103]
    assert faces.faces["official"].tolist() == ["training", "test", "none"]


def test_user_error_becomes_one_line(capsys):
    def fail():
        raise UserError("faces.csv, row 3: unknown emotion")

    with pytest.raises(SystemExit) as raised:
        run_stage(fail)
    assert str(raised.value.code).endswith(": faces.csv, row 3: unknown emotion")


@pytest.mark.parametrize("error", [ValueError, KeyError, RuntimeError])
def test_programming_error_keeps_its_traceback(error):
    def fail():
        raise error("a fault of the program")

    with pytest.raises(error):
        run_stage(fail)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("stages.train_wide", "small"), "runs.wide in params.yaml has no run 'small', but study-wide, "),
        (("stages.predict", "smal"), "params.yaml has no run 'smal', but study-shallow, "),
        (("stages.evaluate", "official"), "evaluate in params.yaml has no report 'official', but study-6, "),
        (("stages.decode",), "data/raw/fer2013.csv: no such file"),
        (("stages.align",), "data/decoded/images.npy is missing: run `dvc repro`"),
        (("stages.filter_classes",), "data/decoded/images.npy is missing: run `dvc repro`"),
        (("stages.train_wide", "wide"), "data/filtered/images.npy is missing: run `dvc repro`"),
        (("stages.export",), "reports/official-6/models.json is missing: run `dvc repro evaluate@official-6`"),
        (("stages.crowd",), "data/decoded/images.npy is missing: run `dvc repro`"),
        (("stages.audit",), "data/decoded/images.npy is missing: run `dvc repro`"),
        (("stages.probe", "smal"), "params.yaml has no run 'smal', but study-shallow, "),
        (("stages.probe_served",), "models/serving/card.json is missing: restore it, as with "),
        (("stages.probe", "small"), "data/filtered/images.npy is missing: run `dvc repro`"),
        (("stages.analyze", "official"), "evaluate in params.yaml has no report 'official', but study-6, "),
        (("stages.analyze", "official-6"), "data/filtered/images.npy is missing: run `dvc repro`"),
        (("stages.report",), "reports/analysis/study-6.json is missing: run `dvc repro analyze@study-6`"),
    ],
)
def test_script_run_by_hand_says_what_is_missing(tmp_path, words, message):
    (tmp_path / "params.yaml").write_bytes((ROOT / "params.yaml").read_bytes())
    finished = run_script(tmp_path, *words)
    assert finished.returncode == 1
    assert finished.stderr.startswith(f"{words[0].removeprefix('stages.')}: {message}"), finished.stderr
    assert len(finished.stderr.splitlines()) == 1
    assert [path.name for path in tmp_path.iterdir()] == ["params.yaml"]


def test_network_that_cannot_be_built_names_its_run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    text = (ROOT / "params.yaml").read_text()
    (tmp_path / "params.yaml").write_text(
        text.replace("network: {module: wide}", "network: {module: wide, filters: 3}")
    )
    parts = {"official": ["training", "validation", "test"]}
    for name in ("filtered", "aligned"):
        write_table(f"data/{name}", [0, 1, 2], 0, size=24, **parts)
    finished = run_script(tmp_path, "stages.train_wide", "wide")
    assert finished.returncode == 1
    assert finished.stderr.startswith("train_wide: runs.wide.wide.network cannot be built: ")
    assert "Traceback" not in finished.stderr


def test_every_stage_is_a_script_with_a_description():
    stages = YAML(typ="safe").load(ROOT / "dvc.yaml")["stages"]
    scripts = set()
    for stage in stages.values():
        definition = stage.get("do", stage)
        assert len(definition["desc"]) > 20
        words = definition["cmd"].split()
        scripts.add(words[words.index("-m") + 1].removeprefix("stages."))
    assert scripts == set(SCRIPTS)


@pytest.mark.parametrize("script", SCRIPTS)
def test_script_docstring_names_command_inputs_and_outputs(script):
    text = (ROOT / "stages" / f"{script}.py").read_text()
    docstring = text.split('"""')[1]
    assert "    dvc repro " in docstring
    assert "reads   " in docstring
    assert "writes  " in docstring
    assert "Takes" in docstring or "takes" in docstring or "images a second" in docstring or "Unpacking" in docstring


def test_stages_follow_the_runs_and_reports():
    listed = {line.split()[0] for line in dvc(ROOT, "stage", "list").stdout.splitlines()}
    of_run = ("train", "predict", "probe")
    for name, run in PARAMS.all_runs.items():
        assert {f"{stage}_{run.stage}@{name}" for stage in of_run} <= listed
    of_report = ("evaluate", "analyze")
    assert {f"{stage}@{report}" for stage in of_report for report in PARAMS.evaluate} <= listed
    once = {"download", "decode", "align", "filter_classes", "crowd", "audit", "export", "probe_served", "report"}
    assert once <= listed
    assert len(listed) == len(once) + len(of_run) * len(PARAMS.all_runs) + len(of_report) * len(PARAMS.evaluate)


@pytest.mark.parametrize("stage", STAGES)
def test_training_depends_on_its_own_network_alone(stage):
    """A change in one network must not retrain the others."""
    definition = YAML(typ="safe").load(ROOT / "dvc.yaml")["stages"][f"train_{stage}"]["do"]
    networks = [path for path in definition["deps"] if path.startswith("facial_expression/networks")]
    shared = ["__init__", "plain"] if stage in ("shallow", "wide") else ["__init__"]
    shared = [f"facial_expression/networks/{module}.py" for module in shared]
    assert networks == [*shared, "facial_expression/networks/${item.network.module}.py"]
    assert definition["params"][0] == f"runs.{stage}.${{key}}"
    assert definition["cmd"] == f"python -m stages.train_{stage} ${{key}}"


def test_no_list_of_networks_outside_params():
    """Figures, page, demo, benchmarks and tools follow the runs by themselves."""
    names = [name for name in PARAMS.all_runs if name not in ("shallow", "wide", "small")]
    assert names
    for folder in ("facial_expression", "app", "benchmarks", "tools", "stages"):
        for path in (ROOT / folder).rglob("*.py"):
            code = "".join(path.read_text().split('"""')[::2])
            assert not [name for name in names if name in code], path
