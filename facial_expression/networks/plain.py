"""What the shallow and the wide network share: convolutions with pooling, then two dense layers."""

from collections.abc import Sequence

from keras import Input, Model, initializers, layers


def build_plain(name: str, filters: Sequence[int], dropout: float, classes: int, size: int) -> Model:
    """A stack of 5x5 convolutions, each followed by 2x2 max-pooling and ReLU, a dense layer of 128, a softmax.

    Weights start truncated-normal with standard deviation 0.05, biases at 0.05, as in the study.

    Args:
        name: the model's name.
        filters: number of filters of each convolution.
        dropout: fraction of the features dropped before the dense layers while training, 0 for none.
        classes: number of emotions.
        size: side of the input pictures in pixels.
    """

    # Initializers are made anew for each layer: Keras seeds each instance once and would repeat its draw.
    def start():
        return {
            "kernel_initializer": initializers.TruncatedNormal(stddev=0.05),
            "bias_initializer": initializers.Constant(0.05),
        }

    pixels = Input((size, size, 1), name="pixels")
    features = layers.Rescaling(1 / 255, name="scale")(pixels)
    for number, count in enumerate(filters, start=1):
        features = layers.Conv2D(count, 5, padding="same", name=f"convolution_{number}", **start())(features)
        features = layers.MaxPooling2D(2, name=f"pool_{number}")(features)
        features = layers.ReLU(name=f"relu_{number}")(features)
    features = layers.Flatten(name="flatten")(features)
    if dropout:
        features = layers.Dropout(dropout, name="dropout")(features)
    features = layers.Dense(128, activation="relu", name="dense", **start())(features)
    probabilities = layers.Dense(classes, activation="softmax", name="probabilities", **start())(features)
    return Model(pixels, probabilities, name=name)
