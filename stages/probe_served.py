"""Probe what is served: its predictions, what it looks at, and what it withstands.

    dvc repro probe_served
    python -m stages.probe_served

reads   models/serving/, data/filtered/ and the faces of `export.input`, reports/REPORT/models.json, the blocks
        `export`, `evaluate` and `probe` of params.yaml
writes  data/predictions/served.npz: of validation and test faces, before the card's temperature
        reports/probes/served/: probe.json, occlusion.csv, robustness.csv

Every face is predicted as the web page does, by ONNX Runtime and with all views. Takes three minutes on two cores.
"""

import numpy as np

from facial_expression.analysis.corruptions import measure_robustness
from facial_expression.analysis.occlusion import occlusion_maps
from facial_expression.analysis.sampling import sample_faces
from facial_expression.analysis.tables import to_table
from facial_expression.evaluation.predictions import PREDICTED_PARTS, Predictions, write_predictions
from facial_expression.files import atomic_write, read_json, write_json
from facial_expression.params import load_params
from facial_expression.recognizer import Recognizer
from facial_expression.served_model import read_card, read_model
from stages._inputs import read_input
from stages._stage import SERVED_PREDICTIONS, SERVING, probe_directory, report_directory, run_stage

BATCH = 100
"""Faces that are predicted at once, each with its views."""


def main() -> None:
    params = load_params()
    evaluation, settings = params.evaluate[params.export.report], params.probe
    card = read_card(SERVING)
    served = Recognizer(card | {"temperature": 1.0}, read_model(SERVING, card))

    def predict(images: np.ndarray) -> np.ndarray:
        starts = range(0, len(images), BATCH)
        return np.concatenate([served.classify(images[start : start + BATCH]) for start in starts])

    table = read_input(params.export.input).of_protocol(evaluation.protocol).drop_classes(evaluation.drop)
    parts = {part: table.subset(evaluation.protocol, part) for part in PREDICTED_PARTS}
    rows = {part: faces.rows for part, faces in parts.items()}
    probabilities = {part: predict(faces.images)[None, None] for part, faces in parts.items()}
    models = read_json(report_directory(params.export.report) / "models.json", "dvc repro evaluate")
    parameters = sum(models[member["run"]]["parameters"] for member in card["members"])
    predictions = Predictions((card["metrics"]["iterations"],), rows, probabilities, parameters)
    everything = sample_faces(parts["test"], len(parts["test"].rows), settings.seed)
    faces = sample_faces(parts["test"], settings.faces, settings.seed)
    maps = occlusion_maps(predict, everything, len(table.classes), settings.occlusion_faces)
    robustness = measure_robustness(predict, faces, settings.seed)
    write_predictions(SERVED_PREDICTIONS, predictions)
    with atomic_write(probe_directory("served")) as temporary:
        temporary.mkdir()
        about = {
            "protocol": evaluation.protocol,
            "input": params.export.input,
            "parameters": parameters,
            "faces": len(faces.rows),
            "occlusion_faces": settings.occlusion_faces,
        }
        write_json(temporary / "probe.json", about)
        tables = {"occlusion": to_table(maps, table.classes, "emotion", "drop"), "robustness": robustness}
        for kind, content in tables.items():
            content.to_csv(temporary / f"{kind}.csv", index=False, lineterminator="\n")


if __name__ == "__main__":
    run_stage(main)
