"""Detect faces and landmarks with dlib, and crop every face in two ways.

    dvc repro align

reads   data/decoded/, the block `align` of params.yaml
writes  data/aligned/ (an affine warp, as in the study), data/centered/ (moved and scaled only)

Takes three minutes for FER2013 on two cores. The first detection pass, the study's, finds 24,913 of 35,887 faces
(69.4%), all three passes together 29,513 (82.2%).
"""

from facial_expression.data.face_table import read_face_table, write_face_table
from facial_expression.faces.align_table import align_faces, center_faces, detect_faces
from facial_expression.faces.crops import make_cropper
from facial_expression.faces.detection import DetectionPass
from facial_expression.faces.mean_shape import load_mean_shape
from facial_expression.params import load_params
from stages._stage import ALIGNED, CENTERED, DECODED, run_stage


def main() -> None:
    params = load_params()
    align = params.align
    table = read_face_table(DECODED)
    passes = [DetectionPass(**settings.model_dump()) for settings in align.passes]
    workers, scheduler = params.runtime.workers, params.runtime.scheduler
    faces = detect_faces(table.images, passes, align.landmark_enlargement, workers, scheduler)
    aligner, centerer = (make_cropper(crop, align.model_dump(), load_mean_shape()) for crop in ("aligned", "centered"))
    aligned = align_faces(table, aligner, faces, align.missing)
    write_face_table(ALIGNED, aligned)
    write_face_table(CENTERED, center_faces(table, centerer, aligned))
    found = sum(face is not None for face in faces)
    print(f"detected {found:,} faces in {len(faces):,} pictures ({found / len(faces):.1%}), kept {len(aligned):,}")


if __name__ == "__main__":
    run_stage(main)
