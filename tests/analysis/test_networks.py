"""Layers, filters and occlusion maps of a network."""

import numpy as np
import pytest

from facial_expression.analysis.layers import first_filters, layer_table
from facial_expression.analysis.occlusion import POSITIONS, occlusion_maps
from facial_expression.data.face_table import LabeledImages
from helpers.networks import build


def test_multiply_adds_of_the_shallow_network():
    """5 x 5 x 1 x 16 weights at 48 x 48 places, 5 x 5 x 16 x 36 at 24 x 24, and two dense layers."""
    table = layer_table(build("shallow")).set_index("layer")
    expected = {
        "convolution_1": 25 * 16 * 48 * 48,
        "convolution_2": 25 * 16 * 36 * 24 * 24,
        "dense": 12 * 12 * 36 * 128,
        "probabilities": 128 * 6,
    }
    counted = table["multiply_adds"]
    assert counted[counted > 0].to_dict() == expected
    assert table.loc["pool_1", "output"] == "24x24x16"


def test_multiply_adds_of_resnet34():
    """He et al., CVPR 2016, table 1: 3.6 billion for 224 pixels, three channels and 1,000 classes."""
    table = layer_table(build("resnet", classes=1000, size=224))
    stem_of_one_channel = 49 * 64 * 112 * 112
    assert table["multiply_adds"].sum() + 2 * stem_of_one_channel == pytest.approx(3.6e9, rel=0.03)


def test_parameters_are_those_of_keras():
    network = build("wide")
    assert layer_table(network)["parameters"].sum() == network.count_params()


def test_first_filters_are_those_of_the_first_convolution():
    network = build("shallow")
    filters = first_filters(network)
    assert filters.shape == (16, 5, 5)
    np.testing.assert_array_equal(filters[3], np.asarray(network.get_layer("convolution_1").kernel)[:, :, 0, 3])


def test_covering_costs_where_the_network_looks():
    """A network that looks at the top left corner alone, and is sure of class 1 if it is bright."""

    def predict(faces: np.ndarray) -> np.ndarray:
        bright = faces[:, :6, :6].mean(axis=(1, 2)) / 255
        return np.stack([1 - bright, bright], axis=1)

    images = np.full((3, 48, 48), 255, np.uint8)
    maps = occlusion_maps(predict, LabeledImages(images, np.array([1, 1, 1]), np.arange(3)), classes=2, per_class=2)
    assert maps.shape == (2, POSITIONS, POSITIONS)
    assert np.isnan(maps[0]).all()
    assert maps[1, 0, 0] == pytest.approx(1 - 128 / 255)
    assert np.abs(maps[1, 2:, 2:]).max() == 0
