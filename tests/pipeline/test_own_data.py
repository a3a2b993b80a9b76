"""The whole pipeline on data sets of one's own: three classes that are no emotions of FER2013, and real photographs."""

import csv
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
import pytest
from fastapi.testclient import TestClient

from app.main import create_app
from app.settings import Settings
from facial_expression.data.face_table import read_face_table
from facial_expression.data.folder import list_md5, list_pictures
from facial_expression.faces.detection import DetectionPass, FaceDetector
from facial_expression.photo_faces import FaceSearch, turn_picture
from facial_expression.recognizer import Recognizer
from helpers.own_faces import CLASSES, draw_photo, write_photos
from helpers.photos import encode
from helpers.project import dvc, environment
from tools.demo import make_copy

SIDES = ("as taken", "mirrored")
RECIPE = {"iterations": 4, "snapshot_every": 2, "validate_every": 2, "batch_size": 20}


def make_project(copy: Path, source: Path, classes: tuple[str, ...]) -> Path:
    """A copy of the project with two runs and a report of its own, in which the pipeline has run."""
    own = {"protocol": "official", "drop": [], "bootstrap_samples": 100, "ensemble_last": 2, "seed": 1}
    overrides = {
        "classes": list(classes),
        "download": {"dataset": "folder", "folder": str(source), "md5": list_md5(list_pictures(source))},
        "filter_classes": {"drop": []},
        "recipes": {"short": {**RECIPE, "warmup": 1}, "long": {**RECIPE, "warmup": 1}},
        "runs": {
            "shallow": {"study-shallow": None},
            "wide": {"study-wide": None, "wide": None},
            "resnet": {"study-resnet34": None, "small-original": None},
        },
        "evaluate": {
            **dict.fromkeys(("study-6", "official-6", "official-7")),
            "own": {**own, "temperature": True, "ensemble_weights": "fitted"},
        },
        "probe": {"faces": 10, "occlusion_faces": 1},
        "export": {"report": "own", "runs": ["small"], "calibration_faces": 20},
    }
    make_copy(copy, overrides)
    shown = dvc(copy, "repro")
    (copy / ".git" / "stdout").write_text(shown.stdout)
    return copy


@pytest.fixture(scope="module")
def drawn(tmp_path_factory) -> Path:
    """The pipeline after a run on photos of drawn faces, as split/class/picture."""
    folder = tmp_path_factory.mktemp("drawn")
    write_photos(folder / "faces", 20)
    return make_project(folder / "project", folder / "faces", CLASSES)


@pytest.fixture(scope="module")
def photographed(tmp_path_factory) -> Path:
    """The pipeline after a run on real faces, each with its mirror image, in a CSV without a split."""
    photos = os.environ.get("FACIAL_EXPRESSION_PHOTOS")
    if not photos:
        pytest.skip("set FACIAL_EXPRESSION_PHOTOS to a folder with photos.csv and photos of faces")
    folder = tmp_path_factory.mktemp("photographed")
    write_real_faces(Path(photos), folder)
    return make_project(folder / "project", folder / "faces.csv", SIDES)


def write_real_faces(photos: Path, folder: Path) -> None:
    """Write each face of the photos with its surroundings, in color, at two sizes, as it is and mirrored."""
    search = FaceSearch(FaceDetector([DetectionPass()]), 1024)
    rows = []
    for photo in pd.read_csv(photos / "photos.csv")["file"]:
        image = cv2.imread(str(photos / photo))
        turn, faces = search.find(cv2.cvtColor(image, cv2.COLOR_BGR2GRAY))
        image = np.dstack([turn_picture(channel, turn) for channel in cv2.split(image)])
        for number, (left, top, width, height) in enumerate(face.box for face in faces):
            start, end = np.maximum([left - width / 2, top - height / 2], 0), [left + 1.5 * width, top + 1.5 * height]
            (x, y), (right, bottom) = np.round([start, end]).astype(int)
            for side in (90, 160):
                scaled = cv2.resize(image[y:bottom, x:right], (side, side + 10), interpolation=cv2.INTER_AREA)
                for label, picture in zip(SIDES, (scaled, scaled[:, ::-1]), strict=True):
                    rows.append((f"{Path(photo).stem}-{number}-{side}-{label}.jpg", label))
                    cv2.imwrite(str(folder / rows[-1][0]), picture)
    with (folder / "faces.csv").open("w", newline="") as file:
        csv.writer(file).writerows([("path", "label"), *rows])


def test_drawn_classes_reach_networks_report_and_card(drawn):
    table = read_face_table(drawn / "data/filtered")
    assert table.all_classes == table.classes == CLASSES
    assert set(table.faces["file"]) <= set(pd.read_csv(drawn / "data/raw/pictures.csv")["file"])
    training = json.loads((drawn / "models/official/small/training.json").read_text())
    assert training["classes"] == list(CLASSES)
    models = json.loads((drawn / "reports/own/models.json").read_text())
    assert list(models) == ["shallow", "shallow-ensemble", "small", "small-ensemble", "ensemble"]
    assert all(list(model["recall"]) == list(CLASSES) for model in models.values())
    predictions = pd.read_csv(drawn / "reports/own/predictions.csv")
    assert set(predictions["emotion"]) == set(CLASSES)
    assert {f"small_{name}" for name in CLASSES} <= set(predictions)
    card = json.loads((drawn / "models/serving/card.json").read_text())
    assert (card["classes"], card["trained_classes"], card["dataset"]) == ([*CLASSES], [*CLASSES], "its own data set")
    page = (drawn / "reports/report.html").read_text()
    assert "say nothing about real faces" not in page
    assert list_md5(list_pictures(drawn.parent / "faces")) in page
    dataset = json.loads((drawn / "reports/dataset.json").read_text())
    assert list(dataset["detected_by_emotion"]) == list(CLASSES)


def test_drawn_faces_are_shown_as_they_are_read(drawn):
    shown = (drawn / ".git" / "stdout").read_text()
    assert "PublicTest (drawn)" in shown
    assert all(name in shown for name in CLASSES)
    for name in ("accuracy", "confusion", "learning_curves", "recall"):
        assert cv2.imread(str(drawn / f"reports/own/figures/{name}.png")).std() > 5
    assert "Data and pipelines are up to date" in dvc(drawn, "repro").stdout


def test_app_serves_classes_of_ones_own(drawn):
    client = TestClient(create_app(Settings(), Recognizer.load(drawn / "models/serving")))
    emotions = client.get("/api/v1/settings").json()["emotions"]
    assert [(emotion["name"], emotion["emoji"]) for emotion in emotions] == [
        *(("calm", None), ("delighted", None), ("surprise", "😮"))
    ]
    assert client.get("/api/v1/model").json()["classes"] == list(CLASSES)
    photo = encode(draw_photo("delighted", 1))
    (face,) = client.post("/api/v1/recognize", content=photo, headers={"Content-Type": "image/png"}).json()["faces"]
    assert list(face["probabilities"]) == list(CLASSES)
    assert face["emotion"] in CLASSES


def test_change_in_the_folder_is_noticed_and_then_used(drawn, tmp_path):
    folder = tmp_path / "faces"
    shutil.copytree(drawn.parent / "faces", folder)

    def check(source: Path) -> subprocess.CompletedProcess:
        command = [sys.executable, "-m", "stages.download", "--check"]
        variables = environment() | {"FACES_FOLDER": str(source)}
        return subprocess.run(command, cwd=drawn, env=variables, capture_output=True, text=True)

    assert check(folder).returncode == 0
    (folder / "train/Calm/000.jpg").rename(folder / "train/delighted/new.jpg")
    refused = check(folder)
    assert refused.returncode == 1
    assert refused.stderr.endswith(f"to {list_md5(list_pictures(folder))} to use them\n")
    missing = check(tmp_path / "nothing")
    assert missing.stderr.endswith(
        "nothing is missing or neither a folder nor a .csv: give an unpacked folder or a CSV that lists pictures\n"
    )


def test_real_photographs_pass_the_whole_pipeline(photographed):
    table = read_face_table(photographed / "data/filtered")
    assert table.classes == SIDES
    assert len(table) > 60
    assert set(table.faces["official"]) >= {"training", "validation", "test"}
    assert table.faces["detected"].mean() > 0.8
    models = json.loads((photographed / "reports/own/models.json").read_text())
    assert models["ensemble"]["n"] == (table.faces["official"] == "test").sum()
    card = json.loads((photographed / "models/serving/card.json").read_text())
    assert card["classes"] == list(SIDES)
