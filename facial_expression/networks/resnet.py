"""Residual networks for one input channel: ResNet-34 and relatives.

The basic form is He et al., "Deep Residual Learning for Image Recognition" (CVPR 2016, table 1). With
``preactivation``, normalization and ReLU precede each convolution (He et al., "Identity Mappings in Deep Residual
Networks", ECCV 2016, figure 4e), so that nothing alters the sums of the shortcuts.
"""

from collections.abc import Sequence

from keras import Input, KerasTensor, Model, layers

TITLE = "a residual network"


def build(
    classes: int,
    size: int = 48,
    *,
    blocks: Sequence[int] = (3, 4, 6, 3),
    filters: Sequence[int] = (64, 128, 256, 512),
    stem: int = 7,
    stem_pool: bool = True,
    preactivation: bool = False,
    standardize: bool = False,
) -> Model:
    """A residual network with weights from Keras's global seed; the defaults are ResNet-34's, 21.3 million parameters.

    On 48-pixel faces, ResNet-34's four stages have 12x12 to 2x2 positions, and 24x24 to 3x3 without the pooling in the
    stem, which was designed for pictures of 224 pixels.

    Args:
        classes: number of emotions.
        size: side of the input in pixels.
        blocks: number of basic blocks of each stage, at least 1.
        filters: filters of each stage; every stage but the first halves the resolution.
        stem: side of the first convolution's kernel, which has stride 2.
        stem_pool: whether max-pooling follows the first convolution, as in the paper.
        preactivation: whether normalization and ReLU precede the convolutions instead of following them.
        standardize: whether each picture's gray levels are first brought to mean 0 and deviation 1, so that neither
            brightness nor contrast matter.
    """
    pixels = Input((size, size, 1), name="pixels")
    features = layers.Rescaling(1 / 255, name="scale")(pixels)
    if standardize:
        standard = layers.LayerNormalization((1, 2, 3), epsilon=1e-6, center=False, scale=False, name="standardize")
        features = standard(features)
    features = _convolution(features, filters[0], stem, 2, "stem")
    if not preactivation:
        features = _activation(features, "stem")
    if stem_pool:
        features = layers.MaxPooling2D(3, strides=2, padding="same", name="stem_pool")(features)
    block = _preactivation_block if preactivation else _basic_block
    for stage, (width, count) in enumerate(zip(filters, blocks, strict=True), start=1):
        for number in range(1, count + 1):
            stride = 2 if stage > 1 and number == 1 else 1
            features = block(features, width, stride, f"stage_{stage}_block_{number}")
    if preactivation:
        features = _activation(features, "last")
    features = layers.GlobalAveragePooling2D(name="average")(features)
    probabilities = layers.Dense(classes, activation="softmax", name="probabilities")(features)
    return Model(pixels, probabilities, name="resnet")


def _basic_block(features: KerasTensor, filters: int, stride: int, name: str) -> KerasTensor:
    shortcut = features
    if _changes_shape(features, filters, stride):
        shortcut = _normalization(_convolution(features, filters, 1, stride, f"{name}_shortcut"), f"{name}_shortcut")
    features = _activation(_convolution(features, filters, 3, stride, f"{name}_first"), f"{name}_first")
    features = _normalization(_convolution(features, filters, 3, 1, f"{name}_second"), f"{name}_second")
    features = layers.Add(name=f"{name}_sum")([features, shortcut])
    return layers.ReLU(name=f"{name}_relu")(features)


def _preactivation_block(features: KerasTensor, filters: int, stride: int, name: str) -> KerasTensor:
    activated = _activation(features, f"{name}_first")
    # A projecting shortcut starts after the activation, as in the paper's own code.
    projects = _changes_shape(features, filters, stride)
    shortcut = _convolution(activated, filters, 1, stride, f"{name}_shortcut") if projects else features
    features = _convolution(activated, filters, 3, stride, f"{name}_first")
    features = _convolution(_activation(features, f"{name}_second"), filters, 3, 1, f"{name}_second")
    return layers.Add(name=f"{name}_sum")([features, shortcut])


def _changes_shape(features: KerasTensor, filters: int, stride: int) -> bool:
    return stride > 1 or features.shape[-1] != filters


def _convolution(features: KerasTensor, filters: int, kernel: int, stride: int, name: str) -> KerasTensor:
    """A convolution without bias; weights as in He et al., ICCV 2015."""
    return layers.Conv2D(
        filters, kernel, stride, "same", use_bias=False, kernel_initializer="he_normal", name=f"{name}_convolution"
    )(features)


def _normalization(features: KerasTensor, name: str) -> KerasTensor:
    """Batch normalization whose running means follow within tens of iterations; Keras's default takes hundreds."""
    return layers.BatchNormalization(momentum=0.9, epsilon=1e-5, name=f"{name}_normalization")(features)


def _activation(features: KerasTensor, name: str) -> KerasTensor:
    return layers.ReLU(name=f"{name}_relu")(_normalization(features, name))
