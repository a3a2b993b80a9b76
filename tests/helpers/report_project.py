"""A directory with everything that the stages `analyze` and `report` read, for two runs of small random predictions."""

import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from ruamel.yaml import YAML

from facial_expression.analysis.corruptions import CORRUPTIONS
from facial_expression.analysis.tables import to_table
from facial_expression.data.face_table import FaceTable, write_face_table
from facial_expression.data.splits import PARTS
from facial_expression.emotions import NAMES
from facial_expression.evaluation.models import EvaluatedFaces, evaluate_models, predictions_table
from facial_expression.evaluation.predictions import Predictions, read_predictions, write_predictions
from facial_expression.faces.mean_shape import load_mean_shape
from facial_expression.files import write_json
from helpers.project import ROOT
from helpers.stage_project import write_params

REPORT = "official-6"
RUNS = ("shallow", "small")
MODELS = ("shallow", "shallow-ensemble", "small", "small-ensemble", "ensemble")
USAGES = {"training": "Training", "validation": "PublicTest", "test": "PrivateTest"}
FONT = Path("app/static/fonts/bricolage-grotesque.woff2")
COUNT = 630


def make_report_project(directory: Path, absent: str = "", found: bool = True) -> pd.DataFrame:
    """Write the project and return its faces.

    Args:
        directory: to write to.
        absent: an emotion that no test face shows.
        found: whether the detector finds any face.
    """
    _write_params(directory)
    faces = _write_faces(directory, absent, found)
    predictions = {run: _write_run(directory, run, faces, seed) for seed, run in enumerate(RUNS)}
    _write_evaluation(directory, faces, predictions)
    pairs = pd.DataFrame({"first": [0, 2], "second": [1, 3], "distance": [0, 10], "correlation": [1.0, 0.85]})
    pairs.to_csv(directory / "data/near_duplicates.csv", index=False)
    write_json(directory / "reports/analysis/data.json", _audit(faces))
    dataset = {"images": COUNT, "detected": 400, "duplicate_groups": 1, "duplicate_rows": 2, "conflicting_groups": 0}
    write_json(directory / "reports/dataset.json", dataset)
    write_crowd(directory, faces)
    for run in RUNS:
        write_probe(directory / "reports/probes" / run)
    write_probe(directory / "reports/probes/served")
    _write_served(directory, predictions["small"])
    (directory / FONT).parent.mkdir(parents=True)
    shutil.copy(ROOT / FONT, directory / FONT)
    return faces


def write_crowd(directory: Path, faces: pd.DataFrame) -> None:
    """A crowd that takes every fear for surprise."""
    share = {"value": 0.85, "low": 0.8, "high": 0.9, "n": len(faces)}
    agreement = {
        "faces": len(faces),
        "labeled": len(faces),
        "without_label": {"tie": 0, "unknown": 0, "contempt": 0},
        "agreement": share,
        "by_usage": {"PrivateTest": share},
        "by_emotion": dict.fromkeys(NAMES, share),
        "matrix": {name: dict.fromkeys(NAMES, 1) for name in NAMES},
        "vote_share": 0.7,
    }
    write_json(directory / "reports/crowd/agreement.json", agreement)
    fear = faces.loc[faces["emotion"] == "fear", ["row"]].assign(crowd="surprise")
    fear.to_csv(directory / "reports/crowd/disagreements.csv", index=False)


def write_probe(folder: Path) -> None:
    """What the stage `probe` writes."""
    about = {"protocol": "official", "input": "aligned", "module": "shallow", "snapshot": 3000, "parameters": 1234}
    write_json(folder / "probe.json", about | {"multiply_adds": 56789, "faces": 100, "occlusion_faces": 5})
    layer = {"layer": "dense", "kind": "Dense", "output": "7", "parameters": 1234, "multiply_adds": 56789}
    random = np.random.default_rng(0)
    rows = [("none", "", 0.0)]
    rows += [(kind, one.unit, strength) for kind, one in CORRUPTIONS.items() for strength in one.strengths]
    robustness = pd.DataFrame(rows, columns=["corruption", "unit", "strength"])
    tables = {
        "layers": pd.DataFrame([layer]),
        "filters": to_table(random.normal(size=(3, 5, 5)), range(3), "filter", "weight"),
        "occlusion": to_table(random.normal(size=(7, 10, 10)), NAMES, "emotion", "drop"),
        "robustness": robustness.assign(accuracy=0.5, low=0.4, high=0.6, n=100),
    }
    for name, table in tables.items():
        table.to_csv(folder / f"{name}.csv", index=False)


def add_variants(directory: Path) -> None:
    """Variants of `shallow`, which are runs as well: another seed, half of the faces, and trained without leaks."""
    path = directory / "reports" / REPORT / "models.json"
    record = json.loads(path.read_text())["shallow"] | {"variant_of": "shallow", "seed": 1}
    variants = {
        "shallow-seed-2": record | {"what": "seed", "seed": 2, "accuracy": 0.5, "training_faces": 210},
        "shallow-share-50": record | {"what": "share", "training_faces": 105},
        "shallow-unleaked": record | {"what": "unleaked", "training_faces": 200},
    }
    write_json(path.with_name("variants.json"), variants)
    predictions = pd.read_csv(path.with_name("predictions.csv"))
    predictions = predictions.assign(**dict.fromkeys(variants, predictions["small"]))
    predictions.to_csv(path.with_name("predictions.csv"), index=False)
    yaml = YAML()
    params = yaml.load(directory / "params.yaml")
    params["runs"]["resnet"] |= dict.fromkeys(variants, params["runs"]["resnet"]["shallow"])
    yaml.dump(params, directory / "params.yaml")


def _write_params(directory: Path) -> None:
    write_params(directory, {run: {} for run in RUNS})
    yaml = YAML()
    params = yaml.load(directory / "params.yaml")
    params["evaluate"] = {REPORT: params["evaluate"][REPORT]}
    params["evaluate"][REPORT]["bootstrap_samples"] = 100
    yaml.dump(params, directory / "params.yaml")


def _write_faces(directory: Path, absent: str, found: bool) -> pd.DataFrame:
    """Faces of all emotions in turn, seven of each part at a time; the second is a copy of the first."""
    images = np.random.default_rng(1).integers(0, 256, (COUNT, 48, 48), dtype=np.uint8)
    images[1] = images[0]
    parts = [PARTS[number // len(NAMES) % len(PARTS)] for number in range(COUNT)]
    emotions = [NAMES[number % len(NAMES)] for number in range(COUNT)]
    passes = [number % 3 * found for number in range(COUNT)]
    faces = pd.DataFrame({"row": range(COUNT), "emotion": emotions, "usage": [USAGES[part] for part in parts]})
    if absent:
        in_test = (faces["usage"] == "PrivateTest") & (faces["emotion"] == absent)
        faces.loc[in_test, "emotion"] = "happy"
    landmarks = np.repeat(48 * load_mean_shape().picture[None], COUNT, axis=0).astype(np.float32)
    detected = faces.assign(detected=np.array(passes) > 0, detector_pass=passes, left=5, top=5, width=30, height=30)
    filtered = detected.assign(duplicate_of=pd.Series([None, 0.0] + [None] * (COUNT - 2)), official=parts, study="none")
    write_face_table(directory / "data/decoded", FaceTable(images, faces))
    write_face_table(directory / "data/aligned", FaceTable(images, detected, landmarks))
    write_face_table(directory / "data/filtered", FaceTable(images, filtered, landmarks))
    return filtered


def _write_run(directory: Path, name: str, faces: pd.DataFrame, seed: int) -> Predictions:
    """Predictions of three snapshots, better than chance, and a history."""
    random = np.random.default_rng(seed)
    rows, probabilities = {}, {}
    for part in ("validation", "test"):
        of_part = faces[faces["official"] == part]
        rows[part] = of_part["row"].to_numpy()
        logits = random.normal(size=(3, 2, len(of_part), len(NAMES)))
        logits += (0.4 + 0.3 * seed) * np.eye(len(NAMES))[of_part["emotion"].map(NAMES.index)]
        probabilities[part] = (np.exp(logits) / np.exp(logits).sum(axis=-1, keepdims=True)).astype(np.float32)
    iterations = (1000, 2000, 3000)
    path = directory / f"data/predictions/official/{name}.npz"
    write_predictions(path, Predictions(iterations, rows, probabilities, 1234))
    history = {"iteration": iterations, "loss": 1.5, "accuracy": 0.4, "validation_loss": 1.4}
    path = directory / f"reports/history/official/{name}.csv"
    path.parent.mkdir(parents=True, exist_ok=True)
    pd.DataFrame(history | {"validation_accuracy": 0.5}).to_csv(path, index=False)
    return read_predictions(directory / f"data/predictions/official/{name}.npz")


def _write_evaluation(directory: Path, faces: pd.DataFrame, runs: Mapping[str, Predictions]) -> None:
    """What the stage `evaluate` writes."""
    classes = [name for name in NAMES if name != "disgust"]
    kept = [NAMES.index(name) for name in classes]
    counted = faces[faces["emotion"].isin(classes)]
    parts = {part: counted[counted["official"] == part] for part in ("validation", "test")}
    labels = {part: rows["emotion"].map(classes.index).to_numpy() for part, rows in parts.items()}
    rows = {part: table["row"].to_numpy() for part, table in parts.items()}
    evaluated = EvaluatedFaces(
        labels["validation"], labels["test"], parts["test"]["detected"].to_numpy(), tuple(classes)
    )
    of_faces = {run: one.of_faces(rows, kept) for run, one in runs.items()}
    models = evaluate_models(of_faces, evaluated, 2, seed=1, temperature=True, bootstrap_samples=100)
    report = directory / "reports" / REPORT
    write_json(report / "variants.json", {})
    write_json(report / "models.json", {model.name: model.record(dict.fromkeys(RUNS, 1234)) for model in models})
    predictions_table(models, rows["test"], evaluated).to_csv(report / "predictions.csv", index=False)


def _write_served(directory: Path, predictions: Predictions) -> None:
    """A card and the predictions of the file that serves `small`, which are those of its last snapshot."""
    record = json.loads((directory / "reports" / REPORT / "models.json").read_text())["small"]
    card = {
        "members": [{"run": "small"}],
        "metrics": {key: value for key, value in record.items() if key not in ("snapshots", "weights", "parameters")},
        "model": {"variant": "int8", "bytes": 1234567},
        "confidence_threshold": 0.4321,
    }
    write_json(directory / "models/serving/card.json", card)
    (chosen,) = record["snapshots"]["small"]
    number, classes = predictions.iterations.index(chosen), [NAMES.index(name) for name in record["recall"]]
    probabilities = {
        part: array[number : number + 1, :, :, classes] for part, array in predictions.probabilities.items()
    }
    served = Predictions((chosen,), predictions.rows, probabilities, 1234)
    write_predictions(directory / "data/predictions/served.npz", served)


def _audit(faces: pd.DataFrame) -> dict[str, Any]:
    counts = {name: int((faces["emotion"] == name).sum()) for name in NAMES}
    return {
        "classes": {"before": counts, "after": {name: count // 2 for name, count in counts.items()}},
        "candidates": {"correlation": [-1.0, 0.5, 0.9, 1.0], "pairs": {"10": [0, 1, 0]}},
        "hash_distance": 10,
        "least_correlation": 0.9,
        "near_pairs": 0,
        "near_groups": 1,
        "near_faces": 2,
        "near_leaks": {"study": 0, "official": 0},
    }
