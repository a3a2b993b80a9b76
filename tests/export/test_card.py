"""The card: it leads back to where a network comes from, and what it says of the input is what cropping does."""

import hashlib
import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from facial_expression.card import Answering, Variant, describe_preprocessing, make_card
from facial_expression.cropping import make_cropper
from facial_expression.facetable import FaceTable, write_face_table
from facial_expression.mean_shape import load_mean_shape
from facial_expression.params import load_params

CLASSES = ("angry", "happy")
RECIPE = {"seed": 3, "iterations": 400}
VARIANTS = {"fp32": Variant(400, "aa", 0.5, 0.6, 1e-6), "int8": Variant(100, "bb", 0.499, 0.61, 0.02)}


@pytest.fixture(scope="module")
def align():
    params = load_params(Path(__file__).parents[1] / "params.yaml")
    return params.align.model_copy(update={"margin": 0.1, "border": "replicate"})


@pytest.fixture
def data(tmp_path):
    images = np.random.default_rng(0).integers(0, 256, (3, 48, 48), dtype=np.uint8)
    faces = pd.DataFrame({"row": range(3), "emotion": ["angry", "happy", "fear"], "usage": "Training"})
    write_face_table(tmp_path / "filtered", FaceTable(images, faces))
    return {name: tmp_path / "filtered" / name for name in ("images.npy", "faces.csv")}


def test_card_says_which_network_it_is_and_where_it_comes_from(align, data):
    description = {"classes": [*CLASSES, "fear"], "protocol": "official", "recipe": RECIPE, "runtime": {"device": "x"}}
    network = {"family": "shallow", "snapshot": 400, **description}
    answering, preprocessing = Answering(True, 1.25, 0.4), describe_preprocessing("aligned", align, load_mean_shape())
    card = make_card("int8", VARIANTS, CLASSES, network, answering, {"accuracy": 0.6}, preprocessing, data)
    assert card == json.loads(json.dumps(card))
    assert (card["family"], card["snapshot"], card["protocol"]) == ("shallow", 400, "official")
    assert (card["classes"], card["trained_classes"]) == (list(CLASSES), [*CLASSES, "fear"])
    assert (card["flip"], card["temperature"], card["uncertain_below"]) == (True, 1.25, 0.4)
    assert (card["model"]["file"], card["model"]["variant"]) == ("model.onnx", "int8")
    assert (card["model"]["bytes"], card["model"]["sha256"]) == (100, "bb")
    assert card["variants"]["fp32"]["validation_accuracy"] == 0.5
    assert card["recipe"] == RECIPE
    reordered = json.dumps(dict(sorted(RECIPE.items())))
    assert card["recipe_sha256"] == hashlib.sha256(reordered.encode()).hexdigest()
    for name, path in data.items():
        assert card["data"][name]["sha256"] == hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.mark.parametrize(
    ("pictures", "settings"), [("aligned", {"landmark_set", "size", "margin", "border"}), ("framed", {"size"})]
)
def test_preprocessing_describes_the_input(align, pictures, settings):
    preprocessing = describe_preprocessing(pictures, align, load_mean_shape())
    shape = {"shape": ["faces", 48, 48, 1], "dtype": "float32"}
    assert preprocessing["input"] == {"name": "pixels", "gray_levels": [0, 255], **shape}
    assert (preprocessing["pictures"], preprocessing["border"]) == (pictures, "replicate")
    settings = settings | {"passes", "landmark_enlargement"}
    assert set(preprocessing) == settings | {"border", "input", "pictures", "landmarks", "template"}
    assert {key: preprocessing[key] for key in settings} == align.model_dump(include=settings)


@pytest.mark.parametrize("pictures", ["aligned", "framed"])
def test_landmarks_on_the_cards_template_stay_where_they_are(align, pictures):
    preprocessing = describe_preprocessing(pictures, align, load_mean_shape())
    generator = np.random.default_rng(0)
    landmarks, face = generator.uniform(0, 48, (68, 2)), generator.integers(0, 256, (48, 48), dtype=np.uint8)
    landmarks[preprocessing["landmarks"]] = np.multiply(preprocessing["size"], preprocessing["template"])
    crop = make_cropper(pictures, preprocessing, load_mean_shape()).crop(face, landmarks)
    np.testing.assert_allclose(crop.astype(int), face, atol=1)
