"""Quantize the exported model and measure each variant."""

from collections.abc import Mapping
from pathlib import Path

import keras
import numpy as np
import onnx
from onnx import numpy_helper
from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static

from facial_expression.data.face_table import LabeledImages
from facial_expression.export.card import Variant
from facial_expression.export.onnx_file import check_difference, export_onnx, in_canonical_form, predict
from facial_expression.files import sha256
from facial_expression.training import snapshots
from facial_expression.views import Views

COMPARED_FACES = 500
"""Number of validation faces on which each variant is compared with Keras."""


def write_variants(
    network: keras.Model, directory: Path, opset: int, calibration: np.ndarray, compared: np.ndarray
) -> None:
    """Write ``fp32.onnx``, ``fp16.onnx`` and ``int8.onnx`` into an existing directory.

    Args:
        network: with its weights.
        directory: the directory.
        opset: version of the ONNX operator set.
        calibration: training faces for :func:`quantize`, uint8, shape (N, size, size).
        compared: faces on which ``fp32`` must agree with Keras, likewise.

    Raises:
        ValueError: ``fp32`` disagrees with Keras.
    """
    export_onnx(network, directory / "fp32.onnx", opset)
    check_difference(network, directory / "fp32.onnx", compared)
    halve_weights(directory / "fp32.onnx", directory / "fp16.onnx")
    quantize(directory / "fp32.onnx", directory / "int8.onnx", calibration)


def measure_variants(
    network: keras.Model, directory: Path, validation: LabeledImages, test: LabeledImages, views: Views
) -> dict[str, Variant]:
    """Size and accuracy of the variants of :func:`write_variants` by name, the largest first."""
    compared = validation.images[:COMPARED_FACES]
    expected = snapshots.predict(network, compared)
    variants = {}
    for name in ("fp32", "fp16", "int8"):
        path = directory / f"{name}.onnx"
        on_validation, on_test = (
            round(float(np.mean(predict(path, part.images, views).argmax(axis=1) == part.labels)), 6)
            for part in (validation, test)
        )
        difference = float(f"{np.abs(predict(path, compared) - expected).max():.2g}")
        variants[name] = Variant(path.stat().st_size, sha256(path), on_validation, on_test, difference)
    return variants


def halve_weights(source: str | Path, destination: str | Path) -> None:
    """Write a network with half-precision weights; it still computes in single precision.

    ONNX Runtime widens the weights once, when it loads the file, so the file is smaller and inference no slower.
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

    Weights have one scale per filter and 7 bits, since processors without VNNI instructions saturate with 8. The range
    of each layer's output is measured on ``faces``.

    Args:
        source: the result of :func:`facial_expression.export.onnx_file.export_onnx`.
        destination: the file to write.
        faces: training faces for calibration, uint8, shape (N, size, size); a few hundred are enough.
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


def choose_variant(variants: Mapping[str, Variant], max_accuracy_drop: float) -> str:
    """The smallest variant whose validation accuracy is less than ``max_accuracy_drop`` below that of ``fp32``."""
    least = variants["fp32"].validation_accuracy - max_accuracy_drop
    accepted = [name for name, variant in variants.items() if variant.validation_accuracy > least]
    return min(accepted, key=lambda name: variants[name].bytes)


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
