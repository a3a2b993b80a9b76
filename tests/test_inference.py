"""What networks answer for some of their classes: with mirror images, and with the other logits left out."""

import keras
import numpy as np
import pytest

from facial_expression import inference, snapshots
from facial_expression.ensembling import condition
from facial_expression.networks import resnet34, wide

SIZE = 24
KEPT = (5, 0, 3)
FACES = np.random.default_rng(0).integers(0, 256, (9, SIZE, SIZE), dtype=np.uint8)


@pytest.fixture(scope="module", params=["wide", "resnet10"])
def network(request):
    """With weights, and running means where it has them, that give each face its own answer."""
    keras.utils.set_random_seed(1)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(resnet34, "FILTERS", (4, 8, 8, 8))
        network = wide.build(6, SIZE) if request.param == "wide" else resnet34.build(6, SIZE, (1, 1, 1, 1))
    for layer in network.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.momentum = 0.0  # one pass makes the running means those of the faces
    network(FACES[..., None], training=True)
    network.layers[-1].bias.assign(np.linspace(-0.3, 0.3, 6))
    return network


def test_answers_of_faces_and_their_mirror_images_differ(network):
    plain, mirrored = snapshots.predict(network, FACES), snapshots.predict(network, FACES[:, :, ::-1])
    assert np.abs(plain - mirrored).max() > 1e-3
    assert np.ptp(plain, axis=0).min() > 1e-3


def test_without_flip_the_answer_is_the_conditioned_one_in_the_order_of_the_kept_classes(network):
    answer = inference.recognise(network, FACES, KEPT, flip=False)
    kept = snapshots.predict(network, FACES)[:, KEPT]
    assert answer.shape == (9, 3)
    assert answer.dtype == np.float32
    np.testing.assert_allclose(answer, kept / kept.sum(axis=1, keepdims=True), atol=1e-6)


def test_with_flip_the_answer_is_the_mean_of_two_conditioned_ones(network):
    views = [condition(snapshots.predict(network, view), KEPT) for view in (FACES, FACES[:, :, ::-1])]
    answer = inference.recognise(network, FACES, KEPT, flip=True)
    np.testing.assert_allclose(answer, (views[0] + views[1]) / 2, atol=1e-6)
    conditioned_mean = condition(
        (snapshots.predict(network, FACES) + snapshots.predict(network, FACES[:, :, ::-1])) / 2, KEPT
    )
    assert np.abs(answer - conditioned_mean).max() > 1e-5


def test_with_flip_a_face_and_its_mirror_image_get_the_same_answer(network):
    answers = [inference.recognise(network, view, KEPT, flip=True) for view in (FACES, FACES[:, :, ::-1])]
    np.testing.assert_allclose(*answers, atol=1e-6)


def test_all_classes_kept_are_the_networks_own_answer(network):
    answer = inference.recognise(network, FACES, range(6), flip=False)
    np.testing.assert_allclose(answer, snapshots.predict(network, FACES), atol=1e-6)


@pytest.mark.parametrize("kept", [KEPT, (1, 2), range(6)])
def test_restricted_network_answers_as_is_recognised_without_flip(network, kept):
    before = network.get_weights()
    restricted = inference.restrict(network, kept)
    assert restricted.output_shape == (None, len(kept))
    assert (restricted.name, restricted.layers[-1].name) == (network.name, network.layers[-1].name)
    expected = inference.recognise(network, FACES, kept, flip=False)
    np.testing.assert_allclose(snapshots.predict(restricted, FACES), expected, atol=1e-6)
    for one, two in zip(network.get_weights(), before, strict=True):
        np.testing.assert_array_equal(one, two)
