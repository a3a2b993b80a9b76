"""Predictions of networks: of every snapshot, for every part, view and class."""

import keras
import numpy as np
import pytest

from facial_expression.data.face_table import LabeledImages
from facial_expression.errors import UserError
from facial_expression.evaluation import inference
from facial_expression.networks import build_network
from facial_expression.probabilities import average_views, renormalize
from facial_expression.training import snapshots
from facial_expression.views import ONE_VIEW, Views

SIZE = 24
KEPT = (5, 0, 3)
FACES = np.random.default_rng(0).integers(0, 256, (9, SIZE, SIZE), dtype=np.uint8)
MIRRORED = FACES[:, :, ::-1]
BOTH = Views(mirror=True)
NETWORKS = {
    "wide": {"module": "wide"},
    "preactivation": {
        "module": "resnet",
        "blocks": (1, 1, 1, 1),
        "filters": (4, 8, 8, 8),
        "stem": 5,
        "stem_pool": False,
        "preactivation": True,
    },
}


@pytest.fixture(scope="module", params=NETWORKS)
def network(request):
    """Its weights, and running means where it has them, give each face its own prediction."""
    keras.utils.set_random_seed(1)
    network = build_network(classes=6, size=SIZE, **NETWORKS[request.param])
    for layer in network.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.momentum = 0.0  # one pass makes the running means those of the faces
    network(FACES[..., None], training=True)
    network.layers[-1].bias.assign(np.linspace(-0.3, 0.3, 6))
    return network


def test_predictions_differ_for_faces_and_mirror_images(network):
    plain, mirrored = snapshots.predict(network, FACES), snapshots.predict(network, MIRRORED)
    assert np.abs(plain - mirrored).max() > 1e-3
    assert np.ptp(plain, axis=0).min() > 1e-3


def test_views_are_the_face_and_its_mirror_image(network):
    views = inference.predict_views(network, FACES, BOTH)
    assert (views.shape, views.dtype) == ((2, 9, 6), np.float32)
    np.testing.assert_array_equal(views[0], snapshots.predict(network, FACES))
    np.testing.assert_array_equal(views[1], snapshots.predict(network, MIRRORED))
    single = inference.predict_views(network, FACES, ONE_VIEW)
    assert single.shape == (1, 9, 6)
    np.testing.assert_array_equal(single[0], views[0])


def test_average_of_two_views_renormalizes_each_first(network):
    average = average_views(inference.predict_views(network, FACES, BOTH), KEPT)
    views = [snapshots.predict(network, view) for view in (FACES, MIRRORED)]
    np.testing.assert_allclose(average, np.mean([renormalize(view, KEPT) for view in views], axis=0), atol=1e-6)
    assert np.abs(average - renormalize(np.mean(views, axis=0), KEPT)).max() > 1e-5


def test_two_views_predict_the_same_for_the_mirror_image(network):
    averages = [average_views(inference.predict_views(network, view, BOTH), KEPT) for view in (FACES, MIRRORED)]
    np.testing.assert_allclose(*averages, atol=1e-6)


@pytest.mark.parametrize("views", [ONE_VIEW, Views(mirror=True, rotation=9.0)])
def test_predicts_every_part_with_every_snapshot(network, tmp_path, views):
    snapshots.write_description(tmp_path, network, {})
    head = network.layers[-1].bias
    original = np.array(head)
    for iteration, bias in ((20, original + np.arange(6)), (100, original)):
        head.assign(bias)
        snapshots.write_snapshot(tmp_path, network, iteration)
    labels = np.zeros(9, int)
    parts = {
        "validation": LabeledImages(FACES[:4], labels[:4], np.arange(4)),
        "test": LabeledImages(FACES[4:], labels[4:], np.arange(4, 9)),
    }
    predictions = inference.predict_snapshots(tmp_path, parts, views, last=5, progress=False)
    assert predictions.iterations == (20, 100)
    assert predictions.parameters == network.count_params()
    assert {part: rows.tolist() for part, rows in predictions.rows.items()} == {
        "validation": [0, 1, 2, 3],
        "test": [4, 5, 6, 7, 8],
    }
    assert predictions.probabilities["test"].shape == (2, views.count, 5, 6)
    for part, faces in parts.items():
        latest = inference.predict_views(network, faces.images, views)
        np.testing.assert_allclose(predictions.probabilities[part][1], latest, atol=1e-6)
        assert np.abs(predictions.probabilities[part][0] - latest).max() > 0.05
    last = inference.predict_snapshots(tmp_path, parts, views, last=1, progress=False)
    assert last.iterations == (100,)
    np.testing.assert_array_equal(last.probabilities["test"][0], predictions.probabilities["test"][1])


def test_rejects_model_without_snapshots(tmp_path):
    with pytest.raises(UserError, match="holds no snapshot: run `dvc repro` to train it"):
        inference.predict_snapshots(tmp_path, {}, ONE_VIEW, last=1)
