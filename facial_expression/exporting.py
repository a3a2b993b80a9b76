"""The best single network as one ONNX file with the same bytes each time, and a check that it answers the same.

A service needs neither Keras nor TensorFlow: the file turns cropped faces into probabilities.
"""

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

import keras
import numpy as np
import onnx
import onnxruntime

from facial_expression import snapshots
from facial_expression.ensembling import soft_vote

TOLERANCE = 1e-4
"""How far a probability of the exported network may be from Keras's."""


def choose_network(
    metrics: Mapping[str, dict], selection: Mapping[str, dict], excluded: Collection[str] = ()
) -> tuple[str, int]:
    """The single network with the best validation accuracy, the first among equals.

    Args:
        metrics: what :func:`facial_expression.evaluation.metrics` returned, ensembles included.
        selection: what :func:`facial_expression.evaluation.selection` returned for the same contenders.
        excluded: families that cannot be served.

    Returns:
        Its family and the iteration of its best snapshot.

    Raises:
        ValueError: the two name different contenders, or there is no single network to serve among them.
    """
    if list(metrics) != list(selection):
        raise ValueError("the metrics and the selection are not of the same evaluation: evaluate again")
    families = [name for name in metrics if name in selection[name]["snapshots"] and name not in excluded]
    if not families:
        raise ValueError(f"there is no single network among {', '.join(metrics) or 'no contenders'}: evaluate again")
    best = max(families, key=lambda family: metrics[family]["validation_accuracy"])
    return best, selection[best]["snapshots"][best][0]


def export_onnx(network: keras.Model, path: str | Path, opset: int) -> None:
    """Write a network as ONNX; the same weights give the same bytes.

    The file's input is ``pixels``, float32, shape (faces, size, size, 1), gray levels 0 to 255; its output is
    ``probabilities``, float32, shape (faces, classes). The number of faces is free.

    Args:
        network: one that :func:`facial_expression.snapshots.load_network` returned, with its weights.
        path: the file to write.
        opset: version of ONNX's operators.

    Raises:
        RuntimeError: Keras runs on another backend than TensorFlow.
        ValueError: tf2onnx does not support this opset.
    """
    if keras.backend.backend() != "tensorflow":
        raise RuntimeError(
            f"exporting needs the tensorflow backend, not {keras.backend.backend()}: put `KERAS_BACKEND=tensorflow` "
            "before the command; snapshots of every backend can be loaded there"
        )
    import tf2onnx  # here, because it imports TensorFlow

    converted, _ = tf2onnx.convert.from_keras(network, opset=opset)
    onnx.save(in_canonical_form(converted, network.name, network.input_shape, network.output_shape), path)


def largest_difference(network: keras.Model, path: str | Path, images: np.ndarray) -> float:
    """How far the probabilities of the exported network are from Keras's at most.

    Args:
        network: the network that was exported.
        path: what :func:`export_onnx` wrote.
        images: faces to compare on, uint8, shape (N, size, size), at least one.

    Raises:
        ValueError: it is more than ``TOLERANCE``, or not a number.
    """
    difference = float(np.abs(answer(path, images) - snapshots.predict(network, images)).max())
    if not difference <= TOLERANCE:  # written so that NaN counts as wrong
        raise ValueError(f"the exported network is off by {difference:.2g}, more than {TOLERANCE:g}: try another opset")
    return difference


def answer(path: str | Path, images: np.ndarray, flip: bool = False, batch_size: int = 100) -> np.ndarray:
    """Probabilities, float32, shape (N, classes), that an exported network gives.

    Args:
        path: an ONNX file as :func:`export_onnx` writes it.
        images: faces, uint8, shape (N, size, size).
        flip: average the answers for each face and its mirror image.
        batch_size: faces per run.
    """
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])

    def run(view: np.ndarray) -> np.ndarray:
        starts = range(0, len(view), batch_size)
        pixels = (view[start : start + batch_size, ..., None].astype(np.float32) for start in starts)
        return np.concatenate([session.run(["probabilities"], {"pixels": batch})[0] for batch in pixels])

    return soft_vote([run(images), run(images[:, :, ::-1])]) if flip else run(images)


def in_canonical_form(
    model: onnx.ModelProto, name: str, input_shape: Sequence[int | None], output_shape: Sequence[int | None]
) -> onnx.ModelProto:
    """The same graph, in which every name and every place follows from the graph alone.

    tf2onnx numbers what it inserts with a counter of the whole process, sorts by these names, and leaves it to Python's
    random string hashes which of two equal constants it keeps.

    Args:
        model: one input, one output.
        name: of the graph.
        input_shape: the first number, that of faces, is free.
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
