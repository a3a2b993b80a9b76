"""Residual networks: ResNet-34 as published, and what each argument changes."""

import functools

import keras
import numpy as np
import pytest

from facial_expression.networks import title_of
from helpers.networks import build, layers_of, output_shapes

SMALL = {"blocks": (1, 1, 1, 1), "filters": (32, 64, 128, 256), "stem": 5, "stem_pool": False, "preactivation": True}
TINY = {"blocks": (2, 1, 2), "filters": (4, 6, 8)}

built = functools.cache(functools.partial(build, "resnet"))  # for tests that change nothing


def sources_of(layer):
    """The layers whose outputs a layer takes."""
    inputs = layer.input if isinstance(layer.input, list) else [layer.input]
    return [tensor._keras_history.operation for tensor in inputs]


def readers_of(layer):
    """The layers that take a layer's output."""
    return [node.operation for node in layer._outbound_nodes]


def kinds(layers):
    return {type(layer).__name__ for layer in layers}


def test_defaults_have_the_published_stages():
    sums = output_shapes(built(), keras.layers.Add)
    assert sums == [(12, 12, 64)] * 3 + [(6, 6, 128)] * 4 + [(3, 3, 256)] * 6 + [(2, 2, 512)] * 3


def test_defaults_have_34_layers_with_weights():
    convolutions = layers_of(built(), keras.layers.Conv2D)
    in_sequence = [layer for layer in convolutions if layer.kernel_size != (1, 1)]
    assert len(in_sequence) + len(layers_of(built(), keras.layers.Dense)) == 34
    assert {layer.kernel_size for layer in in_sequence[1:]} == {(3, 3)}
    assert not any(layer.use_bias for layer in convolutions)
    assert len(layers_of(built(), keras.layers.BatchNormalization)) == len(convolutions)


def test_defaults_have_21_million_parameters():
    assert built().count_params() / 1e6 == pytest.approx(21.3, abs=0.05)
    assert title_of(built(), "resnet") == "a residual network of 21.3 million parameters"


def test_small_network_has_1_million_parameters():
    assert title_of(built(**SMALL), "resnet") == "a residual network of 1.2 million parameters"
    assert output_shapes(built(**SMALL), keras.layers.Add) == [(24, 24, 32), (12, 12, 64), (6, 6, 128), (3, 3, 256)]


@pytest.mark.parametrize("stem", [3, 5, 7])
def test_stem_sets_the_first_kernel(stem):
    first = layers_of(build("resnet", **TINY, stem=stem), keras.layers.Conv2D)[0]
    assert (first.kernel_size, first.strides, first.filters) == ((stem, stem), (2, 2), TINY["filters"][0])
    assert tuple(first.output.shape[1:3]) == (24, 24)


@pytest.mark.parametrize("preactivation", [False, True])
def test_without_stem_pool_resolution_doubles(preactivation):
    pooled, network = (built(**TINY, preactivation=preactivation, stem_pool=pool) for pool in (True, False))
    assert output_shapes(pooled, keras.layers.MaxPooling2D) == [(12, 12, 4)]
    assert output_shapes(pooled, keras.layers.Add) == [(12, 12, 4)] * 2 + [(6, 6, 6)] + [(3, 3, 8)] * 2
    assert not layers_of(network, keras.layers.MaxPooling2D)
    assert output_shapes(network, keras.layers.Add) == [(24, 24, 4)] * 2 + [(12, 12, 6)] + [(6, 6, 8)] * 2
    for one, two in zip(network.weights, pooled.weights, strict=True):
        assert (one.path, one.shape) == (two.path, two.shape)


@pytest.mark.parametrize("preactivation", [False, True])
def test_shortcuts_project_only_where_the_shape_changes(preactivation):
    network = built(**TINY, preactivation=preactivation)
    projections = [layer for layer in layers_of(network, keras.layers.Conv2D) if layer.kernel_size == (1, 1)]
    names = [f"stage_{stage}_block_1_shortcut_convolution" for stage in (2, 3)]
    assert [(layer.name, layer.strides) for layer in projections] == [(name, (2, 2)) for name in names]


def test_basic_block_activates_after_its_sum():
    for layer in layers_of(built(**TINY), keras.layers.Add):
        assert kinds(readers_of(layer)) == {"ReLU"}
        assert kinds(sources_of(layer)) <= {"BatchNormalization", "MaxPooling2D", "ReLU"}
    for layer in layers_of(built(**TINY), keras.layers.Conv2D):
        assert kinds(readers_of(layer)) == {"BatchNormalization"}


def test_preactivation_block_activates_before_convolutions():
    network = built(**TINY, preactivation=True)
    first, *others = layers_of(network, keras.layers.Conv2D)
    assert first.name == "stem_convolution"
    for layer in others:  # the projecting shortcuts included
        (activation,) = sources_of(layer)
        assert kinds([activation]) == {"ReLU"}
        assert kinds(sources_of(activation)) == {"BatchNormalization"}


def test_preactivation_leaves_sums_untouched():
    network = built(**TINY, preactivation=True, stem_pool=False)
    for layer in layers_of(network, keras.layers.Add):
        assert kinds(readers_of(layer)) <= {"Add", "BatchNormalization"}
        assert kinds(sources_of(layer)) <= {"Add", "Conv2D"}


def test_preactivation_activates_the_last_sum():
    network = built(**TINY, preactivation=True)
    (activation,) = sources_of(network.get_layer("average"))
    assert (kinds([activation]), activation.name) == ({"ReLU"}, "last_relu")


@pytest.mark.parametrize("preactivation", [False, True])
def test_convolutions_start_he_normal(preactivation):
    network = built(blocks=(1, 1), filters=(32, 64), preactivation=preactivation)
    for layer in layers_of(network, keras.layers.Conv2D):
        kernel = keras.ops.convert_to_numpy(layer.kernel)
        assert kernel.std() == pytest.approx(np.sqrt(2 / np.prod(kernel.shape[:3])), rel=0.05)


def test_running_means_follow_within_tens_of_iterations():
    assert {layer.momentum for layer in layers_of(built(**TINY), keras.layers.BatchNormalization)} == {0.9}


@pytest.mark.parametrize("blocks", [(1, 1, 1), (1, 1, 1, 1, 1)])
def test_rejects_other_number_of_blocks_than_filters(blocks):
    with pytest.raises(ValueError, match=r"shorter|longer"):
        build("resnet", blocks=blocks)


def test_standardized_pictures_look_the_same_in_any_light():
    network = built(**TINY, standardize=True)
    bright = np.random.default_rng(0).integers(80, 256, (4, 48, 48, 1)).astype(np.float32)
    dark = 0.25 * bright + 10
    np.testing.assert_allclose(network(bright), network(dark), atol=1e-4)
    assert not np.allclose(built(**TINY)(bright), built(**TINY)(dark), atol=1e-2)
