"""What the stages share, and that dvc.yaml names every family wherever one is wanted."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from ruamel.yaml import YAML

from facial_expression.facetable import FaceTable, write_face_table
from facial_expression.params import FAMILIES
from stages.faces import read_faces
from stages.trained import pictures_of

ROOT = Path(__file__).parents[1]


def write_table(directory, rows, level, **columns):
    faces = pd.DataFrame({"row": rows, "emotion": "happy", "usage": "Training"} | columns)
    images = np.stack([np.full((4, 4), level + row, np.uint8) for row in rows])
    write_face_table(directory, FaceTable(images, faces))


def test_filtered_faces_are_shown_in_the_pictures_of_another_table(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_table("data/filtered", [0, 2, 3], 0, official=["training", "test", "none"])
    write_table("data/framed", [3, 2, 1, 0], 100)
    faces = read_faces("framed")
    assert faces.images[:, 0, 0].tolist() == [100, 102, 103]
    assert faces.faces["official"].tolist() == ["training", "test", "none"]


def test_a_network_tells_what_it_saw(tmp_path):
    recipe = tmp_path / "recipe.json"
    with pytest.raises(FileNotFoundError, match="holds no network: run `dvc repro`"):
        pictures_of(tmp_path)
    recipe.write_text(json.dumps({"recipe": {"pictures": "framed"}}))
    assert pictures_of(tmp_path) == "framed"
    recipe.write_text(json.dumps({"recipe": {"seed": 1}}))
    with pytest.raises(ValueError, match="does not name its pictures: train it anew"):
        pictures_of(tmp_path)


def test_dvc_knows_every_family():
    stages = YAML(typ="safe").load(ROOT / "dvc.yaml")["stages"]
    assert [name.removeprefix("train_") for name in stages if name.startswith("train_")] == list(FAMILIES)
    assert stages["predict"]["matrix"]["family"] == list(FAMILIES)
    for family in FAMILIES:
        history = f"reports/${{item.protocol}}/history_{family}.csv"
        predictions = f"data/predictions/${{item.protocol}}/{family}.npz"
        assert history in stages["validate"]["deps"]
        assert {history, predictions} <= set(stages["evaluate"]["do"]["deps"])
        if family != "uncropped":  # which cannot be served
            assert f"models/${{export.protocol}}/{family}" in stages["export"]["deps"]
