"""Whole face tables: every picture keeps its place, found or not."""

import numpy as np
import pandas as pd
import pytest
from test_alignment import MEAN_SHAPE, make_aligner, moved

from facial_expression import table_alignment
from facial_expression.detection import DetectionPass, Face
from facial_expression.emotions import NAMES
from facial_expression.facetable import FaceTable
from facial_expression.synthetic import draw_face
from facial_expression.table_alignment import align_faces, detect_faces

ADDED = ["detected", "detector_pass", "score", "left", "top", "width", "height"]


@pytest.fixture
def table():
    """Three pictures of noise."""
    images = np.random.default_rng(3).integers(0, 256, (3, 48, 48), dtype=np.uint8)
    faces = pd.DataFrame({"row": [2, 5, 9], "emotion": ["sad", "happy", "sad"], "usage": ["Training"] * 3}, [4, 1, 7])
    return FaceTable(images, faces)


def make_face(detector_pass: int, shift: float) -> Face:
    landmarks = moved(MEAN_SHAPE.face, 0.1, 36, (shift, shift)).astype(np.float32)
    return Face((shift, 4.0, 36.0, 37.0), 0.75, landmarks, detector_pass)


def test_missing_faces_stay_in_their_frame(table):
    aligner, first, last = make_aligner(size=32), make_face(1, 5), make_face(3, 7)
    aligned = align_faces(table, aligner, [first, None, last], "frame")
    assert aligned.images.shape == (3, 32, 32)
    landmarks = [first.landmarks, aligner.frame_landmarks(table.images[1]), last.landmarks]
    np.testing.assert_array_equal(aligned.landmarks, landmarks)
    assert aligned.landmarks.dtype == np.float32
    for crop, picture, marks in zip(aligned.images, table.images, landmarks, strict=True):
        np.testing.assert_array_equal(crop, aligner.crop(picture, marks))
    assert list(aligned.faces.columns) == ["row", "emotion", "usage", *ADDED]
    assert aligned.faces[ADDED].to_numpy().tolist() == [
        [True, 1, 0.75, 5, 4, 36, 37],
        [False, 0, 0, 0, 0, 0, 0],
        [True, 3, 0.75, 7, 4, 36, 37],
    ]
    assert aligned.faces["detected"].dtype == bool
    assert aligned.faces["row"].tolist() == [2, 5, 9]
    assert list(table.faces.columns) == ["row", "emotion", "usage"]


def test_missing_faces_are_dropped(table):
    faces = [make_face(1, 5), None, make_face(3, 7)]
    kept, dropped = (align_faces(table, make_aligner(), faces, missing) for missing in ("frame", "drop"))
    np.testing.assert_array_equal(dropped.images, kept.images[[0, 2]])
    np.testing.assert_array_equal(dropped.landmarks, kept.landmarks[[0, 2]])
    assert dropped.faces["row"].tolist() == [2, 9]
    assert dropped.faces["detector_pass"].tolist() == [1, 3]


def test_all_faces_missing(table):
    assert not align_faces(table, make_aligner(), [None] * 3, "frame").faces["detected"].any()
    with pytest.raises(ValueError, match="no face was found in any picture: add a detection pass or keep missing"):
        align_faces(table, make_aligner(), [None] * 3, "drop")


def test_an_unknown_way_with_missing_faces(table):
    with pytest.raises(ValueError, match="missing must be 'frame' or 'drop', not 'ignore'"):
        align_faces(table, make_aligner(), [None] * 3, "ignore")


def test_the_number_of_workers_changes_nothing(monkeypatch):
    monkeypatch.setattr(table_alignment, "_BATCH", 3)
    pictures = np.stack([draw_face(name, np.random.default_rng(7)) for name in NAMES])
    pictures[2] = 128
    found = {
        workers: detect_faces(pictures, [DetectionPass(1, 1, 0)], 4, workers=workers, progress=False)
        for workers in (1, 2)
    }
    assert [face is not None for face in found[1]] == [number != 2 for number in range(7)]
    for one, two in zip(found[1], found[2], strict=True):
        if one is None:
            assert two is None
        else:
            assert (one.box, one.score, one.detector_pass) == (two.box, two.score, two.detector_pass)
            np.testing.assert_array_equal(one.landmarks, two.landmarks)


def test_only_the_best_face_of_a_picture_counts(monkeypatch):
    class TwoFaces:
        def __init__(self, passes, landmark_enlargement):
            self.faces = [make_face(1, 5), make_face(1, 7)]

        def detect(self, picture):
            return self.faces

    monkeypatch.setattr(table_alignment, "FaceDetector", TwoFaces)
    monkeypatch.setattr(table_alignment, "_detectors", {})
    found = detect_faces(np.zeros((2, 48, 48), np.uint8), [DetectionPass()], 1, workers=1, progress=False)
    assert [face.box[0] for face in found] == [5, 5]


def test_drawn_faces_come_out_with_their_eyes_at_the_same_place():
    pictures = np.stack([draw_face(name, np.random.default_rng([7, 1])) for name in NAMES])
    detections = detect_faces(pictures, [DetectionPass(1, 1, 0)], 4, workers=1, progress=False)
    table = FaceTable(pictures, pd.DataFrame({"row": range(7), "emotion": NAMES, "usage": "Training"}))
    aligned = align_faces(table, make_aligner(size=96, margin=0.2), detections, "drop")
    assert len(aligned) >= 5
    again = detect_faces(aligned.images, [DetectionPass(1, 1, 0)], 4, workers=1, progress=False)
    eyes = np.stack([face.landmarks[[39, 42]] for face in again if face is not None])
    target = 96 * (0.2 + 0.6 * MEAN_SHAPE.face[[39, 42]])
    assert len(eyes) >= 5
    assert np.abs(eyes - target).mean() < 3
