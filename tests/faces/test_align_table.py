"""Detection, alignment and centering of whole face tables."""

import numpy as np
import pandas as pd
import pytest

from facial_expression.data.face_table import FaceTable
from facial_expression.data.synthetic import draw_face
from facial_expression.emotions import NAMES
from facial_expression.errors import UserError
from facial_expression.faces import align_table
from facial_expression.faces.align_table import align_faces, center_faces, detect_faces
from facial_expression.faces.crops import Centerer, average_landmarks
from facial_expression.faces.detection import DetectionPass, Face
from helpers.landmarks import MEAN_SHAPE, make_aligner, transform

ADDED = ["detected", "detector_pass", "score", "left", "top", "width", "height"]


@pytest.fixture
def table():
    """Three pictures of noise."""
    images = np.random.default_rng(3).integers(0, 256, (3, 48, 48), dtype=np.uint8)
    faces = pd.DataFrame({"row": [2, 5, 9], "emotion": ["sad", "happy", "sad"], "usage": ["Training"] * 3}, [4, 1, 7])
    return FaceTable(images, faces)


def make_face(detector_pass: int, shift: float) -> Face:
    landmarks = transform(MEAN_SHAPE.face, 0.1, 36, (shift, shift)).astype(np.float32)
    return Face((shift, 4.0, 36.0, 37.0), 0.75, landmarks, detector_pass)


FACES = [make_face(1, 5), None, make_face(3, 7)]


def test_keeps_undetected_pictures_with_average_landmarks(table):
    aligner = make_aligner(size=32)
    aligned = align_faces(table, aligner, FACES, "center")
    assert aligned.images.shape == (3, 32, 32)
    landmarks = [FACES[0].landmarks, average_landmarks(table.images[1], MEAN_SHAPE), FACES[2].landmarks]
    np.testing.assert_array_equal(aligned.landmarks, landmarks)
    assert aligned.landmarks.dtype == np.float32
    for crop, picture, points in zip(aligned.images, table.images, landmarks, strict=True):
        np.testing.assert_array_equal(crop, aligner.crop(picture, points))


def test_adds_columns_of_detection(table):
    aligned = align_faces(table, make_aligner(), FACES, "center")
    assert list(aligned.faces.columns) == ["row", "emotion", "usage", *ADDED]
    assert aligned.faces[ADDED].to_numpy().tolist() == [
        [True, 1, 0.75, 5, 4, 36, 37],
        [False, 0, 0, 0, 0, 0, 0],
        [True, 3, 0.75, 7, 4, 36, 37],
    ]
    assert aligned.faces["detected"].dtype == bool
    assert aligned.faces["row"].tolist() == [2, 5, 9]
    assert list(table.faces.columns) == ["row", "emotion", "usage"]


def test_drops_undetected_pictures(table):
    kept, dropped = (align_faces(table, make_aligner(), FACES, missing) for missing in ("center", "drop"))
    np.testing.assert_array_equal(dropped.images, kept.images[[0, 2]])
    np.testing.assert_array_equal(dropped.landmarks, kept.landmarks[[0, 2]])
    assert dropped.faces["row"].tolist() == [2, 9]
    assert dropped.faces["detector_pass"].tolist() == [1, 3]


def test_rejects_dropping_every_picture(table):
    assert not align_faces(table, make_aligner(), [None] * 3, "center").faces["detected"].any()
    message = "no face was detected in any picture: add a detection pass or set align.missing to center"
    with pytest.raises(UserError, match=message):
        align_faces(table, make_aligner(), [None] * 3, "drop")


def test_rejects_unknown_value_of_missing(table):
    with pytest.raises(ValueError, match="missing must be 'center' or 'drop', not 'ignore'"):
        align_faces(table, make_aligner(), [None] * 3, "ignore")


@pytest.mark.parametrize(("missing", "kept"), [("center", [0, 1, 2]), ("drop", [0, 2])])
def test_centers_faces_that_alignment_kept(table, missing, kept):
    centerer = Centerer(32, MEAN_SHAPE)
    aligned = align_faces(table, make_aligner(size=32), FACES, missing)
    centered = center_faces(table, centerer, aligned)
    crops = [centerer.crop(table.images[index], points) for index, points in zip(kept, aligned.landmarks, strict=True)]
    np.testing.assert_array_equal(centered.images, crops)
    np.testing.assert_array_equal(centered.landmarks, aligned.landmarks)
    pd.testing.assert_frame_equal(centered.faces, aligned.faces)


def test_centering_keeps_undetected_pictures_unchanged(table):
    aligned = align_faces(table, make_aligner(), FACES, "center")
    centered = center_faces(table, Centerer(48, MEAN_SHAPE), aligned)
    unchanged = (centered.images == table.images).all(axis=(1, 2))
    assert unchanged.tolist() == [False, True, False]


def test_number_of_workers_does_not_change_faces(monkeypatch):
    monkeypatch.setattr(align_table, "_BATCH", 3)
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


def test_keeps_only_best_face_of_picture(monkeypatch):
    class TwoFaces:
        def __init__(self, passes, landmark_enlargement):
            self.faces = [make_face(1, 5), make_face(1, 7)]

        def detect(self, picture):
            return self.faces

    monkeypatch.setattr(align_table, "FaceDetector", TwoFaces)
    monkeypatch.setattr(align_table, "_detectors", {})
    found = detect_faces(np.zeros((2, 48, 48), np.uint8), [DetectionPass()], 1, workers=1, progress=False)
    assert [face.box[0] for face in found] == [5, 5]


def test_aligned_synthetic_faces_have_eyes_in_same_place():
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
