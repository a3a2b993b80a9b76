"""Plain convolutional networks: convolutions with pooling, then two dense layers."""

from collections.abc import Sequence

from keras import Input, Model, initializers, layers


def build_plain(name: str, classes: int, size: int, filters: Sequence[int], dropout: float) -> Model:
    """5x5 convolutions, each followed by 2x2 max-pooling and ReLU, a dense layer of 128 units and a softmax.

    Initial weights are truncated-normal with standard deviation 0.05, biases 0.05, as in the study.

    Args:
        name: the model's name.
        classes: number of emotions.
        size: side of the input in pixels.
        filters: number of filters of each convolution.
        dropout: fraction of the features dropped before the dense layers in training, 0 for none.
    """

    # New initializers for each layer: Keras seeds an instance once, so a shared one would repeat its draw.
    def initial() -> dict[str, initializers.Initializer]:
        return {
            "kernel_initializer": initializers.TruncatedNormal(stddev=0.05),
            "bias_initializer": initializers.Constant(0.05),
        }

    pixels = Input((size, size, 1), name="pixels")
    features = layers.Rescaling(1 / 255, name="scale")(pixels)
    for number, count in enumerate(filters, start=1):
        features = layers.Conv2D(count, 5, padding="same", name=f"convolution_{number}", **initial())(features)
        features = layers.MaxPooling2D(2, name=f"pool_{number}")(features)
        features = layers.ReLU(name=f"relu_{number}")(features)
    features = layers.Flatten(name="flatten")(features)
    if dropout:
        features = layers.Dropout(dropout, name="dropout")(features)
    features = layers.Dense(128, activation="relu", name="dense", **initial())(features)
    probabilities = layers.Dense(classes, activation="softmax", name="probabilities", **initial())(features)
    return Model(pixels, probabilities, name=name)
