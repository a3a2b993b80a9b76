"""Draw the report: one page that shows the evidence, in an edition for everyone and one with the faces of FER2013.

    dvc repro report
    python -m stages.report --without-faces    (needs nothing but what git holds)

reads   reports/dataset.json, reports/analysis/, reports/crowd/, reports/probes/, reports/history/,
        models/serving/card.json, the font of the web app; for the faces data/decoded/, data/aligned/,
        data/near_duplicates.csv
writes  reports/report.html and reports/figures/, without a face of the data; reports/report-with-faces.html

Takes a few seconds.
"""

import argparse
from pathlib import Path

import numpy as np

from facial_expression.analysis.tables import read_table
from facial_expression.data.face_table import read_face_table
from facial_expression.data.synthetic import draw_face
from facial_expression.emotions import NAMES
from facial_expression.evaluation.tables import STUDY, is_comparable, title_of_data
from facial_expression.faces.crops import make_cropper
from facial_expression.faces.detection import DetectionPass, FaceDetector
from facial_expression.faces.mean_shape import load_mean_shape
from facial_expression.files import atomic_write, read_json
from facial_expression.params import Params, load_params
from facial_expression.reporting.evidence import Evidence, read_histories, read_probe, read_probes
from facial_expression.reporting.figure import Figure
from facial_expression.reporting.page import build_sections, render
from facial_expression.reporting.pictures import Gallery, fer2013_gallery, synthetic_gallery
from stages._stage import (
    ALIGNED,
    ANALYSIS,
    CROWD,
    DATASET,
    DECODED,
    FIGURES,
    FONT,
    NEAR_DUPLICATES,
    PROBES,
    REPORT,
    REPORT_WITH_FACES,
    SERVING,
    history_path,
    probe_directory,
    run_stage,
)


def main() -> None:
    parser = argparse.ArgumentParser(description="Draw the report")
    parser.add_argument("--without-faces", action="store_true", help="only the edition without the faces of the data")
    without_faces = parser.parse_args().without_faces
    params = load_params()
    evidence = _read(params)
    sections = build_sections(evidence)
    editions = {REPORT: _synthetic_gallery(params)}
    if not without_faces:
        editions[REPORT_WITH_FACES] = _gallery_of_data(evidence)
    pages = {path: render(evidence, sections, gallery, FONT.read_bytes()) for path, gallery in editions.items()}
    for path, page in pages.items():
        with atomic_write(path) as temporary:
            temporary.write_text(page, encoding="utf-8", newline="\n")
        print(f"{path}: {path.stat().st_size / 1e6:.1f} MB")
    _write_figures(FIGURES, [figure for section in sections for figure in section.figures])


def _read(params: Params) -> Evidence:
    reports = {name: read_json(ANALYSIS / f"{name}.json", f"dvc repro analyze@{name}") for name in params.evaluate}
    crowd = read_json(CROWD / "agreement.json", "dvc repro crowd")
    study_classes = [report["classes"] for report in reports.values() if report["protocol"] == "study"]
    is_study = bool(study_classes) and is_comparable(params.download, study_classes[0])
    variants = {name for report in reports.values() for name in report["variants"]}  # in no figure of their own
    runs = {name: run for name, run in params.all_runs.items() if name not in variants}
    return Evidence(
        dataset=read_json(DATASET, "dvc repro filter_classes"),
        data=read_json(ANALYSIS / "data.json", "dvc repro audit"),
        crowd=crowd,
        reports=reports,
        served=params.export.report,
        card=read_json(SERVING / "card.json", "dvc repro export"),
        runs={name: run.protocol for name, run in runs.items()},
        covered={name for name, run in runs.items() if run.recipe.augmentation.cutout},
        served_probe=read_probe(probe_directory("served"), "dvc repro probe_served"),
        probes=read_probes(PROBES, {name: f"probe_{run.stage}" for name, run in runs.items()}),
        histories=read_histories({name: history_path(run.protocol, name) for name, run in runs.items()}),
        study=STUDY if is_study else {},
        origin={
            "data": title_of_data(params.download),
            "MD5 of the data": "none" if params.download.dataset == "synthetic" else params.download.md5,
            "MD5 of the crowd's labels": params.crowd.md5 if crowd and params.crowd.md5 else "absent",
        },
    )


def _synthetic_gallery(params: Params) -> Gallery:
    aligner = make_cropper("aligned", params.align.model_dump(), load_mean_shape())
    passes = [DetectionPass(**settings.model_dump()) for settings in params.align.passes]
    detector = FaceDetector(passes, params.align.landmark_enlargement)

    def draw(number: int) -> tuple[np.ndarray, str]:
        emotion = NAMES[number % len(NAMES)]
        return draw_face(emotion, np.random.default_rng([0, number])), emotion

    def landmarks_of(face: np.ndarray) -> np.ndarray | None:
        return next((found.landmarks for found in detector.detect(face)), None)

    return synthetic_gallery(draw, landmarks_of, aligner.crop)


def _gallery_of_data(evidence: Evidence) -> Gallery:
    pairs = read_table(NEAR_DUPLICATES, ["first", "second", "correlation"], "dvc repro audit")
    decoded, aligned = read_face_table(DECODED), read_face_table(ALIGNED, memory_map=True)
    wanted = {one["row"] for report in evidence.reports.values() for one in report["suspects"]["list"]}
    wanted |= {one["row"] for one in evidence.main["mistakes"]}
    return fer2013_gallery(decoded, aligned, wanted, pairs, evidence.data["least_correlation"])


def _write_figures(directory: Path, figures: list[Figure]) -> None:
    with atomic_write(directory) as temporary:
        temporary.mkdir()
        for figure in figures:
            (temporary / f"{figure.name}.svg").write_text(figure.file, encoding="utf-8", newline="\n")


if __name__ == "__main__":
    run_stage(main)
