"""Export the best single network of one protocol for serving.

    dvc repro export

reads   data/filtered/, data/aligned/ or data/framed/, as the network's recipe says, models/PROTOCOL/,
        reports/PROTOCOL/metrics.json and selection.json, the blocks ``export`` and ``align`` of params.yaml and the
        protocol's blocks of ``predict`` and ``evaluate``
writes  models/serving/: model.onnx and card.json (classes, preprocessing, metrics, where it comes from)
        models/variants/: the same network as fp32.onnx, fp16.onnx (half-precision weights) and int8.onnx

The smallest variant that loses less than ``largest_loss`` of the validation accuracy is served. Nothing is written
unless ONNX Runtime gives the probabilities of Keras, from which fp32 differs by about 1e-6. Takes a minute for
ResNet-10, whose variants take 20, 10 and 5 MB, and a few for ResNet-34, with 85, 43 and 21 MB.
"""

import json
import shutil
import sys
from pathlib import Path

import keras
from rich.console import Console
from rich.table import Table

from facial_expression import compaction, evaluation, exporting, inference, runtime, snapshots
from facial_expression.atomic import replacing
from facial_expression.calibration import doubt_threshold
from facial_expression.card import Answering, Variant, describe_preprocessing, make_card
from facial_expression.ensembling import soften
from facial_expression.facetable import FaceTable
from facial_expression.mean_shape import load_mean_shape
from facial_expression.params import FAMILIES, Params, ParamsError, load_params
from stages.faces import FACES, read_faces
from stages.trained import pictures_of

SERVING, VARIANTS = Path("models/serving"), Path("models/variants")


def main() -> None:
    params = load_params()
    protocol = params.export.protocol
    # Snapshots of every backend load under TensorFlow, which is the one that exports.
    runtime.prepare(params.runtime.model_copy(update={"backend": "tensorflow"}), seed=0)
    report = Path("reports", protocol)
    metrics, selection = _read_json(report / "metrics.json"), _read_json(report / "selection.json")
    family, iteration = exporting.choose_network(metrics, selection, _not_served(params))
    directory = Path("models", protocol, family)
    print(f"exporting {directory}, snapshot {iteration:,}")
    pictures = pictures_of(directory)
    known = read_faces(pictures).under(protocol)
    table = known.without(getattr(params.evaluate, protocol).drop)
    network = snapshots.load_network(directory)
    snapshots.load_snapshot(network, directory, iteration)
    network = inference.restrict(network, [known.classes.index(name) for name in table.classes])
    with replacing(VARIANTS) as files, replacing(SERVING) as serving:
        files.mkdir()
        serving.mkdir()
        variants = _write_variants(network, files, table, params)
        served = compaction.choose_variant(variants, params.export.largest_loss)
        shutil.copyfile(files / f"{served}.onnx", serving / "model.onnx")
        temperature = metrics[family]["temperature"]
        answering, measured = _measure_served(serving / "model.onnx", table, family, iteration, temperature, params)
        origin = {"family": family, "snapshot": iteration, **snapshots.read_description(directory)}
        preprocessing = describe_preprocessing(pictures, params.align, load_mean_shape())
        data = {"images.npy": f"data/{pictures}/images.npy", "faces.csv": f"{FACES}/faces.csv"}
        card = make_card(served, variants, table.classes, origin, answering, measured, preprocessing, data)
        (serving / "card.json").write_text(json.dumps(card, indent=2) + "\n")
    _show(variants, served)


def _not_served(params: Params) -> list[str]:
    """The families that see pictures as FER2013 has them: no photo is cut like these."""
    recipes = {family: getattr(getattr(params, f"train_{family}"), params.export.protocol) for family in FAMILIES}
    return [family for family, recipe in recipes.items() if recipe.pictures == "decoded"]


def _write_variants(network: keras.Model, directory: Path, table: FaceTable, params: Params) -> dict[str, Variant]:
    protocol, settings = params.export.protocol, params.export
    training, validation, test = (table.part(protocol, part) for part in ("training", "validation", "test"))
    calibration, compared = training.images[: settings.calibration_faces], validation.images
    compaction.write_variants(network, directory, settings.opset, calibration, compared[: compaction.COMPARED_FACES])
    return compaction.measure_variants(network, directory, validation, test, _flip(params))


def _measure_served(
    model: Path, table: FaceTable, family: str, iteration: int, temperature: float, params: Params
) -> tuple[Answering, dict]:
    """How to answer with the served file, and its metrics, which are not quite those of the network."""
    protocol, flip = params.export.protocol, _flip(params)
    validation, test = (table.part(protocol, part) for part in ("validation", "test"))
    answers = tuple(soften(exporting.answer(model, part.images, flip), temperature) for part in (validation, test))
    settings = getattr(params.evaluate, protocol)
    measured, *_ = evaluation.evaluate(
        {family: {iteration: answers}},
        validation.labels,
        test.labels,
        table.classes,
        ensemble_last=1,
        seed=settings.seed,
        bootstrap_samples=settings.bootstrap_samples,
        detected=table.faces.loc[table.faces[protocol] == "test", "detected"].to_numpy(),
    )
    threshold = doubt_threshold(answers[0], validation.labels, params.export.doubt)
    return Answering(flip, temperature, threshold), measured.metrics | {"temperature": temperature}


def _flip(params: Params) -> bool:
    return getattr(params.predict, params.export.protocol).flip


def _show(variants: dict[str, Variant], served: str) -> None:
    table = Table("variant", "bytes", "validation", "test", "largest difference from Keras")
    for name, variant in variants.items():
        accuracies = (f"{accuracy:.2%}" for accuracy in (variant.validation_accuracy, variant.accuracy))
        cells = (name, f"{variant.bytes:,}", *accuracies, f"{variant.largest_difference:.1e}")
        table.add_row(*cells, style="bold" if name == served else None)
    Console().print(table, f"{served} is served")


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
