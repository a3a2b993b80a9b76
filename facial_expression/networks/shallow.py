"""The study's shallow network: two convolutions of 16 and 36 filters, no dropout; 0.68 million parameters."""

from keras import Model

from facial_expression.networks.plain import build_plain


def build(classes: int, size: int = 48) -> Model:
    """The network for ``classes`` emotions and pictures of ``size`` pixels, with weights from Keras's global seed."""
    return build_plain("shallow", (16, 36), 0.0, classes, size)
