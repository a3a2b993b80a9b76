"""Smaller files of an exported network, half-precision weights or integers throughout, and what each is worth."""

from collections.abc import Mapping
from pathlib import Path

import keras
import numpy as np
import onnx
from onnx import numpy_helper
from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static

from facial_expression import snapshots
from facial_expression.card import Variant, sha256
from facial_expression.exporting import answer, export_onnx, in_canonical_form, largest_difference
from facial_expression.facetable import LabelledImages

COMPARED_FACES = 500
"""How many validation faces a file's probabilities are compared with Keras's on."""


def write_variants(
    network: keras.Model, directory: Path, opset: int, calibration: np.ndarray, compared: np.ndarray
) -> None:
    """Write ``fp32.onnx``, ``fp16.onnx`` and ``int8.onnx`` into an existing directory.

    Args:
        network: with its weights.
        directory: where to.
        opset: version of ONNX's operators.
        calibration: training faces for :func:`quantize`, uint8, shape (N, size, size).
        compared: faces on which ``fp32`` must give Keras's probabilities, likewise.

    Raises:
        ValueError: it does not.
    """
    export_onnx(network, directory / "fp32.onnx", opset)
    largest_difference(network, directory / "fp32.onnx", compared)
    halve_weights(directory / "fp32.onnx", directory / "fp16.onnx")
    quantize(directory / "fp32.onnx", directory / "int8.onnx", calibration)


def measure_variants(
    network: keras.Model, directory: Path, validation: LabelledImages, test: LabelledImages, flip: bool
) -> dict[str, Variant]:
    """What the files that :func:`write_variants` wrote are worth, by name, the largest first."""
    compared = validation.images[:COMPARED_FACES]
    wanted = snapshots.predict(network, compared)
    variants = {}
    for name in ("fp32", "fp16", "int8"):
        path = directory / f"{name}.onnx"
        on_validation, on_test = (
            round(float(np.mean(answer(path, part.images, flip).argmax(axis=1) == part.labels)), 6)
            for part in (validation, test)
        )
        difference = float(f"{np.abs(answer(path, compared) - wanted).max():.2g}")
        variants[name] = Variant(path.stat().st_size, sha256(path), on_validation, on_test, difference)
    return variants


def halve_weights(source: str | Path, destination: str | Path) -> None:
    """Write a network with its weights in half precision; it computes in single precision as before.

    ONNX Runtime widens the weights once, when it loads the file, so only the file gets smaller and nothing slower.
    """
    model = onnx.load(source)
    widened = []
    for number, tensor in enumerate(model.graph.initializer):
        values = numpy_helper.to_array(tensor)
        if values.dtype == np.float32 and values.size > 1:
            name = f"half_{number}"
            widened.append(onnx.helper.make_node("Cast", [name], [tensor.name], to=onnx.TensorProto.FLOAT))
            tensor.CopyFrom(numpy_helper.from_array(values.astype(np.float16), name))
    nodes = [*widened, *model.graph.node]
    del model.graph.node[:]
    model.graph.node.extend(nodes)
    onnx.save(_canonical(model), destination)


def quantize(source: str | Path, destination: str | Path, faces: np.ndarray) -> None:
    """Write a network that computes in 8-bit integers, about three times as fast.

    Weights get one scale per filter and 7 bits, since processors without VNNI instructions would saturate with 8; the
    range of every layer's output is the one seen on ``faces``.

    Args:
        source: what :func:`facial_expression.exporting.export_onnx` wrote.
        destination: the file to write.
        faces: training faces to calibrate with, uint8, shape (N, size, size); some hundred are enough.
    """
    quantize_static(
        source,
        destination,
        _Faces(faces),
        quant_format=QuantFormat.QDQ,
        per_channel=True,
        reduce_range=True,
        activation_type=QuantType.QUInt8,
        weight_type=QuantType.QInt8,
    )
    onnx.save(_canonical(onnx.load(destination)), destination)


def choose_variant(variants: Mapping[str, Variant], largest_loss: float) -> str:
    """The smallest file that loses less than ``largest_loss`` (fraction of the validation faces) against ``fp32``."""
    least = variants["fp32"].validation_accuracy - largest_loss
    good = [name for name, variant in variants.items() if variant.validation_accuracy > least]
    return min(good, key=lambda name: variants[name].bytes)


class _Faces(CalibrationDataReader):
    def __init__(self, faces: np.ndarray, batch_size: int = 50):
        starts = range(0, len(faces), batch_size)
        self._batches = (faces[start : start + batch_size, ..., None].astype(np.float32) for start in starts)

    def get_next(self) -> dict[str, np.ndarray] | None:
        batch = next(self._batches, None)
        return None if batch is None else {"pixels": batch}


def _canonical(model: onnx.ModelProto) -> onnx.ModelProto:
    shapes = (
        [dimension.dim_value or None for dimension in value.type.tensor_type.shape.dim]
        for value in (model.graph.input[0], model.graph.output[0])
    )
    return in_canonical_form(model, model.graph.name, *shapes)
