"""What the stages share, and that dvc.yaml names every family wherever one is wanted."""

import json
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from ruamel.yaml import YAML

from facial_expression.facetable import FaceTable, read_face_table, write_face_table
from facial_expression.mean_shape import load_mean_shape
from facial_expression.params import FAMILIES
from stages import frame
from stages.faces import read_faces
from stages.trained import pictures_of

ROOT = Path(__file__).parents[1]


def write_table(directory, rows, level, size=4, landmarks=None, **columns):
    faces = pd.DataFrame({"row": rows, "emotion": "happy", "usage": "Training"} | columns)
    images = np.stack([np.full((size, size), level + row, np.uint8) for row in rows])
    write_face_table(directory, FaceTable(images, faces, landmarks))


def test_filtered_faces_are_shown_in_the_pictures_of_another_table(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_table("data/filtered", [0, 2, 3], 0, official=["training", "test", "none"])
    write_table("data/framed", [3, 2, 1, 0], 100)
    faces = read_faces("framed")
    assert faces.images[:, 0, 0].tolist() == [100, 102, 103]
    assert faces.faces["official"].tolist() == ["training", "test", "none"]


def test_frames_are_made_of_the_faces_that_alignment_kept(tmp_path, monkeypatch, capsys):
    """Under ``align.missing: drop`` these are fewer than were decoded."""
    shutil.copy(ROOT / "params.yaml", tmp_path)
    monkeypatch.chdir(tmp_path)
    write_table("data/decoded", [0, 1, 2, 3], 50, size=48)
    landmarks = np.repeat(48 * load_mean_shape().picture[None], 2, axis=0).astype(np.float32)
    write_table("data/aligned", [1, 3], 0, size=48, landmarks=landmarks, detected=[True, True])
    frame.main()
    assert "framed 2 faces" in capsys.readouterr().out
    framed = read_face_table("data/framed")
    assert framed.faces["row"].tolist() == [1, 3]
    assert framed.images.shape == (2, 48, 48)
    assert (framed.images == np.uint8([51, 53])[:, None, None]).all()


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
