"""Aligned crops move three landmarks onto the mean shape; centered crops only move and scale the picture."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from facial_expression.faces.crops import LANDMARK_SETS, Centerer, average_landmarks, make_cropper
from helpers.landmarks import LEFT_EYE, MEAN_SHAPE, MOUTH, RIGHT_EYE, make_aligner, transform

CENTERER = Centerer(48, MEAN_SHAPE)


def draw_dots(points, side, radius=2.0) -> np.ndarray:
    """A black picture with a soft bright dot at each point."""
    y, x = np.mgrid[:side, :side]
    light = sum(np.exp(-((x - column) ** 2 + (y - row) ** 2) / (2 * radius**2)) for column, row in points)
    return np.round(250 * np.minimum(light, 1)).astype(np.uint8)


def find_dot(picture: np.ndarray) -> np.ndarray:
    """The center of mass of a picture's light: x and y in pixels."""
    y, x = np.mgrid[: picture.shape[0], : picture.shape[1]]
    return np.array([(x * picture).sum(), (y * picture).sum()]) / picture.sum(dtype=float)


@pytest.mark.parametrize("landmark_set", LANDMARK_SETS)
@pytest.mark.parametrize(("size", "margin"), [(48, 0.1), (48, 0.25), (96, 0.1)])
@pytest.mark.parametrize(
    ("angle", "scale", "shift"), [(0.0, 60.0, (18, 18)), (0.4, 50.0, (8, 30)), (-0.3, 45.0, (16, 30))]
)
def test_alignment_moves_landmarks_onto_mean_shape(landmark_set, size, margin, angle, scale, shift):
    landmarks = transform(MEAN_SHAPE.face, angle, scale, shift)
    aligner = make_aligner(landmark_set, size=size, margin=margin)
    for index in LANDMARK_SETS[landmark_set]:
        crop = aligner.crop(draw_dots([landmarks[index]], side=96), landmarks)
        assert crop.shape == (size, size)
        assert crop.dtype == np.uint8
        expected = size * (margin + (1 - 2 * margin) * MEAN_SHAPE.face[index])
        assert np.abs(find_dot(crop) - expected).max() < 0.5


def test_landmark_sets_match_their_names():
    right_eye, left_eye, lip = LANDMARK_SETS["inner_eyes_and_bottom_lip"]
    assert right_eye == 36 + MEAN_SHAPE.face[RIGHT_EYE, 0].argmax()
    assert left_eye == 42 + MEAN_SHAPE.face[LEFT_EYE, 0].argmin()
    assert lip == 48 + MEAN_SHAPE.face[MOUTH, 1].argmax()
    right_eye, left_eye, nose = LANDMARK_SETS["outer_eyes_and_nose"]
    assert right_eye == 36 + MEAN_SHAPE.face[RIGHT_EYE, 0].argmin()
    assert left_eye == 42 + MEAN_SHAPE.face[LEFT_EYE, 0].argmax()
    assert nose == 27 + MEAN_SHAPE.face[27:36, 1].argmax()


def test_margin_shrinks_aligned_face():
    landmarks = transform(MEAN_SHAPE.face, 0, 60, (18, 18))
    distances = {}
    for margin in (0.0, 0.25):
        aligner = make_aligner(margin=margin)
        eyes = [find_dot(aligner.crop(draw_dots([landmarks[index]], side=96), landmarks)) for index in (39, 42)]
        distances[margin] = np.linalg.norm(eyes[0] - eyes[1])
    assert distances[0.25] == pytest.approx(distances[0.0] / 2, rel=0.02)


def test_border_fills_aligned_crop_outside_picture():
    white = np.full((48, 48), 255, np.uint8)
    landmarks = transform(MEAN_SHAPE.face, 0, 48, (-24, 0))  # the left half of the face lies outside
    black, replicate = (make_aligner(border=border).crop(white, landmarks) for border in ("black", "replicate"))
    assert (replicate == 255).all()
    assert (black[:, :23] == 0).all()
    assert (black[:, 25:] == 255).all()


def test_average_landmarks_scale_with_picture():
    landmarks = average_landmarks(np.zeros((30, 60), np.uint8), MEAN_SHAPE)
    assert landmarks.shape == (68, 2)
    assert landmarks.dtype == np.float32
    np.testing.assert_allclose(landmarks, MEAN_SHAPE.picture * [60, 30], rtol=1e-6)


def test_centering_keeps_face_in_average_place():
    picture = np.random.default_rng(0).integers(0, 256, (48, 48), dtype=np.uint8)
    np.testing.assert_array_equal(CENTERER.crop(picture, 48 * MEAN_SHAPE.picture), picture)


@given(scale=st.floats(0.8, 4), shift=st.tuples(st.floats(0, 40), st.floats(0, 40)))
def test_centering_undoes_shift_and_scale(scale, shift):
    landmarks = scale * 48 * MEAN_SHAPE.picture + shift
    tip_of_nose = draw_dots([landmarks[33]], side=240, radius=2 * scale)
    np.testing.assert_allclose(find_dot(CENTERER.crop(tip_of_nose, landmarks)), 48 * MEAN_SHAPE.picture[33], atol=0.3)


def test_centering_keeps_open_mouth_open():
    """Alignment would move the lower lip to its average place; one landmark of 68 hardly moves a centered crop."""
    landmarks = 48 * MEAN_SHAPE.picture
    landmarks[57] += [0, 4]
    crop = CENTERER.crop(draw_dots([landmarks[57]], side=60, radius=1), landmarks)
    assert find_dot(crop)[1] - 48 * MEAN_SHAPE.picture[57, 1] > 3


def test_centering_keeps_rotation():
    landmarks = transform(MEAN_SHAPE.picture - MEAN_SHAPE.picture.mean(axis=0), 0.3, 48, (100, 100))
    picture = draw_dots([landmarks[0], landmarks[16]], side=240)  # the two ends of the jaw
    crop = CENTERER.crop(picture, landmarks)
    left, right = find_dot(crop[:, :24]), find_dot(crop[:, 24:]) + np.array([24, 0])
    angle = np.arctan2(*(right - left)[::-1])
    expected = np.arctan2(*(landmarks[16] - landmarks[0])[::-1])
    assert abs(expected) > 0.2
    assert angle == pytest.approx(expected, abs=0.03)


def test_centering_repeats_edge_pixels():
    picture = np.full((48, 48), 90, np.uint8)
    assert (CENTERER.crop(picture, 30 * MEAN_SHAPE.picture + 40) == 90).all()


@pytest.mark.parametrize("size", [32, 96])
def test_centering_scales_to_any_size(size):
    landmarks = 150 * MEAN_SHAPE.picture + 20
    crop = Centerer(size, MEAN_SHAPE).crop(draw_dots([landmarks[30]], side=240), landmarks)
    assert crop.shape == (size, size)
    np.testing.assert_allclose(find_dot(crop), size * MEAN_SHAPE.picture[30], atol=0.5)


SETTINGS = {"landmark_set": "outer_eyes_and_nose", "border": "replicate", "size": 40, "margin": 0.1}


def test_makes_croppers_by_name():
    aligner, centerer = (make_cropper(crop, SETTINGS, MEAN_SHAPE) for crop in ("aligned", "centered"))
    assert aligner == make_aligner(**SETTINGS)
    assert centerer == Centerer(40, MEAN_SHAPE)
    assert (len(aligner.landmarks), len(centerer.landmarks)) == (3, 68)


def test_rejects_unknown_crop_and_missing_setting():
    with pytest.raises(ValueError, match="crop must be 'aligned' or 'centered', not 'decoded'"):
        make_cropper("decoded", SETTINGS, MEAN_SHAPE)
    with pytest.raises(KeyError, match="margin"):
        make_cropper("aligned", {name: SETTINGS[name] for name in ("landmark_set", "border", "size")}, MEAN_SHAPE)
