"""The study's networks as it describes them: layers, sizes, initial weights, what goes in and what comes out.

ResNet-10 and the pre-activation network are ours.
"""

import functools
import json
import os

import keras
import numpy as np
import pytest

from facial_expression import runtime
from facial_expression.networks import preactivation, resnet10, resnet34, shallow, wide
from facial_expression.params import Runtime
from facial_expression.snapshots import architecture

MODULES = {
    "shallow": shallow,
    "wide": wide,
    "resnet10": resnet10,
    "resnet34": resnet34,
    "preactivation": preactivation,
}
PLAIN = ("shallow", "wide")


def build(name, classes=6, size=48, seed=1):
    here = Runtime(
        backend=keras.backend.backend(), onednn=int(os.environ["TF_ENABLE_ONEDNN_OPTS"]), threads=0, workers=1
    )
    runtime.prepare(here, seed)
    return MODULES[name].build(classes, size)


built = functools.cache(build)  # for tests that only look


def faces(count, size, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (count, size, size, 1), dtype=np.uint8)


def answers(network, pixels, training=False):
    return keras.ops.convert_to_numpy(network(pixels, training=training))


def weights_of(network):
    return [variable.numpy() for variable in network.trainable_variables]


def output_shapes(network, kind):
    return [tuple(layer.output.shape[1:]) for layer in network.layers if isinstance(layer, kind)]


@pytest.mark.parametrize(("classes", "size"), [(6, 48), (7, 48), (2, 24), (6, 33)])
@pytest.mark.parametrize("name", MODULES)
def test_probabilities_of_all_classes_for_any_size(name, classes, size):
    network = built(name, classes, size)
    assert network.name == name
    assert network.input_shape == (None, size, size, 1)
    assert network.output_shape == (None, classes)
    probabilities = answers(network, faces(3, size))
    assert probabilities.shape == (3, classes)
    assert probabilities.dtype == np.float32
    assert (probabilities >= 0).all()
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, atol=1e-5)


@pytest.mark.parametrize(
    ("name", "layers"),
    [
        # 5x5 kernels and biases; the dense layer sees 12 x 12 x 36 or 6 x 6 x 64 features.
        ("shallow", [(25, 16), (25 * 16, 36), (12 * 12 * 36, 128), (128, 6)]),
        ("wide", [(25, 32), (25 * 32, 64), (25 * 64, 64), (6 * 6 * 64, 128), (128, 6)]),
    ],
)
def test_parameters_are_those_of_the_studys_layers(name, layers):
    assert built(name).count_params() == sum(inputs * outputs + outputs for inputs, outputs in layers)


@pytest.mark.parametrize(
    ("name", "millions"),
    [("shallow", 0.68), ("wide", 0.45), ("resnet10", 4.9), ("resnet34", 21.3), ("preactivation", 1.2)],
)
def test_parameters_are_as_many_as_documented(name, millions):
    module = MODULES[name]
    digits = len(str(millions).partition(".")[2])
    assert round(built(name).count_params() / 1e6, digits) == millions
    assert f"{millions} million parameters" in module.__doc__ + module.build.__doc__


@pytest.mark.parametrize(
    ("name", "filters", "sides"), [("shallow", [16, 36], [24, 12]), ("wide", [32, 64, 64], [24, 12, 6])]
)
def test_plain_networks_follow_the_studys_sequence(name, filters, sides):
    network = built(name)
    kinds = [type(layer).__name__ for layer in network.layers]
    dropout = ["Dropout"] if name == "wide" else []
    blocks = ["Conv2D", "MaxPooling2D", "ReLU"] * len(filters)
    assert kinds == ["InputLayer", "Rescaling", *blocks, "Flatten", *dropout, "Dense", "Dense"]
    convolutions = [layer for layer in network.layers if isinstance(layer, keras.layers.Conv2D)]
    assert [layer.kernel_size for layer in convolutions] == [(5, 5)] * len(filters)
    assert [layer.strides for layer in convolutions] == [(1, 1)] * len(filters)
    pooled = [(side, side, count) for side, count in zip(sides, filters, strict=True)]
    assert output_shapes(network, keras.layers.MaxPooling2D) == pooled
    dense = [layer for layer in network.layers if isinstance(layer, keras.layers.Dense)]
    assert [(layer.units, layer.activation.__name__) for layer in dense] == [(128, "relu"), (6, "softmax")]
    rates = [layer.rate for layer in network.layers if isinstance(layer, keras.layers.Dropout)]
    assert rates == [0.3] * len(dropout)


def test_resnet_has_the_published_stages():
    network = built("resnet34")
    sums = output_shapes(network, keras.layers.Add)
    assert sums == [(12, 12, 64)] * 3 + [(6, 6, 128)] * 4 + [(3, 3, 256)] * 6 + [(2, 2, 512)] * 3
    convolutions = [layer for layer in network.layers if isinstance(layer, keras.layers.Conv2D)]
    weighted = [layer for layer in convolutions if layer.kernel_size != (1, 1)]
    assert len(weighted) + 1 == 34  # the dense layer is the last of the thirty-four
    assert len(convolutions) - len(weighted) == 3  # projections, where the filters change
    stem = convolutions[0]
    assert (stem.kernel_size, stem.strides, stem.filters) == ((7, 7), (2, 2), 64)
    assert output_shapes(network, keras.layers.MaxPooling2D) == [(12, 12, 64)]
    normalised = [layer for layer in network.layers if isinstance(layer, keras.layers.BatchNormalization)]
    assert len(normalised) == len(convolutions)
    assert not any(layer.use_bias for layer in convolutions)


def test_preactivation_network_halves_filters_and_doubles_resolution_of_resnet10():
    network, resnet = built("preactivation"), built("resnet10")
    sums, those_of_resnet = (output_shapes(each, keras.layers.Add) for each in (network, resnet))
    assert sums == [(24, 24, 32), (12, 12, 64), (6, 6, 128), (3, 3, 256)]
    assert [filters * 2 for *_, filters in sums] == [filters for *_, filters in those_of_resnet]
    assert [side for side, *_ in sums[1:]] == [side for side, *_ in those_of_resnet[:3]]


def test_preactivation_network_leaves_its_sums_untouched():
    network = built("preactivation")
    for layer in network.layers:
        if isinstance(layer, keras.layers.Add):
            readers = {type(node.operation).__name__ for node in layer._outbound_nodes}
            assert readers <= {"Add", "BatchNormalization"}
            sources = {type(tensor._keras_history.operation).__name__ for tensor in layer.input}
            assert sources <= {"Add", "Conv2D"}


def test_resnet10_lacks_the_further_layers_of_resnet34_alone():
    shallower = built("resnet10")
    sums = output_shapes(shallower, keras.layers.Add)
    assert sums == [(12, 12, 64), (6, 6, 128), (3, 3, 256), (2, 2, 512)]
    shapes = {layer.name: [weight.shape for weight in layer.weights] for layer in built("resnet34").layers}
    for layer in shallower.layers:
        assert [weight.shape for weight in layer.weights] == shapes[layer.name]


@pytest.mark.parametrize(("name", "counts"), [("resnet10", [1, 1, 1, 1]), ("resnet34", [3, 4, 6, 3])])
def test_resnet_without_pooling_in_the_stem_has_twice_the_resolution_and_the_same_weights(name, counts):
    network, pooled = MODULES[name].build(6, 48, stem_pool=False), built(name)
    places = [(24, 24, 64), (12, 12, 128), (6, 6, 256), (3, 3, 512)]
    sums = [place for place, count in zip(places, counts, strict=True) for _ in range(count)]
    assert output_shapes(network, keras.layers.Add) == sums
    assert [weight.path for weight in network.weights] == [weight.path for weight in pooled.weights]
    assert [weight.shape for weight in network.weights] == [weight.shape for weight in pooled.weights]


def test_resnet_of_fewer_stages_is_refused():
    with pytest.raises(ValueError, match="shorter"):
        resnet34.build(6, 48, blocks=(1, 1, 1))


@pytest.mark.parametrize("name", PLAIN)
def test_plain_weights_start_truncated_normal_and_biases_at_a_twentieth(name):
    kernels = [weight for weight in weights_of(built(name)) if weight.ndim > 1]
    biases = [weight for weight in weights_of(built(name)) if weight.ndim == 1]
    for bias in biases:
        np.testing.assert_array_equal(bias, np.float32(0.05))
    drawn = np.concatenate([kernel.ravel() for kernel in kernels])
    assert np.abs(drawn).max() <= 0.1  # cut at two standard deviations
    assert drawn.mean() == pytest.approx(0, abs=0.001)
    # A normal distribution of standard deviation 0.05 keeps 0.8796 of it when cut there.
    assert drawn.std() == pytest.approx(0.05 * 0.8796, rel=0.01)
    # No layer repeats the draw of another.
    starts = {tuple(kernel.ravel()[:5]) for kernel in kernels}
    assert len(starts) == len(kernels)


def test_resnet_weights_start_as_in_its_reference():
    network = built("resnet34")
    convolutions = [layer for layer in network.layers if isinstance(layer, keras.layers.Conv2D)]
    for layer in convolutions:
        kernel = layer.kernel.numpy()
        assert kernel.std() == pytest.approx(np.sqrt(2 / np.prod(kernel.shape[:3])), rel=0.05)


@pytest.mark.parametrize("name", MODULES)
def test_seed_decides_the_weights_and_nothing_of_the_description(name):
    first, again, other = built(name), build(name), build(name, seed=2)
    for one, two in zip(weights_of(first), weights_of(again), strict=True):
        np.testing.assert_array_equal(one, two)
    assert not np.array_equal(weights_of(first)[0], weights_of(other)[0])
    assert json.dumps(architecture(first)) == json.dumps(architecture(other))


@pytest.mark.parametrize("name", MODULES)
def test_gray_levels_are_scaled_to_one_inside(name):
    network = built(name)
    scale = network.get_layer("scale")
    np.testing.assert_allclose(scale(np.array([0, 51, 255], np.float32)), [0, 0.2, 1], rtol=1e-6)
    first_convolution = next(layer for layer in network.layers if isinstance(layer, keras.layers.Conv2D))
    assert first_convolution.input is scale.output


@pytest.mark.parametrize("name", PLAIN)
def test_bytes_and_floats_of_the_same_gray_levels_get_the_same_answer(name):
    network, pixels = built(name), faces(4, 48)
    np.testing.assert_array_equal(answers(network, pixels), answers(network, pixels.astype(np.float32)))


def test_dropout_works_in_training_alone():
    network, pixels = built("wide"), faces(2, 48)
    asked, learning = ([answers(network, pixels, training) for _ in range(2)] for training in (False, True))
    np.testing.assert_array_equal(*asked)
    assert not np.array_equal(*learning)


def test_wide_network_does_not_take_pictures_smaller_than_its_three_poolings():
    assert build("wide", size=8).output_shape == (None, 6)
    with pytest.raises(ValueError, match="zero or negative"):
        build("wide", size=7)
