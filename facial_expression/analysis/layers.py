"""The layers of a network, with parameters and multiply-adds."""

import keras
import numpy as np
import pandas as pd


def layer_table(network: keras.Model) -> pd.DataFrame:
    """One row per layer, in the order of the network.

    A multiply-add is one weight of a convolution or a dense layer used for one position of one face; biases,
    normalization, pooling and activations do not count (He et al., CVPR 2016, table 1, count in the same way).

    Returns:
        The columns ``layer`` (name), ``kind``, ``output`` (shape for one face, such as 24x24x16), ``parameters`` and
        ``multiply_adds``.
    """
    rows = [
        {
            "layer": layer.name,
            "kind": type(layer).__name__,
            "output": "x".join(map(str, layer.output.shape[1:])),
            "parameters": layer.count_params(),
            "multiply_adds": multiply_adds(layer),
        }
        for layer in network.layers
    ]
    return pd.DataFrame(rows)


def multiply_adds(layer: keras.Layer) -> int:
    """Multiply-adds of a layer for one face."""
    if isinstance(layer, keras.layers.Conv2D):
        return int(np.prod(layer.kernel.shape) * np.prod(layer.output.shape[1:3]))
    if isinstance(layer, keras.layers.Dense):
        return int(np.prod(layer.kernel.shape))
    return 0


def first_filters(network: keras.Model) -> np.ndarray:
    """The weights of the first convolution: float32, shape (filters, side, side); none without a convolution."""
    for layer in network.layers:
        if isinstance(layer, keras.layers.Conv2D):
            return np.moveaxis(np.asarray(layer.kernel), -1, 0)[..., 0]
    return np.zeros((0, 1, 1), np.float32)
