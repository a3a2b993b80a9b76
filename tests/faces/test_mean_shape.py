"""The mean shape: learned from faces of any size and rotation, stored in a CSV, and shaped like a face."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from facial_expression.errors import UserError
from facial_expression.faces.mean_shape import MeanShape, learn_mean_shape, load_mean_shape, save_mean_shape
from helpers.landmarks import CHIN, LEFT_EYE, MEAN_SHAPE, MOUTH, RIGHT_EYE, transform


def copy_shape(shape: np.ndarray, seed: int, count: int) -> np.ndarray:
    """Copies of a shape, each randomly rotated, scaled and shifted."""
    generator = np.random.default_rng(seed)
    angles, scales = generator.uniform(0, 2 * np.pi, count), generator.uniform(0.5, 80, count)
    shifts = generator.uniform(-50, 50, (count, 2))
    return np.stack([transform(shape, *settings) for settings in zip(angles, scales, shifts, strict=True)])


@given(seed=st.integers(0, 2**32), count=st.integers(1, 20))
def test_learns_shape_from_its_copies(seed, count):
    landmarks = copy_shape(MEAN_SHAPE.face, seed, count)
    learned = learn_mean_shape(landmarks, picture_size=48)
    np.testing.assert_allclose(learned.face, MEAN_SHAPE.face, atol=1e-5)
    np.testing.assert_allclose(learned.picture, landmarks.mean(axis=0) / 48)


def test_learns_shape_from_two_opposite_copies():
    shape = MEAN_SHAPE.face - MEAN_SHAPE.face.mean(axis=0)
    learned = learn_mean_shape(np.stack([shape, -shape]), picture_size=48)
    np.testing.assert_allclose(learned.face, MEAN_SHAPE.face, atol=1e-5)


def test_averages_noise_out():
    noise = np.random.default_rng(2).normal(0, 0.02, (500, 68, 2))
    landmarks = np.concatenate([copy_shape(MEAN_SHAPE.face + error, seed, 1) for seed, error in enumerate(noise)])
    np.testing.assert_allclose(learn_mean_shape(landmarks, 48).face, MEAN_SHAPE.face, atol=0.005)


def test_weights_all_faces_equally():
    noise = np.random.default_rng(2).normal(0, 0.1, (5, 68, 2))
    plain = MEAN_SHAPE.face + noise
    changed = np.concatenate([copy_shape(shape, seed, 1) for seed, shape in enumerate(plain)])
    np.testing.assert_allclose(learn_mean_shape(plain, 48).face, learn_mean_shape(changed, 48).face, atol=1e-5)


def test_learned_shape_is_level_and_fills_unit_square():
    landmarks = copy_shape(MEAN_SHAPE.face * (1.3, 0.8), seed=4, count=5)
    face = learn_mean_shape(landmarks, picture_size=48).face
    np.testing.assert_allclose([face.min(axis=0), face.max(axis=0)], [[0, 0], [1, 1]], atol=1e-9)
    assert face[RIGHT_EYE, 1].mean() == pytest.approx(face[LEFT_EYE, 1].mean())


def test_saved_shape_survives_round_trip(tmp_path):
    generator = np.random.default_rng(5)
    shape = MeanShape(generator.random((68, 2)), generator.random((68, 2)))
    save_mean_shape(tmp_path / "one.csv", shape)
    loaded = load_mean_shape(tmp_path / "one.csv")
    np.testing.assert_allclose(loaded.face, shape.face, atol=5e-7)
    np.testing.assert_allclose(loaded.picture, shape.picture, atol=5e-7)
    save_mean_shape(tmp_path / "two.csv", loaded)
    assert (tmp_path / "one.csv").read_bytes() == (tmp_path / "two.csv").read_bytes()


@pytest.mark.parametrize("fault", ["columns", "rows"])
def test_rejects_file_with_other_columns_or_rows(tmp_path, fault):
    table = pd.DataFrame(np.zeros((68, 4)), columns=["x", "y", "picture_x", "picture_y"])
    table = table.rename(columns={"x": "X"}) if fault == "columns" else table[:5]
    table.to_csv(tmp_path / "shape.csv", index=False)
    with pytest.raises(UserError, match=r"shape\.csv must have 68 rows with the columns x, y, picture_x, picture_y"):
        load_mean_shape(tmp_path / "shape.csv")


# Index of each landmark of 300-W in a mirror image: jaw, brows, nose, eyes, mouth.
MIRRORED = [
    *range(16, -1, -1),
    *range(26, 16, -1),
    *(27, 28, 29, 30, 35, 34, 33, 32, 31),
    *(45, 44, 43, 42, 47, 46, 39, 38, 37, 36, 41, 40),
    *(54, 53, 52, 51, 50, 49, 48, 59, 58, 57, 56, 55, 64, 63, 62, 61, 60, 67, 66, 65),
]


@pytest.mark.parametrize("shape", [MEAN_SHAPE.face, MEAN_SHAPE.picture], ids=["face", "picture"])
def test_packaged_shape_looks_like_face(shape):
    assert shape.shape == (68, 2)
    assert shape.min() >= 0
    assert shape.max() <= 1
    assert shape[RIGHT_EYE, 0].max() < shape[30, 0] < shape[LEFT_EYE, 0].min()
    assert shape[36:48, 1].max() < shape[30, 1] < shape[MOUTH, 1].min() < shape[MOUTH, 1].max() < shape[CHIN, 1]
    mirrored = shape[MIRRORED] * (-1, 1)
    mirrored += shape.mean(axis=0) - mirrored.mean(axis=0)
    assert np.abs(mirrored - shape).max() < 0.03


def test_packaged_shape_fills_unit_square():
    np.testing.assert_array_equal([MEAN_SHAPE.face.min(axis=0), MEAN_SHAPE.face.max(axis=0)], [[0, 0], [1, 1]])
