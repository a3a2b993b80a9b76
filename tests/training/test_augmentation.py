"""Augmentation: what each setting changes, how far it goes, and what it leaves unchanged.

A generator of the same seed draws the same augmentation for all images, so a move is measured by applying it to several
images of a dot.
"""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from facial_expression.params import Augmentation
from facial_expression.training.augmentation import augment

EVERYTHING = {"flip": 0.5, "shift": 4.0, "rotation": 10.0, "scale": 0.1, "contrast": 0.3, "cutout": 12, "mixup": 0.2}
CLASSES = 6


def batch(count=12, size=48, seed=0):
    """Random images and one-hot targets."""
    random = np.random.default_rng(seed)
    targets = np.eye(CLASSES, dtype=np.float32)[random.integers(0, CLASSES, count)]
    return random.integers(0, 256, (count, size, size), dtype=np.uint8), targets


def apply(images, targets=None, seed=0, **strengths):
    """The augmented batch, with targets of zero unless given."""
    targets = np.zeros((len(images), CLASSES), np.float32) if targets is None else targets
    return augment(images, targets, Augmentation(**strengths), np.random.default_rng(seed))


def dots(count, x, y, size=48):
    """The same image ``count`` times: black with one soft bright dot, whose center is at ``x``, ``y``."""
    rows, columns = np.mgrid[:size, :size]
    dot = 255 * np.exp(-((columns - x) ** 2 + (rows - y) ** 2) / (2 * 2.0**2))
    return np.repeat(dot.round().astype(np.uint8)[None], count, axis=0)


def dot_centers(images):
    """Centers of the dots: shape (N, 2), x and y in pixels."""
    weight = images.astype(np.float64)
    rows, columns = np.mgrid[: images.shape[1], : images.shape[1]]
    total = weight.sum(axis=(1, 2))
    return np.stack([(weight * columns).sum(axis=(1, 2)) / total, (weight * rows).sum(axis=(1, 2)) / total], axis=1)


def measure_moves(count, seed=0, **strengths):
    """The moves of a batch: matrices (N, 2, 2) about the image's center, and shifts (N, 2) in pixels."""
    middle, arm = 23.5, 9.0
    places = [(middle, middle), (middle + arm, middle), (middle, middle + arm)]
    center, right, below = (dot_centers(apply(dots(count, x, y), seed=seed, **strengths)[0]) for x, y in places)
    return np.stack([right - center, below - center], axis=-1) / arm, center - middle


@pytest.mark.parametrize("shape", [(1, 48), (12, 48), (5, 24), (3, 97)])
def test_defaults_change_nothing(shape):
    images, targets = batch(*shape)
    augmented = apply(images, targets)
    np.testing.assert_array_equal(augmented[0], images)
    np.testing.assert_array_equal(augmented[1], targets)
    assert [part.dtype for part in augmented] == [np.uint8, np.float32]


def test_defaults_draw_nothing():
    generator, untouched = np.random.default_rng(5), np.random.default_rng(5)
    augment(*batch(), Augmentation(), generator)
    assert generator.random() == untouched.random()


def test_seed_determines_the_bytes():
    images, targets = batch()
    first, again, other = (apply(images, targets, seed=seed, **EVERYTHING) for seed in (7, 7, 8))
    for part in (0, 1):
        assert first[part].tobytes() == again[part].tobytes()
        assert first[part].tobytes() != other[part].tobytes()


@pytest.mark.parametrize("name", Augmentation.model_fields)
def test_input_is_not_modified(name):
    images, targets = batch()
    before = images.copy(), targets.copy()
    images.flags.writeable = targets.flags.writeable = False
    augmented, _ = apply(images, targets, **{name: EVERYTHING[name]})
    assert not np.array_equal(augmented, images)
    np.testing.assert_array_equal(images, before[0])
    np.testing.assert_array_equal(targets, before[1])


@given(
    st.fixed_dictionaries(
        {
            "flip": st.floats(0, 1),
            "shift": st.floats(0, 24),
            "rotation": st.floats(0, 180),
            "scale": st.floats(0, 0.95),
            "contrast": st.floats(0, 0.95),
            "cutout": st.integers(0, 48),
            "mixup": st.floats(0, 10),
        }
    ),
    st.integers(1, 5),
    st.integers(8, 64),
    st.integers(0, 999),
)
@settings(max_examples=60)
def test_shapes_and_ranges_hold_for_all_settings(strengths, count, size, seed):
    images, targets = batch(count, size, seed)
    augmented, blended = apply(images, targets, seed=seed, **strengths)
    assert augmented.shape == images.shape
    assert augmented.dtype == (np.float32 if strengths["mixup"] else np.uint8)
    assert augmented.min() >= 0
    assert augmented.max() <= 255.01
    assert blended.shape == targets.shape
    assert blended.dtype == np.float32
    assert blended.min() >= 0
    np.testing.assert_allclose(blended.sum(axis=1), 1, atol=1e-6)


@pytest.mark.parametrize("size", [24, 47, 48, 96])
def test_certain_flip_is_the_exact_mirror_image(size):
    images, targets = batch(size=size)
    flipped, same_targets = apply(images, targets, flip=1.0)
    np.testing.assert_array_equal(flipped, images[:, :, ::-1])
    np.testing.assert_array_equal(same_targets, targets)


def test_flips_the_given_fraction_and_no_other_image():
    images, _ = batch(400, 12)
    flipped, _ = apply(images, flip=0.25)
    mirrored = (flipped == images[:, :, ::-1]).all(axis=(1, 2))
    same = (flipped == images).all(axis=(1, 2))
    assert (mirrored ^ same).all()
    assert 0.18 < mirrored.mean() < 0.32  # three standard deviations around 0.25


@pytest.mark.parametrize("size", [24, 47, 48, 96])
def test_flips_alone_equal_flips_by_warping(size):
    images, _ = batch(60, size)
    warped = apply(images, flip=0.5, rotation=1e-9)[0]  # turns nothing, but takes the warping branch
    np.testing.assert_array_equal(apply(images, flip=0.5)[0], warped)


@pytest.mark.parametrize("name", ["flip", "rotation", "contrast"])
def test_memory_order_of_images_does_not_matter(name):
    images = batch()[0].transpose(0, 2, 1)
    strengths = {name: EVERYTHING[name]}
    np.testing.assert_array_equal(apply(images, **strengths)[0], apply(images.copy("C"), **strengths)[0])


def test_shift_moves_in_all_directions_up_to_its_limit():
    matrices, shifts = measure_moves(300, shift=5.0)
    np.testing.assert_allclose(matrices, np.broadcast_to(np.eye(2), matrices.shape), atol=0.02)
    assert np.abs(shifts).max() < 5.05
    assert (shifts.max(axis=0) > 4.7).all()
    assert (shifts.min(axis=0) < -4.7).all()
    assert abs(np.corrcoef(shifts.T)[0, 1]) < 0.2  # x and y are drawn independently


def test_rotation_turns_both_ways_up_to_its_limit():
    matrices, shifts = measure_moves(300, rotation=20.0)
    angles = np.degrees(np.arctan2(matrices[:, 1, 0], matrices[:, 0, 0]))
    assert np.abs(angles).max() < 20.3
    assert angles.max() > 19
    assert angles.min() < -19
    np.testing.assert_allclose(shifts, 0, atol=0.05)
    np.testing.assert_allclose(np.linalg.det(matrices), 1, atol=0.03)


def test_scale_shrinks_and_enlarges_up_to_its_limit():
    matrices, shifts = measure_moves(300, scale=0.25)
    scales = matrices[:, 0, 0]
    assert scales.min() == pytest.approx(0.75, abs=0.02)
    assert scales.max() == pytest.approx(1.25, abs=0.02)
    expected = scales[:, None, None] * np.eye(2)
    np.testing.assert_allclose(matrices, expected, atol=0.02)
    np.testing.assert_allclose(shifts, 0, atol=0.05)


@given(st.floats(0, 4), st.floats(0, 180), st.floats(0, 0.3), st.sampled_from([0.0, 1.0]), st.integers(0, 999))
@settings(max_examples=25)
def test_all_moves_together_are_similarities(shift, rotation, scale, flip, seed):
    matrices, shifts = measure_moves(8, seed, shift=shift, rotation=rotation, scale=scale, flip=flip)
    assert np.abs(shifts).max() < shift + 0.1
    determinants = np.linalg.det(matrices)
    assert (np.sign(determinants) == (-1 if flip else 1)).all()
    grown = np.sqrt(np.abs(determinants))
    assert (np.abs(grown - 1) < scale + 0.03).all()
    products = matrices @ matrices.transpose(0, 2, 1)  # of a similarity: the square of the scale, no shear
    np.testing.assert_allclose(products, (grown**2)[:, None, None] * np.eye(2), atol=0.06)


def test_moves_replicate_the_border():
    images = np.full((50, 48, 48), 200, np.uint8)
    moved, _ = apply(images, shift=20.0, rotation=90.0, scale=0.5, flip=0.5)
    assert (moved == 200).all()


def square(image):
    """Rows and columns of the change in a black image, which must be one gray rectangle."""
    rows, columns = (np.flatnonzero((image > 0).any(axis=axis)) for axis in (1, 0))
    assert (image[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1] == 128).all()
    assert (image > 0).sum() == len(rows) * len(columns)
    return rows, columns


@pytest.mark.parametrize("side", [1, 4, 7, 16, 47, 48])
def test_cutout_is_a_gray_square_clipped_at_the_border(side):
    size, smallest = 48, (side + 1) // 2  # its center is always inside the image
    cut, _ = apply(np.zeros((400, size, size), np.uint8), cutout=side)
    sides = [places for image in cut for places in square(image)]
    for places in sides:
        at_border = places[0] == 0 or places[-1] == size - 1
        assert len(places) == side or (at_border and smallest <= len(places) < side)
    assert min(map(len, sides)) < side or side == 1


def test_cutout_is_centered_anywhere_in_the_image():
    size, side = 20, 5
    cut, _ = apply(np.zeros((4000, size, size), np.uint8), cutout=side)
    centers = set()
    for image in cut:
        first_and_last = [(places[0], places[-1]) for places in square(image)]
        centers.add(tuple(last - 2 if first == 0 else first + 2 for first, last in first_and_last))
    assert centers == {(row, column) for row in range(size) for column in range(size)}


def test_cutout_changes_no_other_pixel():
    images, targets = batch()
    cut, same_targets = apply(images, targets, cutout=10)
    changed = cut != images
    assert (cut[changed] == 128).all()
    assert changed.any(axis=(1, 2)).all()
    np.testing.assert_array_equal(same_targets, targets)


def test_contrast_changes_gain_and_brightness_to_its_limit():
    strength = 0.3
    columns = np.arange(104, 152, dtype=np.uint8)  # close enough to the middle that nothing is clipped
    images = np.broadcast_to(columns, (500, 48, 48))
    augmented, _ = apply(images, contrast=strength)
    gain = (augmented[:, 0, -1].astype(float) - augmented[:, 0, 0]) / 47
    brightness = augmented.mean(axis=(1, 2)) - images.mean(axis=(1, 2))
    assert gain.min() == pytest.approx(1 - strength, abs=0.04)
    assert gain.max() == pytest.approx(1 + strength, abs=0.04)
    assert brightness.min() == pytest.approx(-128 * strength, abs=2)
    assert brightness.max() == pytest.approx(128 * strength, abs=2)
    assert (np.diff(augmented.astype(int), axis=2) >= 0).all()  # gray levels keep their order


@pytest.mark.parametrize("strength", [0.2, 0.9])
def test_contrast_stretches_around_the_mean_of_the_image(strength):
    images, _ = batch(30)
    generator = np.random.default_rng(3)
    gain, shift = generator.uniform(1 - strength, 1 + strength, 30), generator.uniform(-strength, strength, 30)
    mean = images.mean(axis=(1, 2), keepdims=True)
    expected = (images - mean) * gain[:, None, None] + mean + 128 * shift[:, None, None]
    augmented, _ = apply(images, contrast=strength, seed=3)
    assert np.abs(augmented - expected.clip(0, 255)).max() <= 0.501  # rounded to the nearest gray level


def test_strong_contrast_clips_at_black_and_white():
    images = np.repeat(np.uint8([0, 255]), 24)[None, None].repeat(48, axis=1).repeat(200, axis=0)
    augmented, _ = apply(images, contrast=0.9)
    assert augmented.dtype == np.uint8
    assert (augmented[:, :, 0] <= augmented[:, :, -1]).all()  # a value that wrapped around would reverse them
    assert augmented.min() == 0
    assert augmented.max() == 255


@given(st.floats(0.05, 10), st.integers(1, 6), st.integers(0, 999))
@settings(max_examples=40)
def test_mixup_blends_images_and_targets_alike(alpha, count, seed):
    images, _ = batch(count, 8, seed)
    mixed, weights = apply(images, np.eye(count, dtype=np.float32), seed=seed, mixup=alpha)
    np.testing.assert_allclose(mixed, np.tensordot(weights, images.astype(np.float32), axes=1), atol=0.01)
    np.testing.assert_allclose(weights.sum(axis=1), 1, atol=1e-6)
    assert ((weights > 0).sum(axis=1) <= 2).all()


def test_mixup_draws_weights_from_the_beta_distribution():
    count, alpha = 1500, 0.4
    images = np.zeros((count, 2, 2), np.uint8)
    _, weights = apply(images, np.eye(count, dtype=np.float32), mixup=alpha)
    own = np.diagonal(weights)
    assert own.mean() == pytest.approx(0.5, abs=0.04)
    assert own.var() == pytest.approx(1 / (4 * (2 * alpha + 1)), abs=0.015)
    partner = (weights - np.diag(own)).argmax(axis=1)
    assert len(np.unique(partner)) > 0.9 * count  # a permutation: each image is used once
