"""ResNet-34 with one input channel (He et al., "Deep Residual Learning for Image Recognition", CVPR 2016, table 1)."""

from keras import Input, KerasTensor, Model, layers

STAGES = ((64, 3), (128, 4), (256, 6), (512, 3))  # filters and number of basic blocks


def build(classes: int, size: int = 48) -> Model:
    """The network for ``classes`` emotions and pictures of ``size`` pixels, with weights from Keras's global seed.

    21.3 million parameters; the last feature map of a 48-pixel picture is 2x2.
    """
    pixels = Input((size, size, 1), name="pixels")
    features = layers.Rescaling(1 / 255, name="scale")(pixels)
    features = _convolution(features, 64, 7, 2, "stem")
    features = layers.ReLU(name="stem_relu")(features)
    features = layers.MaxPooling2D(3, strides=2, padding="same", name="stem_pool")(features)
    for stage, (filters, blocks) in enumerate(STAGES, start=1):
        for block in range(1, blocks + 1):
            stride = 2 if stage > 1 and block == 1 else 1
            features = _basic_block(features, filters, stride, f"stage_{stage}_block_{block}")
    features = layers.GlobalAveragePooling2D(name="average")(features)
    probabilities = layers.Dense(classes, activation="softmax", name="probabilities")(features)
    return Model(pixels, probabilities, name="resnet34")


def _basic_block(features: KerasTensor, filters: int, stride: int, name: str) -> KerasTensor:
    shortcut = features
    if stride > 1 or features.shape[-1] != filters:
        shortcut = _convolution(features, filters, 1, stride, f"{name}_shortcut")
    features = _convolution(features, filters, 3, stride, f"{name}_first")
    features = layers.ReLU(name=f"{name}_first_relu")(features)
    features = _convolution(features, filters, 3, 1, f"{name}_second")
    features = layers.Add(name=f"{name}_sum")([features, shortcut])
    return layers.ReLU(name=f"{name}_relu")(features)


def _convolution(features: KerasTensor, filters: int, kernel: int, stride: int, name: str) -> KerasTensor:
    """A convolution without bias and its batch normalisation; weights as in He et al., ICCV 2015.

    The running means follow within tens of iterations, as in the paper's own implementation; Keras's default takes
    hundreds.
    """
    features = layers.Conv2D(
        filters, kernel, stride, "same", use_bias=False, kernel_initializer="he_normal", name=f"{name}_convolution"
    )(features)
    return layers.BatchNormalization(momentum=0.9, epsilon=1e-5, name=f"{name}_normalisation")(features)
