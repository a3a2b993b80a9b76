"""Export the best single network of one protocol for serving.

    dvc repro export

reads   data/filtered/, models/PROTOCOL/, reports/PROTOCOL/metrics.json and selection.json, the blocks ``export`` and
        ``align`` of params.yaml
writes  models/serving/: model.onnx, card.json (classes, preprocessing, metrics, where it comes from)

Takes half a minute for ResNet-34, seconds for the others. Nothing is written unless ONNX Runtime gives the
probabilities of Keras; they differ by about 1e-6. The files take 2.7 MB (shallow), 1.8 MB (wide) or 85 MB (ResNet-34).
"""

import json
import sys
from pathlib import Path

from facial_expression import exporting, runtime, snapshots
from facial_expression.alignment import load_mean_shape
from facial_expression.atomic import replacing
from facial_expression.facetable import read_face_table
from facial_expression.params import ParamsError, load_params

DATA, SERVING = Path("data/filtered"), Path("models/serving")
COMPARED_FACES = 500


def main() -> None:
    params = load_params()
    # Snapshots of every backend load under TensorFlow, which is the one that exports.
    runtime.prepare(params.runtime.model_copy(update={"backend": "tensorflow"}), seed=0)
    report = Path("reports", params.export.protocol)
    metrics, selection = _read_json(report / "metrics.json"), _read_json(report / "selection.json")
    family, iteration = exporting.choose_network(metrics, selection)
    directory = Path("models", params.export.protocol, family)
    print(f"exporting {directory}, snapshot {iteration:,}")
    network = snapshots.load_network(directory)
    snapshots.load_snapshot(network, directory, iteration)
    validation = read_face_table(DATA, memory_map=True).part(params.export.protocol, "validation")
    with replacing(SERVING) as temporary:
        temporary.mkdir()
        model = temporary / "model.onnx"
        exporting.export_onnx(network, model, params.export.opset)
        difference = exporting.largest_difference(network, model, validation.images[:COMPARED_FACES])
        description = snapshots.read_description(directory)
        card = exporting.make_card(
            family, iteration, description, metrics[family], params.align, load_mean_shape(), model, DATA
        )
        (temporary / "card.json").write_text(json.dumps(card, indent=2) + "\n")
    print(f"wrote {SERVING}: largest difference from Keras {difference:.1e}, {card['model']['bytes']:,} bytes")


def _read_json(path: Path) -> dict:
    try:
        return json.loads(path.read_text())
    except FileNotFoundError as error:
        raise FileNotFoundError(f"{path} is missing: run `dvc repro evaluate`") from error
    except ValueError as error:
        raise ValueError(f"{path} is not valid JSON ({error}): run `dvc repro --force evaluate`") from error


if __name__ == "__main__":
    try:
        main()
    except (ParamsError, FileNotFoundError, RuntimeError, ValueError) as error:
        sys.exit(f"export: {error}")
