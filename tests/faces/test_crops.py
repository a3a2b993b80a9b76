"""Alignment: landmarks land where the mean shape has them."""

import numpy as np
import pytest

from facial_expression.alignment import LANDMARK_SETS, Aligner
from facial_expression.mean_shape import load_mean_shape

MEAN_SHAPE = load_mean_shape()
RIGHT_EYE, LEFT_EYE, MOUTH, CHIN = slice(36, 42), slice(42, 48), slice(48, 60), 8


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
        crop = aligner.crop(draw_dot(96, landmarks[index]), landmarks)
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
        crops = [make_aligner(margin=margin).crop(draw_dot(96, landmarks[index]), landmarks) for index in (39, 42)]
        eyes[margin] = np.linalg.norm(centre_of_light(crops[0]) - centre_of_light(crops[1]))
    assert eyes[0.25] == pytest.approx(eyes[0.0] / 2, rel=0.02)


def test_what_lies_outside_the_picture():
    white = np.full((48, 48), 255, np.uint8)
    landmarks = moved(MEAN_SHAPE.face, 0, 48, (-24, 0))  # the left half of the face lies outside
    black, replicate = (make_aligner(border=border).crop(white, landmarks) for border in ("black", "replicate"))
    assert (replicate == 255).all()
    assert (black[:, :23] == 0).all()
    assert (black[:, 25:] == 255).all()


def test_a_missed_face_is_cropped_from_the_average_place():
    picture = np.zeros((30, 60), np.uint8)
    landmarks = make_aligner().frame_landmarks(picture)
    assert landmarks.shape == (68, 2)
    assert landmarks.dtype == np.float32
    np.testing.assert_allclose(landmarks, MEAN_SHAPE.picture * [60, 30], rtol=1e-6)
