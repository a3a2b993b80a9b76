"""A frame moves and scales; it deforms nothing, and what lies where it belongs stays as it is."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from facial_expression.cropping import make_cropper
from facial_expression.framing import Framer
from facial_expression.mean_shape import load_mean_shape

MEAN_SHAPE = load_mean_shape()
FRAMER = Framer(48, MEAN_SHAPE)


def draw_dots(points, side=240, radius=2):
    """A picture with a soft round dot at each point."""
    y, x = np.mgrid[:side, :side]
    dots = sum(np.exp(-((x - px) ** 2 + (y - py) ** 2) / (2 * radius**2)) for px, py in points)
    return np.clip(255 * dots, 0, 255).astype(np.uint8)


def centre(picture):
    y, x = np.mgrid[: picture.shape[0], : picture.shape[1]]
    return np.array([(x * picture).sum(), (y * picture).sum()]) / picture.sum()


def test_a_face_in_its_place_stays_as_it_is():
    picture = np.random.default_rng(0).integers(0, 256, (48, 48), dtype=np.uint8)
    np.testing.assert_array_equal(FRAMER.crop(picture, 48 * MEAN_SHAPE.picture), picture)


@given(scale=st.floats(0.8, 4), shift=st.tuples(st.floats(0, 40), st.floats(0, 40)))
def test_moved_and_scaled_landmarks_come_back(scale, shift):
    """Seen by a dot at the tip of the nose, landmark 33."""
    landmarks = scale * 48 * MEAN_SHAPE.picture + shift
    crop = FRAMER.crop(draw_dots([landmarks[33]], radius=2 * scale), landmarks)
    np.testing.assert_allclose(centre(crop), 48 * MEAN_SHAPE.picture[33], atol=0.3)


def test_an_open_mouth_stays_open():
    """Alignment would bring the lower lip to its usual place; a frame hardly moves it for one landmark in 68."""
    landmarks = 48 * MEAN_SHAPE.picture
    landmarks[57] += [0, 4]
    crop = FRAMER.crop(draw_dots([landmarks[57]], side=60, radius=1), landmarks)
    assert centre(crop)[1] - 48 * MEAN_SHAPE.picture[57, 1] > 3


def test_a_turned_face_stays_turned():
    centred = 48 * (MEAN_SHAPE.picture - MEAN_SHAPE.picture.mean(axis=0))
    turn = np.array([[np.cos(0.3), -np.sin(0.3)], [np.sin(0.3), np.cos(0.3)]])
    landmarks = centred @ turn.T + 100
    picture = draw_dots([landmarks[0], landmarks[16]])  # the two ends of the jaw
    crop = FRAMER.crop(picture, landmarks)
    left, right = centre(crop[:, :24]), centre(crop[:, 24:]) + np.array([24, 0])
    angle = np.arctan2(*(right - left)[::-1])
    expected = np.arctan2(*(landmarks[16] - landmarks[0])[::-1])
    assert angle == pytest.approx(expected, abs=0.03)


def test_edges_are_repeated_outside_the_picture():
    picture = np.full((48, 48), 90, np.uint8)
    assert (FRAMER.crop(picture, 30 * MEAN_SHAPE.picture + 40) == 90).all()


@pytest.mark.parametrize("size", [32, 96])
def test_another_size_shows_the_same(size):
    landmarks = 150 * MEAN_SHAPE.picture + 20
    crop = Framer(size, MEAN_SHAPE).crop(draw_dots([landmarks[30]]), landmarks)
    assert crop.shape == (size, size)
    np.testing.assert_allclose(centre(crop), size * MEAN_SHAPE.picture[30], atol=0.5)


def test_croppers_by_name():
    settings = {"landmark_set": "outer_eyes_and_nose", "border": "replicate", "size": 40, "margin": 0.1}
    aligner, framer = (make_cropper(name, settings, MEAN_SHAPE) for name in ("aligned", "framed"))
    assert (aligner.landmark_set, aligner.border, aligner.size, aligner.margin) == tuple(settings.values())
    assert framer == Framer(40, MEAN_SHAPE)
    assert (len(aligner.landmarks), len(framer.landmarks)) == (3, 68)
    with pytest.raises(ValueError, match="'aligned' or 'framed', not 'raw'"):
        make_cropper("raw", settings, MEAN_SHAPE)
