"""ResNet-34 with one input channel (He et al., "Deep Residual Learning for Image Recognition", CVPR 2016, table 1).

It can be grown: :func:`build` with fewer blocks per stage makes a network that costs less per picture, and :func:`grow`
gives what that has learned to all 34 layers.
"""

from keras import Input, KerasTensor, Model, layers, ops

FILTERS = (64, 128, 256, 512)
BLOCKS = (3, 4, 6, 3)


def build(classes: int, size: int = 48, *, stem_pool: bool = True, blocks: tuple[int, int, int, int] = BLOCKS) -> Model:
    """The network for ``classes`` emotions and pictures of ``size`` pixels, with weights from Keras's global seed.

    21.3 million parameters. Of a 48-pixel picture the four stages see 12x12, 6x6, 3x3 and 2x2 places; without the
    pooling in the stem, which was made for pictures of 224 pixels, they see 24x24 to 3x3.

    Args:
        classes: number of emotions.
        size: side of the input pictures in pixels.
        stem_pool: whether max-pooling follows the first convolution, as in the paper.
        blocks: number of basic blocks in each of the four stages, at least 1.
    """
    pixels = Input((size, size, 1), name="pixels")
    features = layers.Rescaling(1 / 255, name="scale")(pixels)
    features = _convolution(features, 64, 7, 2, "stem")
    features = layers.ReLU(name="stem_relu")(features)
    if stem_pool:
        features = layers.MaxPooling2D(3, strides=2, padding="same", name="stem_pool")(features)
    for stage, (filters, count) in enumerate(zip(FILTERS, blocks, strict=True), start=1):
        for block in range(1, count + 1):
            stride = 2 if stage > 1 and block == 1 else 1
            features = _basic_block(features, filters, stride, f"stage_{stage}_block_{block}")
    features = layers.GlobalAveragePooling2D(name="average")(features)
    probabilities = layers.Dense(classes, activation="softmax", name="probabilities")(features)
    return Model(pixels, probabilities, name=f"resnet{2 + 2 * sum(blocks)}")


def grow(shallower: Model, network: Model) -> None:
    """Give ``network`` the weights of a network with fewer blocks; it then computes the same probabilities.

    Every further block starts as the identity, since the scale of its last normalisation is set to zero: the
    function-preserving deepening of Net2Net (Chen et al., ICLR 2016, section 2.2) in the form of Goyal et al.
    (arXiv:1706.02677, section 5.1). All of the block's other weights stay as they are.

    Args:
        shallower: what :func:`build` returned for fewer blocks, trained.
        network: what it returned for more blocks, and else the same; changed in place.
    """
    known = {layer.name: layer for layer in shallower.layers}
    for layer in network.layers:
        if layer.name in known:
            layer.set_weights(known[layer.name].get_weights())
        elif layer.name.endswith("_second_normalisation"):
            layer.gamma.assign(ops.zeros_like(layer.gamma))


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
