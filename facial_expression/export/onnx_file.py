"""Export a network as an ONNX file with reproducible bytes, and check its predictions.

Serving needs neither Keras nor TensorFlow: the file maps cropped faces to probabilities.
"""

from collections.abc import Sequence
from pathlib import Path

import keras
import numpy as np
import onnx
import onnxruntime

from facial_expression.errors import UserError
from facial_expression.probabilities import soft_vote
from facial_expression.training import snapshots
from facial_expression.views import ONE_VIEW, Views

TOLERANCE = 1e-4
"""Largest accepted difference between a probability of the exported network and Keras's."""


def export_onnx(network: keras.Model, path: str | Path, opset: int) -> None:
    """Write a network as ONNX; the same weights give the same bytes.

    The file's input is ``pixels``, float32, shape (faces, size, size, 1), gray levels 0 to 255; its output is
    ``probabilities``, float32, shape (faces, classes). The number of faces is free.

    Args:
        network: with its trained weights.
        path: the file to write.
        opset: version of the ONNX operator set.

    Raises:
        RuntimeError: Keras runs on another backend than TensorFlow.
        ValueError: tf2onnx does not support this opset.
    """
    if keras.backend.backend() != "tensorflow":
        raise RuntimeError(f"exporting needs the tensorflow backend, not {keras.backend.backend()}")
    import tf2onnx  # here, because it imports TensorFlow

    converted, _ = tf2onnx.convert.from_keras(network, opset=opset)
    onnx.save(in_canonical_form(converted, network.name, network.input_shape, network.output_shape), path)


def check_difference(network: keras.Model, path: str | Path, images: np.ndarray) -> float:
    """The largest difference between the probabilities of the exported network and of Keras.

    Args:
        network: the exported network.
        path: the ONNX file.
        images: faces to compare on, uint8, shape (N, size, size), at least one.

    Raises:
        UserError: it exceeds ``TOLERANCE`` or is not a number.
    """
    difference = float(np.abs(predict(path, images) - snapshots.predict(network, images)).max())
    if not difference <= TOLERANCE:  # written so that NaN counts as wrong
        raise UserError(f"the exported network is off by {difference:.2g}, more than {TOLERANCE:g}: try another opset")
    return difference


def predict(path: str | Path, images: np.ndarray, views: Views = ONE_VIEW, batch_size: int = 100) -> np.ndarray:
    """Probabilities (float32, shape (N, classes)) of an exported network, averaged over views.

    Args:
        path: the ONNX file.
        images: faces, uint8, shape (N, size, size).
        views: what to average.
        batch_size: faces per call of ONNX Runtime.
    """
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])

    def run(view: np.ndarray) -> np.ndarray:
        starts = range(0, len(view), batch_size)
        pixels = (view[start : start + batch_size, ..., None].astype(np.float32) for start in starts)
        return np.concatenate([session.run(["probabilities"], {"pixels": batch})[0] for batch in pixels])

    return soft_vote([run(view) for view in views.of(images)]) if views.count > 1 else run(images)


def in_canonical_form(
    model: onnx.ModelProto, name: str, input_shape: Sequence[int | None], output_shape: Sequence[int | None]
) -> onnx.ModelProto:
    """The same graph with names and an order of nodes that depend on the graph alone.

    tf2onnx numbers the nodes that it inserts with a counter of the process, sorts by these names, and chooses between
    equal constants by Python's random string hashes.

    Args:
        model: a graph with one input and one output.
        name: the graph's name.
        input_shape: its first dimension, the number of faces, is free.
        output_shape: likewise.
    """
    producers = {value: node for node in model.graph.node for value in node.output}
    constants = {tensor.name: tensor for tensor in model.graph.initializer}
    names = {"": "", model.graph.input[0].name: "pixels"}  # a node leaves out an optional input with an empty name
    nodes, tensors = [], []

    def visit(value: str) -> None:
        if value in names:
            return
        if value in constants:
            tensors.append(constants[value])
            names[value] = constants[value].name = f"constant_{len(tensors)}"
            return
        node = producers[value]
        for source in node.input:
            visit(source)
        nodes.append(node)
        node.name = f"{node.op_type}_{len(nodes)}"
        names.update({output: f"{node.name}_{number}" for number, output in enumerate(node.output)})

    visit(model.graph.output[0].name)
    names[model.graph.output[0].name] = "probabilities"
    for node in nodes:
        node.input[:] = [names[value] for value in node.input]
        node.output[:] = [names[value] for value in node.output]
    pixels, probabilities = (
        onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, ["faces", *shape[1:]])
        for name, shape in (("pixels", input_shape), ("probabilities", output_shape))
    )
    graph = onnx.helper.make_graph(nodes, name, [pixels], [probabilities], tensors)
    operators = [version for version in model.opset_import if version.domain == ""]
    return onnx.helper.make_model(graph, producer_name="tf2onnx", ir_version=model.ir_version, opset_imports=operators)
