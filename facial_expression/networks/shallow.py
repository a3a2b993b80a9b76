"""The study's shallow network: two convolutions, no dropout; 0.68 million parameters."""

from collections.abc import Sequence

from keras import Model

from facial_expression.networks.plain import build_plain

TITLE = "a shallow convolutional network"


def build(classes: int, size: int = 48, *, filters: Sequence[int] = (16, 36), dropout: float = 0.0) -> Model:
    """The network with weights from Keras's global seed; arguments as for :func:`build_plain`."""
    return build_plain("shallow", classes, size, filters, dropout)
