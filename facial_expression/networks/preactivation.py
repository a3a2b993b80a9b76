"""A residual network that is narrow and keeps small details: half the filters of ResNet-10, at twice the
resolution that it has in its paper.

Its blocks normalise and rectify before each convolution (He et al., "Identity Mappings in Deep Residual Networks",
ECCV 2016, figure 4e), so that the sums of the shortcuts stay untouched.
"""

from keras import Input, KerasTensor, Model, layers

FILTERS = (32, 64, 128, 256)


def build(classes: int, size: int = 48) -> Model:
    """The network for ``classes`` emotions and pictures of ``size`` pixels, with weights from Keras's global seed.

    1.2 million parameters; the first block of a 48-pixel picture sees 24x24 pixels, the last one 3x3.

    Args:
        classes: number of emotions.
        size: side of the input pictures in pixels.
    """
    pixels = Input((size, size, 1), name="pixels")
    features = layers.Rescaling(1 / 255, name="scale")(pixels)
    features = _convolution(features, FILTERS[0], 5, 2, "stem")
    for number, filters in enumerate(FILTERS, start=1):
        features = _block(features, filters, 1 if number == 1 else 2, f"block_{number}")
    features = _activation(features, "last")
    features = layers.GlobalAveragePooling2D(name="average")(features)
    probabilities = layers.Dense(classes, activation="softmax", name="probabilities")(features)
    return Model(pixels, probabilities, name="preactivation")


def _block(features: KerasTensor, filters: int, stride: int, name: str) -> KerasTensor:
    activated = _activation(features, f"{name}_first")
    # Where the block changes size or width, its shortcut begins after the activation, as in the paper's own code.
    shortcut = _convolution(activated, filters, 1, stride, f"{name}_shortcut") if stride > 1 else features
    features = _convolution(activated, filters, 3, stride, f"{name}_first")
    features = _activation(features, f"{name}_second")
    features = _convolution(features, filters, 3, 1, f"{name}_second")
    return layers.Add(name=f"{name}_sum")([features, shortcut])


def _activation(features: KerasTensor, name: str) -> KerasTensor:
    """Batch normalisation, whose running means follow within tens of batches, and ReLU."""
    features = layers.BatchNormalization(momentum=0.9, epsilon=1e-5, name=f"{name}_normalisation")(features)
    return layers.ReLU(name=f"{name}_relu")(features)


def _convolution(features: KerasTensor, filters: int, kernel: int, stride: int, name: str) -> KerasTensor:
    return layers.Conv2D(
        filters, kernel, stride, "same", use_bias=False, kernel_initializer="he_normal", name=f"{name}_convolution"
    )(features)
