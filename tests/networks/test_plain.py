"""The study's plain networks: its layers, sizes and initial weights."""

import functools

import keras
import numpy as np
import pytest

from helpers.networks import build, layers_of, output_shapes, random_faces

built = functools.cache(build)  # for tests that change nothing
both = pytest.mark.parametrize("module", ["shallow", "wide"])


def kernels_and_biases(network):
    weights = [keras.ops.convert_to_numpy(weight) for weight in network.trainable_variables]
    return [weight for weight in weights if weight.ndim > 1], [weight for weight in weights if weight.ndim == 1]


@pytest.mark.parametrize(
    ("module", "layers"),
    [
        # Inputs and outputs of 5x5 convolutions, then of dense layers after 12x12x36 or 6x6x64 features.
        ("shallow", [(25, 16), (25 * 16, 36), (12 * 12 * 36, 128), (128, 6)]),
        ("wide", [(25, 32), (25 * 32, 64), (25 * 64, 64), (6 * 6 * 64, 128), (128, 6)]),
    ],
)
def test_has_the_parameters_of_the_studys_layers(module, layers):
    assert built(module).count_params() == sum(inputs * outputs + outputs for inputs, outputs in layers)


@pytest.mark.parametrize(
    ("module", "filters", "sides", "dropout"),
    [("shallow", [16, 36], [24, 12], []), ("wide", [32, 64, 64], [24, 12, 6], [0.3])],
)
def test_has_the_studys_sequence_of_layers(module, filters, sides, dropout):
    network = built(module)
    blocks = ["Conv2D", "MaxPooling2D", "ReLU"] * len(filters)
    layers = ["InputLayer", "Rescaling", *blocks, "Flatten", *["Dropout"] * len(dropout), "Dense", "Dense"]
    assert [type(layer).__name__ for layer in network.layers] == layers
    convolutions = layers_of(network, keras.layers.Conv2D)
    assert [layer.kernel_size for layer in convolutions] == [(5, 5)] * len(filters)
    assert [layer.strides for layer in convolutions] == [(1, 1)] * len(filters)
    pooled = [(side, side, count) for side, count in zip(sides, filters, strict=True)]
    assert output_shapes(network, keras.layers.MaxPooling2D) == pooled
    dense = layers_of(network, keras.layers.Dense)
    assert [(layer.units, layer.activation.__name__) for layer in dense] == [(128, "relu"), (6, "softmax")]
    assert [layer.rate for layer in layers_of(network, keras.layers.Dropout)] == dropout


@both
def test_arguments_set_filters_and_dropout(module):
    network = build(module, filters=[4, 8], dropout=0.25)
    assert output_shapes(network, keras.layers.Conv2D) == [(48, 48, 4), (24, 24, 8)]
    assert [layer.rate for layer in layers_of(network, keras.layers.Dropout)] == [0.25]
    assert not layers_of(build(module, filters=[4], dropout=0.0), keras.layers.Dropout)


@both
def test_biases_start_at_a_twentieth(module):
    for bias in kernels_and_biases(built(module))[1]:
        np.testing.assert_array_equal(bias, np.float32(0.05))


@both
def test_kernels_start_truncated_normal(module):
    drawn = np.concatenate([kernel.ravel() for kernel in kernels_and_biases(built(module))[0]])
    assert np.abs(drawn).max() <= 0.1  # truncated at two standard deviations
    assert drawn.mean() == pytest.approx(0, abs=0.001)
    # Truncation there leaves 0.8796 of the standard deviation of 0.05.
    assert drawn.std() == pytest.approx(0.05 * 0.8796, rel=0.01)


@both
def test_no_layer_repeats_the_draw_of_another(module):
    kernels = kernels_and_biases(built(module))[0]
    assert len({tuple(kernel.ravel()[:5]) for kernel in kernels}) == len(kernels)


def test_drops_features_in_training_only():
    network, pixels = built("wide"), random_faces(2, 48)[..., None]
    predicting, training = (
        [keras.ops.convert_to_numpy(network(pixels, training=mode)) for _ in range(2)] for mode in (False, True)
    )
    np.testing.assert_array_equal(*predicting)
    assert not np.array_equal(*training)


def test_rejects_images_too_small_for_three_poolings():
    assert build("wide", size=8).output_shape == (None, 6)
    with pytest.raises(ValueError, match="zero or negative"):
        build("wide", size=7)
