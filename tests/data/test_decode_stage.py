"""What the stage decode says about CSVs as people have them."""

import csv
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from ruamel.yaml import YAML

from facial_expression.data.face_table import read_face_table
from facial_expression.emotions import NAMES
from helpers.project import ROOT
from helpers.stage_project import run_stage

SIZE = 24


def write_project(folder: Path, rows: list[dict], classes=NAMES, **decode) -> None:
    """Write params.yaml and the CSV of ``rows``, which get pixels."""
    yaml, random = YAML(), np.random.default_rng(0)
    params = yaml.load(ROOT / "params.yaml")
    params["classes"] = list(classes)
    params["decode"].update(size=SIZE, **decode)
    params["align"]["size"] = SIZE
    for block in (params["filter_classes"], *params["evaluate"].values()):
        block["drop"] = []
    yaml.dump(params, folder / "params.yaml")
    (folder / "data/raw").mkdir(parents=True)
    with (folder / "data/raw/fer2013.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, [*rows[0], "pixels"])
        writer.writeheader()
        for row in rows:
            writer.writerow(row | {"pixels": " ".join(map(str, random.integers(0, 256, SIZE**2)))})


def decode(folder: Path) -> tuple[pd.DataFrame, str]:
    """The faces, and what the stage printed."""
    finished = run_stage(folder, "decode")
    assert finished.returncode == 0, finished.stderr
    return read_face_table(folder / "data/decoded").faces, finished.stdout


def refusal(folder: Path) -> str:
    finished = run_stage(folder, "decode")
    assert finished.returncode == 1
    assert not (folder / "data/decoded").exists()
    (line,) = [line for line in finished.stderr.splitlines() if line.startswith("decode: ")]
    return line


def test_draws_parts_of_train_csv_and_says_so(tmp_path):
    write_project(tmp_path, [{"emotion": number % 7} for number in range(140)], validation_share=0.2)
    faces, shown = decode(tmp_path)
    assert faces["usage"].value_counts().to_dict() == {"Training": 98, "PublicTest": 28, "PrivateTest": 14}
    assert "decoded 140 pictures of 7 classes" in shown
    assert "PublicTest (drawn)" in shown
    assert "PrivateTest (drawn)" in shown
    assert "warning" not in shown


def test_warns_of_a_class_that_a_part_lacks(tmp_path):
    rows = [{"label": name, "split": split} for name in NAMES for split in ("train", "val", "test")]
    write_project(tmp_path, [row for row in rows if (row["label"], row["split"]) != ("fear", "val")])
    faces, shown = decode(tmp_path)
    assert len(faces) == 20
    assert "(drawn)" not in shown
    assert "warning: no face of fear in PublicTest" in shown


@pytest.mark.parametrize("classes", [NAMES, ("low", "middle", "high")])
def test_own_codes_are_not_taken_for_emotions(tmp_path, classes):
    write_project(tmp_path, [{"emotion": number % 3} for number in range(30)], classes)
    message = refusal(tmp_path)
    if classes == NAMES:
        assert "data/raw/fer2013.csv has the numbers 0, 1, 2 as labels, and none for happy, sad, " in message
    else:
        assert "data/raw/fer2013.csv, line 2: unknown label '0' (angry), expected low, middle, high" in message
        assert "set decode.codes or decode.labels" in message


def test_own_codes_get_the_names_in_params(tmp_path):
    write_project(
        tmp_path, [{"emotion": number % 3} for number in range(30)], ("low", "middle", "high"), codes="classes"
    )
    faces, _ = decode(tmp_path)
    assert faces["emotion"].tolist() == ["low", "middle", "high"] * 10
    assert read_face_table(tmp_path / "data/decoded").all_classes == ("low", "middle", "high")


def test_folder_needs_a_name(tmp_path):
    write_project(tmp_path, [{"emotion": 0}])
    text = (tmp_path / "params.yaml").read_text().replace("dataset: fer2013", "dataset: folder")
    (tmp_path / "params.yaml").write_text(text)
    message = "download.dataset is folder: name it by download.folder in params.yaml or by FACES_FOLDER"
    assert message in refusal(tmp_path)
    assert message in run_stage(tmp_path, "download", "--check").stderr
