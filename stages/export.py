"""Export what is served: one network, or the average of several, as ONNX.

    dvc repro export

reads   data/filtered/, data/aligned/, data/centered/, data/decoded/, models/official/, reports/REPORT/models.json, the
        blocks `export`, `align`, `runs`, `predict` and `evaluate` of params.yaml
writes  models/serving/: model.onnx and card.json (classes, preprocessing, metrics, origin)
        models/variants/: the same network as fp32.onnx, fp16.onnx (half-precision weights) and int8.onnx

The smallest variant whose validation accuracy drops by less than `max_accuracy_drop` is served. Nothing is written
unless ONNX Runtime's probabilities agree with Keras's, from which those of fp32 differ by about 1e-6. Takes four
minutes for `small` and `small-original`, whose average has 9.8, 4.9 and 2.5 MB.
"""

import shutil
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from facial_expression.data.face_table import FaceTable
from facial_expression.evaluation.calibration import confidence_threshold
from facial_expression.evaluation.models import EvaluatedFaces, evaluate_models
from facial_expression.evaluation.tables import title_of_data
from facial_expression.export.card import Inference, Member, Variant, describe_preprocessing, make_card
from facial_expression.faces.mean_shape import load_mean_shape
from facial_expression.files import atomic_write, read_json, write_json
from facial_expression.networks import title_of
from facial_expression.params import Params, Run, load_params
from facial_expression.probabilities import apply_temperature, renormalize
from facial_expression.training import runtime
from facial_expression.views import Views
from stages._inputs import INPUTS, read_input
from stages._stage import FILTERED, SERVING, VARIANTS, model_directory, report_directory, run_stage


def main() -> None:
    params = load_params()
    settings = params.export
    evaluation = params.evaluate[settings.report]
    protocol = evaluation.protocol
    views = Views(**params.prediction_of(protocol).views.model_dump())
    models = read_json(report_directory(settings.report) / "models.json", f"dvc repro evaluate@{settings.report}")
    # Snapshots of every backend load under TensorFlow, and only TensorFlow exports.
    runtime.configure(params.runtime.model_copy(update={"backend": "tensorflow"}), seed=0)
    from facial_expression.export import quantize
    from facial_expression.export.members import average_networks, choose_members

    learned = read_input(settings.input).of_protocol(protocol)
    table = learned.drop_classes(evaluation.drop)
    kept = [learned.classes.index(name) for name in table.classes]
    candidates = [name for name, run in params.runs_of(protocol).items() if run.input == settings.input]
    members, networks = [], []
    for name, iteration in choose_members(models, candidates, settings.runs).items():
        member, network = _load_member(params.all_runs[name], iteration, kept)
        members.append(member)
        networks.append(network)
    network = average_networks(networks)
    training, validation, test = (table.subset(protocol, part) for part in ("training", "validation", "test"))
    with atomic_write(VARIANTS) as files, atomic_write(SERVING) as serving:
        files.mkdir()
        serving.mkdir()
        calibration = training.images[: settings.calibration_faces]
        compared = validation.images[: quantize.COMPARED_FACES]
        quantize.write_variants(network, files, settings.opset, calibration, compared)
        variants = quantize.measure_variants(network, files, validation, test, views)
        served = quantize.choose_variant(variants, settings.max_accuracy_drop)
        shutil.copyfile(files / f"{served}.onnx", serving / "model.onnx")
        inference, metrics = _measure(serving / "model.onnx", table, members, views, params)
        preprocessing = describe_preprocessing(settings.input, params.align, load_mean_shape())
        dataset = title_of_data(params.download)
        about = inference, metrics, preprocessing, _data(members), dataset
        card = make_card(served, variants, table.classes, members, *about)
        write_json(serving / "card.json", card)
    _show(variants, served)


def _load_member(run: Run, iteration: int, kept: list[int]) -> tuple[Member, Any]:
    """One of the networks to serve, for some of its classes."""
    from facial_expression.export.members import restrict_classes
    from facial_expression.training import snapshots

    directory = model_directory(run.protocol, run.name)
    print(f"exporting {directory}, snapshot {iteration:,}")
    network = snapshots.load_network(directory)
    snapshots.load_snapshot(network, directory, iteration)
    title = title_of(network, run.network.module)
    member = Member(title, run.name, iteration, snapshots.read_description(directory))
    return member, restrict_classes(network, kept, run.name.replace("-", "_"))


def _data(members: list[Member]) -> dict[str, Path]:
    """The files that the networks were trained on."""
    inputs = dict.fromkeys(member.description["input"] for member in members)
    images = {f"{name}/images.npy": INPUTS[name] / "images.npy" for name in inputs}
    return images | {"filtered/faces.csv": FILTERED / "faces.csv"}


def _measure(
    path: Path, table: FaceTable, members: list[Member], views: Views, params: Params
) -> tuple[Inference, dict[str, Any]]:
    """How to use the served file, and its metrics, which differ slightly from those of the networks in Keras."""
    from facial_expression.export import onnx_file

    settings = params.evaluate[params.export.report]
    validation, test = (table.subset(settings.protocol, part) for part in ("validation", "test"))
    everything = range(len(table.classes))  # to sum up to 1 again, which int8 does only nearly
    on_validation, on_test = (
        renormalize(onnx_file.predict(path, part.images, views), everything) for part in (validation, test)
    )
    detected = table.faces.loc[table.faces[settings.protocol] == "test", "detected"].to_numpy()
    measured, *_ = evaluate_models(
        {"served": {max(member.snapshot for member in members): (on_validation, on_test)}},
        EvaluatedFaces(validation.labels, test.labels, detected, table.classes),
        ensemble_last=1,
        seed=settings.seed,
        temperature=settings.temperature,
        bootstrap_samples=settings.bootstrap_samples,
    )
    temperature = measured.metrics["temperature"]
    calibrated = apply_temperature(on_validation, temperature)
    threshold = confidence_threshold(calibrated, validation.labels, params.export.confidence_threshold)
    return Inference(views, temperature, threshold), measured.metrics


def _show(variants: dict[str, Variant], served: str) -> None:
    table = Table("variant", "bytes", "validation", "test", "largest difference from Keras")
    for name, variant in variants.items():
        accuracies = (f"{accuracy:.2%}" for accuracy in (variant.validation_accuracy, variant.accuracy))
        cells = (name, f"{variant.bytes:,}", *accuracies, f"{variant.max_difference:.1e}")
        table.add_row(*cells, style="bold" if name == served else None)
    Console().print(table, f"{served} is served")


if __name__ == "__main__":
    run_stage(main)
