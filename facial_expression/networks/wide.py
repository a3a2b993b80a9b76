"""The study's wide network: three convolutions and dropout of 30%; 0.45 million parameters."""

from collections.abc import Sequence

from keras import Model

from facial_expression.networks.plain import build_plain

TITLE = "a wide convolutional network"


def build(classes: int, size: int = 48, *, filters: Sequence[int] = (32, 64, 64), dropout: float = 0.3) -> Model:
    """The network with weights from Keras's global seed; arguments as for :func:`build_plain`."""
    return build_plain("wide", classes, size, filters, dropout)
