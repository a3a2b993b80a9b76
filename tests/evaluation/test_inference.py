"""What networks answer for some of their classes: with mirror images, and with the other logits left out."""

import keras
import numpy as np
import pytest

from facial_expression import ensembling, inference, snapshots
from facial_expression.ensembling import condition
from facial_expression.facetable import LabelledImages
from facial_expression.networks import resnet10, resnet34, wide

SIZE = 24
KEPT = (5, 0, 3)
FACES = np.random.default_rng(0).integers(0, 256, (9, SIZE, SIZE), dtype=np.uint8)


@pytest.fixture(scope="module", params=["wide", "resnet10"])
def network(request):
    """With weights, and running means where it has them, that give each face its own answer."""
    keras.utils.set_random_seed(1)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(resnet34, "FILTERS", (4, 8, 8, 8))
        network = {"wide": wide, "resnet10": resnet10}[request.param].build(6, SIZE)
    for layer in network.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.momentum = 0.0  # one pass makes the running means those of the faces
    network(FACES[..., None], training=True)
    network.layers[-1].bias.assign(np.linspace(-0.3, 0.3, 6))
    return network


def recognise(network, faces, kept, flip):
    return ensembling.recognise(inference.predict_views(network, faces, flip), kept)


def test_answers_of_faces_and_their_mirror_images_differ(network):
    plain, mirrored = snapshots.predict(network, FACES), snapshots.predict(network, FACES[:, :, ::-1])
    assert np.abs(plain - mirrored).max() > 1e-3
    assert np.ptp(plain, axis=0).min() > 1e-3


def test_without_flip_the_answer_is_the_conditioned_one_in_the_order_of_the_kept_classes(network):
    answer = recognise(network, FACES, KEPT, flip=False)
    kept = snapshots.predict(network, FACES)[:, KEPT]
    assert answer.shape == (9, 3)
    assert answer.dtype == np.float32
    np.testing.assert_allclose(answer, kept / kept.sum(axis=1, keepdims=True), atol=1e-6)


def test_with_flip_the_answer_is_the_mean_of_two_conditioned_ones(network):
    views = [condition(snapshots.predict(network, view), KEPT) for view in (FACES, FACES[:, :, ::-1])]
    answer = recognise(network, FACES, KEPT, flip=True)
    np.testing.assert_allclose(answer, (views[0] + views[1]) / 2, atol=1e-6)
    conditioned_mean = condition(
        (snapshots.predict(network, FACES) + snapshots.predict(network, FACES[:, :, ::-1])) / 2, KEPT
    )
    assert np.abs(answer - conditioned_mean).max() > 1e-5


def test_with_flip_a_face_and_its_mirror_image_get_the_same_answer(network):
    answers = [recognise(network, view, KEPT, flip=True) for view in (FACES, FACES[:, :, ::-1])]
    np.testing.assert_allclose(*answers, atol=1e-6)


def test_all_classes_kept_are_the_networks_own_answer(network):
    answer = recognise(network, FACES, range(6), flip=False)
    np.testing.assert_allclose(answer, snapshots.predict(network, FACES), atol=1e-6)


@pytest.mark.parametrize("kept", [KEPT, (1, 2), range(6)])
def test_restricted_network_answers_as_is_recognised_without_flip(network, kept):
    before = network.get_weights()
    restricted = inference.restrict(network, kept)
    assert restricted.output_shape == (None, len(kept))
    assert (restricted.name, restricted.layers[-1].name) == (network.name, network.layers[-1].name)
    expected = recognise(network, FACES, kept, flip=False)
    np.testing.assert_allclose(snapshots.predict(restricted, FACES), expected, atol=1e-6)
    for one, two in zip(network.get_weights(), before, strict=True):
        np.testing.assert_array_equal(one, two)


def test_views_are_the_face_and_its_mirror_image(network):
    views = inference.predict_views(network, FACES, flip=True)
    assert views.shape == (2, 9, 6)
    np.testing.assert_array_equal(views[0], inference.predict_views(network, FACES, flip=False)[0])
    np.testing.assert_array_equal(views[1], snapshots.predict(network, FACES[:, :, ::-1]))


def test_every_snapshot_is_asked_about_every_part(network, tmp_path):
    snapshots.write_description(tmp_path, network, {})
    head = network.layers[-1].bias
    original = np.array(head)
    for iteration, bias in ((20, original + np.arange(6)), (100, original)):
        head.assign(bias)
        snapshots.write_snapshot(tmp_path, network, iteration)
    labels = np.zeros(9, int)
    parts = {
        "validation": LabelledImages(FACES[:4], labels[:4], np.arange(4)),
        "test": LabelledImages(FACES[4:], labels[4:], np.arange(4, 9)),
    }
    predictions = inference.predict_snapshots(tmp_path, parts, flip=True, progress=False)
    assert predictions.iterations == (20, 100)
    assert {part: rows.tolist() for part, rows in predictions.rows.items()} == {
        "validation": [0, 1, 2, 3],
        "test": [4, 5, 6, 7, 8],
    }
    assert predictions.probabilities["test"].shape == (2, 2, 5, 6)
    for part, faces in parts.items():
        latest = inference.predict_views(network, faces.images, flip=True)
        np.testing.assert_allclose(predictions.probabilities[part][1], latest, atol=1e-6)
        assert np.abs(predictions.probabilities[part][0] - latest).max() > 0.05


def test_a_model_without_snapshots_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match="holds no snapshot: run `dvc repro` to train"):
        inference.predict_snapshots(tmp_path, {}, flip=False)
