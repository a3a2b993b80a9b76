"""The card: where a model comes from, and an input that cropping reproduces."""

import hashlib
import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from facial_expression.data.face_table import FaceTable, write_face_table
from facial_expression.export.card import Inference, Member, Variant, describe_preprocessing, make_card
from facial_expression.faces.crops import make_cropper
from facial_expression.faces.mean_shape import load_mean_shape
from facial_expression.params import load_params
from facial_expression.views import Views

CLASSES = ("angry", "happy")
RECIPE = {"seed": 3, "iterations": 400}
NETWORK = {"module": "shallow"}
VARIANTS = {"fp32": Variant(400, "aa", 0.5, 0.6, 1e-6), "int8": Variant(100, "bb", 0.499, 0.61, 0.02)}


@pytest.fixture(scope="module")
def align():
    params = load_params(Path(__file__).parents[2] / "params.yaml")
    return params.align.model_copy(update={"margin": 0.1, "border": "replicate"})


@pytest.fixture
def data(tmp_path):
    images = np.random.default_rng(0).integers(0, 256, (3, 48, 48), dtype=np.uint8)
    faces = pd.DataFrame({"row": range(3), "emotion": ["angry", "happy", "fear"], "usage": "Training"})
    write_face_table(tmp_path / "filtered", FaceTable(images, faces))
    return {name: tmp_path / "filtered" / name for name in ("images.npy", "faces.csv")}


@pytest.fixture
def card(align, data):
    description = {
        "classes": [*CLASSES, "fear"],
        "protocol": "official",
        "input": "aligned",
        "network": NETWORK,
        "recipe": RECIPE,
        "runtime": {"device": "x"},
    }
    members = [Member("a shallow network", "shallow", 400, description)]
    inference = Inference(Views(mirror=True), temperature=1.25, confidence_threshold=0.4)
    preprocessing = describe_preprocessing("aligned", align, load_mean_shape())
    return make_card("int8", VARIANTS, CLASSES, members, inference, {"accuracy": 0.6}, preprocessing, data)


def test_card_is_plain_json(card):
    assert card == json.loads(json.dumps(card, allow_nan=False))


def test_card_names_network_classes_and_inference(card):
    assert (card["title"], card["run"], card["protocol"]) == ("a shallow network", "shallow", "official")
    (member,) = card["members"]
    assert (member["run"], member["snapshot"], member["input"]) == ("shallow", 400, "aligned")
    assert (member["network"], member["runtime"]) == (NETWORK, {"device": "x"})
    assert (card["classes"], card["trained_classes"]) == (list(CLASSES), [*CLASSES, "fear"])
    assert (card["views"], card["temperature"], card["confidence_threshold"]) == (
        {"mirror": True, "shift": 0.0, "scale": 0.0, "rotation": 0.0},
        1.25,
        0.4,
    )
    assert card["metrics"] == {"accuracy": 0.6}
    assert card["dataset"] == "FER2013"


def test_card_describes_the_served_file_and_all_variants(card):
    assert card["model"] == {
        "file": "model.onnx",
        "variant": "int8",
        "bytes": 100,
        "sha256": "bb",
        "validation_accuracy": 0.499,
        "accuracy": 0.61,
        "max_difference": 0.02,
    }
    assert list(card["variants"]) == ["fp32", "int8"]
    assert card["variants"]["int8"] == {key: card["model"][key] for key in card["variants"]["int8"]}
    assert card["variants"]["fp32"]["validation_accuracy"] == 0.5


def test_card_hashes_recipe_and_data(card, data):
    (member,) = card["members"]
    assert member["recipe"] == RECIPE
    reordered = json.dumps(dict(sorted(RECIPE.items())))
    assert member["recipe_sha256"] == hashlib.sha256(reordered.encode()).hexdigest()
    hashes = {name: {"sha256": hashlib.sha256(path.read_bytes()).hexdigest()} for name, path in data.items()}
    assert card["data"] == hashes


@pytest.mark.parametrize(
    ("titles", "title"),
    [
        (["a small one"], "a small one"),
        (["a small one", "a small one"], "the average of 2 networks, each a small one"),
        (["a small one", "a large one"], "the average of 2 networks, a small one and a large one"),
    ],
)
def test_title_names_all_networks(align, data, titles, title):
    keys = ("protocol", "input", "network", "recipe", "runtime")
    description = {"classes": CLASSES, **dict.fromkeys(keys)}
    members = [Member(name, f"run-{number}", 1, description) for number, name in enumerate(titles)]
    inference = Inference(Views(), temperature=1.0, confidence_threshold=0.4)
    card = make_card("int8", VARIANTS, CLASSES, members, inference, {}, {}, data)
    assert card["title"] == title
    assert card["run"] == " + ".join(member.run for member in members)


@pytest.mark.parametrize(
    ("crop", "settings"), [("aligned", {"landmark_set", "size", "margin", "border"}), ("centered", {"size"})]
)
def test_preprocessing_describes_the_input(align, crop, settings):
    preprocessing = describe_preprocessing(crop, align, load_mean_shape())
    shape = {"shape": ["faces", 48, 48, 1], "dtype": "float32"}
    assert preprocessing["input"] == {"name": "pixels", "gray_levels": [0, 255], **shape}
    assert (preprocessing["crop"], preprocessing["border"]) == (crop, "replicate")
    settings = settings | {"passes", "landmark_enlargement"}
    assert set(preprocessing) == settings | {"border", "input", "crop", "landmarks", "template"}
    assert {key: preprocessing[key] for key in settings} == align.model_dump(include=settings)


def test_centered_crops_replicate_borders_whatever_is_set(align):
    black = align.model_copy(update={"border": "black"})
    assert describe_preprocessing("centered", black, load_mean_shape())["border"] == "replicate"
    assert describe_preprocessing("aligned", black, load_mean_shape())["border"] == "black"


@pytest.mark.parametrize("crop", ["aligned", "centered"])
def test_crop_keeps_landmarks_that_lie_on_the_template(align, crop):
    preprocessing = describe_preprocessing(crop, align, load_mean_shape())
    generator = np.random.default_rng(0)
    landmarks, face = generator.uniform(0, 48, (68, 2)), generator.integers(0, 256, (48, 48), dtype=np.uint8)
    landmarks[preprocessing["landmarks"]] = np.multiply(preprocessing["size"], preprocessing["template"])
    cropped = make_cropper(crop, json.loads(json.dumps(preprocessing)), load_mean_shape()).crop(face, landmarks)
    np.testing.assert_allclose(cropped.astype(int), face, atol=1)
