"""Alignment: landmarks land where the mean shape has them, and every picture keeps its place in the table."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from facial_expression import alignment
from facial_expression.alignment import (
    LANDMARK_SETS,
    Aligner,
    MeanShape,
    align_faces,
    detect_faces,
    learn_mean_shape,
    load_mean_shape,
    save_mean_shape,
)
from facial_expression.detection import DetectionPass, Face
from facial_expression.emotions import NAMES
from facial_expression.facetable import FaceTable
from facial_expression.synthetic import draw_face

MEAN_SHAPE = load_mean_shape()
RIGHT_EYE, LEFT_EYE, MOUTH, CHIN = slice(36, 42), slice(42, 48), slice(48, 60), 8
ADDED = ["detected", "detector_pass", "score", "left", "top", "width", "height"]


def make_aligner(landmark_set="inner_eyes_and_bottom_lip", border="black", size=48, margin=0.0) -> Aligner:
    return Aligner(landmark_set, border, size, margin, MEAN_SHAPE)


def moved(shape: np.ndarray, angle: float, scale: float, shift: tuple[float, float]) -> np.ndarray:
    """A shape (68, 2) turned by an angle in radians, scaled and shifted."""
    turn = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    return scale * shape @ turn + shift


def draw_dot(side: int, place: np.ndarray) -> np.ndarray:
    """A black picture with one soft bright dot at a place between pixels."""
    rows, columns = np.mgrid[:side, :side]
    distance = (columns - place[0]) ** 2 + (rows - place[1]) ** 2
    return np.round(250 * np.exp(-distance / (2 * 2.0**2))).astype(np.uint8)


def centre_of_light(picture: np.ndarray) -> np.ndarray:
    rows, columns = np.mgrid[: picture.shape[0], : picture.shape[1]]
    return np.array([(columns * picture).sum(), (rows * picture).sum()]) / picture.sum(dtype=float)


@pytest.mark.parametrize("landmark_set", LANDMARK_SETS)
@pytest.mark.parametrize(("size", "margin"), [(48, 0.1), (48, 0.25), (96, 0.1)])
@pytest.mark.parametrize(
    ("angle", "scale", "shift"), [(0.0, 60.0, (18, 18)), (0.4, 50.0, (8, 30)), (-0.3, 45.0, (16, 30))]
)
def test_the_three_landmarks_land_on_the_mean_shape(landmark_set, size, margin, angle, scale, shift):
    landmarks = moved(MEAN_SHAPE.face, angle, scale, shift)
    aligner = make_aligner(landmark_set, size=size, margin=margin)
    for index in LANDMARK_SETS[landmark_set]:
        crop = aligner.align(draw_dot(96, landmarks[index]), landmarks)
        assert crop.shape == (size, size)
        assert crop.dtype == np.uint8
        expected = size * (margin + (1 - 2 * margin) * MEAN_SHAPE.face[index])
        assert np.abs(centre_of_light(crop) - expected).max() < 0.5


def test_the_landmark_sets_are_what_they_are_called():
    right_eye, left_eye, lip = LANDMARK_SETS["inner_eyes_and_bottom_lip"]
    assert right_eye == 36 + MEAN_SHAPE.face[RIGHT_EYE, 0].argmax()
    assert left_eye == 42 + MEAN_SHAPE.face[LEFT_EYE, 0].argmin()
    assert lip == 48 + MEAN_SHAPE.face[MOUTH, 1].argmax()
    right_eye, left_eye, nose = LANDMARK_SETS["outer_eyes_and_nose"]
    assert right_eye == 36 + MEAN_SHAPE.face[RIGHT_EYE, 0].argmin()
    assert left_eye == 42 + MEAN_SHAPE.face[LEFT_EYE, 0].argmax()
    assert nose == 27 + MEAN_SHAPE.face[27:36, 1].argmax()


def test_a_margin_makes_the_face_smaller():
    landmarks = moved(MEAN_SHAPE.face, 0, 60, (18, 18))
    eyes = {}
    for margin in (0.0, 0.25):
        crops = [make_aligner(margin=margin).align(draw_dot(96, landmarks[index]), landmarks) for index in (39, 42)]
        eyes[margin] = np.linalg.norm(centre_of_light(crops[0]) - centre_of_light(crops[1]))
    assert eyes[0.25] == pytest.approx(eyes[0.0] / 2, rel=0.02)


def test_what_lies_outside_the_picture():
    white = np.full((48, 48), 255, np.uint8)
    landmarks = moved(MEAN_SHAPE.face, 0, 48, (-24, 0))  # the left half of the face lies outside
    black, replicate = (make_aligner(border=border).align(white, landmarks) for border in ("black", "replicate"))
    assert (replicate == 255).all()
    assert (black[:, :23] == 0).all()
    assert (black[:, 25:] == 255).all()


def test_a_missed_face_is_cropped_from_the_average_place():
    picture = np.zeros((30, 60), np.uint8)
    landmarks = make_aligner().frame_landmarks(picture)
    assert landmarks.shape == (68, 2)
    assert landmarks.dtype == np.float32
    np.testing.assert_allclose(landmarks, MEAN_SHAPE.picture * [60, 30], rtol=1e-6)


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
        np.testing.assert_array_equal(crop, aligner.align(picture, marks))
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
    monkeypatch.setattr(alignment, "_BATCH", 3)
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

    monkeypatch.setattr(alignment, "FaceDetector", TwoFaces)
    monkeypatch.setattr(alignment, "_detectors", {})
    found = detect_faces(np.zeros((2, 48, 48), np.uint8), [DetectionPass()], 1, workers=1, progress=False)
    assert [face.box[0] for face in found] == [5, 5]


def copies_of(shape: np.ndarray, seed: int, count: int) -> np.ndarray:
    generator = np.random.default_rng(seed)
    angles, scales = generator.uniform(0, 2 * np.pi, count), generator.uniform(0.5, 80, count)
    shifts = generator.uniform(-50, 50, (count, 2))
    return np.stack([moved(shape, *how) for how in zip(angles, scales, shifts, strict=True)])


@given(seed=st.integers(0, 2**32), count=st.integers(1, 20))
def test_a_shape_is_learned_from_copies_of_it(seed, count):
    landmarks = copies_of(MEAN_SHAPE.face, seed, count)
    learned = learn_mean_shape(landmarks, picture_size=48)
    np.testing.assert_allclose(learned.face, MEAN_SHAPE.face, atol=1e-5)
    np.testing.assert_allclose(learned.picture, landmarks.mean(axis=0) / 48)


def test_a_shape_is_learned_from_two_copies_that_cancel_each_other():
    shape = MEAN_SHAPE.face - MEAN_SHAPE.face.mean(axis=0)
    learned = learn_mean_shape(np.stack([shape, -shape]), picture_size=48)
    np.testing.assert_allclose(learned.face, MEAN_SHAPE.face, atol=1e-5)


def test_noise_averages_out():
    noise = np.random.default_rng(2).normal(0, 0.02, (500, 68, 2))
    landmarks = np.concatenate([copies_of(MEAN_SHAPE.face + error, seed, 1) for seed, error in enumerate(noise)])
    np.testing.assert_allclose(learn_mean_shape(landmarks, 48).face, MEAN_SHAPE.face, atol=0.005)


def test_every_face_counts_the_same_whatever_its_size_and_direction():
    noise = np.random.default_rng(2).normal(0, 0.1, (5, 68, 2))
    plain = MEAN_SHAPE.face + noise
    changed = np.concatenate([copies_of(shape, seed, 1) for seed, shape in enumerate(plain)])
    np.testing.assert_allclose(learn_mean_shape(plain, 48).face, learn_mean_shape(changed, 48).face, atol=1e-5)


def test_a_learned_shape_fills_the_unit_square_with_level_eyes():
    landmarks = copies_of(MEAN_SHAPE.face * (1.3, 0.8), seed=4, count=5)
    face = learn_mean_shape(landmarks, picture_size=48).face
    np.testing.assert_allclose([face.min(axis=0), face.max(axis=0)], [[0, 0], [1, 1]], atol=1e-9)
    assert face[RIGHT_EYE, 1].mean() == pytest.approx(face[LEFT_EYE, 1].mean())


def test_a_mean_shape_is_saved_and_loaded(tmp_path):
    generator = np.random.default_rng(5)
    shape = MeanShape(generator.random((68, 2)), generator.random((68, 2)))
    save_mean_shape(tmp_path / "one.csv", shape)
    loaded = load_mean_shape(tmp_path / "one.csv")
    np.testing.assert_allclose(loaded.face, shape.face, atol=5e-7)
    np.testing.assert_allclose(loaded.picture, shape.picture, atol=5e-7)
    save_mean_shape(tmp_path / "two.csv", loaded)
    assert (tmp_path / "one.csv").read_bytes() == (tmp_path / "two.csv").read_bytes()


@pytest.mark.parametrize("fault", ["columns", "rows"])
def test_another_file_is_no_mean_shape(tmp_path, fault):
    columns = ["x", "y", "picture_x", "picture_y"]
    table = pd.DataFrame(np.zeros((68, 4)), columns=columns)
    table = table.rename(columns={"x": "X"}) if fault == "columns" else table[:5]
    table.to_csv(tmp_path / "shape.csv", index=False)
    with pytest.raises(ValueError, match=r"shape\.csv must have 68 rows with the columns x, y, picture_x, picture_y"):
        load_mean_shape(tmp_path / "shape.csv")


# Where 300-W's landmarks go in a mirror image: jaw, brows, nose, eyes, mouth.
MIRRORED = [
    *range(16, -1, -1),
    *range(26, 16, -1),
    *(27, 28, 29, 30, 35, 34, 33, 32, 31),
    *(45, 44, 43, 42, 47, 46, 39, 38, 37, 36, 41, 40),
    *(54, 53, 52, 51, 50, 49, 48, 59, 58, 57, 56, 55, 64, 63, 62, 61, 60, 67, 66, 65),
]


@pytest.mark.parametrize("shape", [MEAN_SHAPE.face, MEAN_SHAPE.picture], ids=["face", "picture"])
def test_the_committed_mean_shape_looks_like_a_face(shape):
    assert shape.shape == (68, 2)
    assert shape.min() >= 0
    assert shape.max() <= 1
    assert shape[RIGHT_EYE, 0].max() < shape[30, 0] < shape[LEFT_EYE, 0].min()
    assert shape[36:48, 1].max() < shape[30, 1] < shape[MOUTH, 1].min() < shape[MOUTH, 1].max() < shape[CHIN, 1]
    mirrored = shape[MIRRORED] * (-1, 1)
    mirrored += shape.mean(axis=0) - mirrored.mean(axis=0)
    assert np.abs(mirrored - shape).max() < 0.03


def test_the_committed_mean_shape_fills_the_unit_square():
    np.testing.assert_array_equal([MEAN_SHAPE.face.min(axis=0), MEAN_SHAPE.face.max(axis=0)], [[0, 0], [1, 1]])


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
