"""The study's wider network: three convolutions of 32, 64 and 64 filters, dropout of 30 %; 0.45 million parameters."""

from keras import Model

from facial_expression.networks.plain import build_plain


def build(classes: int, size: int = 48) -> Model:
    """The network for ``classes`` emotions and pictures of ``size`` pixels, with weights from Keras's global seed."""
    return build_plain("wide", (32, 64, 64), 0.3, classes, size)
