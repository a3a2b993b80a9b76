"""The best single network as one ONNX file, and the card that says how to use it.

A service needs neither Keras nor TensorFlow: ``model.onnx`` turns aligned crops into probabilities, and ``card.json``
holds what else has to be known, from the order of the classes to the frame that faces are aligned to.
"""

import hashlib
from collections.abc import Mapping
from pathlib import Path

import keras
import numpy as np
import onnx
import onnxruntime

from facial_expression import snapshots
from facial_expression.alignment import LANDMARK_SETS, MeanShape
from facial_expression.params import Align

TOLERANCE = 1e-4
"""How far a probability of the exported network may be from Keras's."""


def choose_network(metrics: Mapping[str, dict], selection: Mapping[str, dict]) -> tuple[str, int]:
    """The single network with the best validation accuracy, the first among equals.

    Args:
        metrics: what :func:`facial_expression.evaluation.metrics` returned, ensembles included.
        selection: what :func:`facial_expression.evaluation.selection` returned for the same contenders.

    Returns:
        Its family and the iteration of its best snapshot.

    Raises:
        ValueError: the two name different contenders, or there is no single network among them.
    """
    if list(metrics) != list(selection):
        raise ValueError("the metrics and the selection are not of the same evaluation: evaluate again")
    families = [name for name in metrics if name in selection[name]["snapshots"]]
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
    onnx.save(_in_canonical_form(converted, network), path)


def largest_difference(network: keras.Model, path: str | Path, images: np.ndarray) -> float:
    """How far the probabilities of the exported network are from Keras's at most.

    Args:
        network: the network that was exported.
        path: what :func:`export_onnx` wrote.
        images: faces to compare on, uint8, shape (N, size, size), at least one.

    Raises:
        ValueError: it is more than ``TOLERANCE``, or not a number.
    """
    session = _open(path)
    (exported,) = session.run(None, {session.get_inputs()[0].name: images[..., None].astype(np.float32)})
    difference = float(np.abs(exported - snapshots.predict(network, images)).max())
    if not difference <= TOLERANCE:  # written so that NaN counts as wrong
        raise ValueError(f"the exported network is off by {difference:.2g}, more than {TOLERANCE:g}: try another opset")
    return difference


def make_card(
    family: str,
    iteration: int,
    description: Mapping,
    metrics: Mapping,
    align: Align,
    mean_shape: MeanShape,
    model: str | Path,
    data: str | Path,
) -> dict:
    """What has to be known beside the file to use and to trace an exported network, ready for JSON.

    ``preprocessing.template`` is where the three ``landmarks`` (0-based, of 68) go: x and y in fractions of the crop's
    side, margin included. Gray levels go in as they are, 0 to 255: the network scales them itself.

    Args:
        family: which network it is.
        iteration: the snapshot that was exported.
        description: what :func:`facial_expression.snapshots.read_description` returned for it.
        metrics: its own metrics.
        align: how its faces were found and aligned.
        mean_shape: where their landmarks were moved to.
        model: what :func:`export_onnx` wrote.
        data: the face table it was trained on.
    """
    model, data = Path(model), Path(data)
    return {
        "family": family,
        "snapshot": iteration,
        "protocol": description["protocol"],
        "classes": list(description["classes"]),
        "model": {"file": model.name, "bytes": model.stat().st_size, "sha256": _sha256(model)},
        "preprocessing": _preprocessing(model, align, mean_shape),
        "metrics": metrics,
        "recipe": description["recipe"],
        "runtime": description["runtime"],
        "data": {name: {"sha256": _sha256(data / name)} for name in ("images.npy", "faces.csv")},
    }


def _in_canonical_form(model: onnx.ModelProto, network: keras.Model) -> onnx.ModelProto:
    """The same graph, in which every name and every place follows from the graph alone.

    tf2onnx numbers what it inserts with a counter of the whole process, sorts by these names, and leaves it to Python's
    random string hashes which of two equal constants it keeps.
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
        for name, shape in (("pixels", network.input_shape), ("probabilities", network.output_shape))
    )
    graph = onnx.helper.make_graph(nodes, network.name, [pixels], [probabilities], tensors)
    operators = [version for version in model.opset_import if version.domain == ""]
    return onnx.helper.make_model(graph, producer_name="tf2onnx", ir_version=model.ir_version, opset_imports=operators)


def _open(model: str | Path) -> onnxruntime.InferenceSession:
    return onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])


def _preprocessing(model: Path, align: Align, mean_shape: MeanShape) -> dict:
    """How a face becomes the input: detect it, warp three landmarks onto the template, keep the gray levels."""
    pixels = _open(model).get_inputs()[0]
    landmarks = list(LANDMARK_SETS[align.landmark_set])
    template = align.margin + (1 - 2 * align.margin) * mean_shape.face[landmarks]
    return {
        "input": {"name": pixels.name, "shape": pixels.shape, "dtype": "float32", "gray_levels": [0, 255]},
        "passes": [settings.model_dump() for settings in align.passes],
        "landmark_enlargement": align.landmark_enlargement,
        "landmark_set": align.landmark_set,
        "landmarks": landmarks,
        "template": template.tolist(),
        "size": align.size,
        "margin": align.margin,
        "border": align.border,
    }


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
