"""What trained networks answer for the classes that can be true, which may be fewer than they know."""

from collections.abc import Sequence

import keras
import numpy as np

from facial_expression.ensembling import condition, soft_vote
from facial_expression.snapshots import predict


def recognise(network: keras.Model, images: np.ndarray, kept: Sequence[int], flip: bool) -> np.ndarray:
    """Probabilities of some of the classes that a network knows.

    Args:
        network: one that :func:`load_network` returned, with its weights.
        images: faces, uint8, shape (N, size, size).
        kept: indices of the classes that can be true.
        flip: average the answers for each face and its mirror image.

    Returns:
        float32, shape (N, len(kept)), rows summing to 1.
    """
    views = [images, images[:, :, ::-1]] if flip else [images]
    return soft_vote([condition(predict(network, view), kept) for view in views])


def restrict(network: keras.Model, kept: Sequence[int]) -> keras.Model:
    """The network that answers with some of the classes only.

    Leaving out the other logits before the softmax gives the probabilities of :func:`recognise` without ``flip``.
    """
    head = network.layers[-1]
    restricted = keras.layers.Dense(len(kept), activation="softmax", name=head.name)
    model = keras.Model(network.inputs, restricted(head.input), name=network.name)
    kernel, bias = head.get_weights()
    restricted.set_weights([kernel[:, list(kept)], bias[list(kept)]])
    return model
