"""Views of a face: itself and its mirror image."""

import numpy as np
import pytest

from facial_expression.views import make_views

IMAGES = np.random.default_rng(0).integers(0, 256, (3, 4, 4), dtype=np.uint8)


@pytest.mark.parametrize("count", [1, 2])
def test_makes_as_many_views_as_asked_for(count):
    views = make_views(IMAGES, count)
    assert [(view.shape, view.dtype) for view in views] == [(IMAGES.shape, np.uint8)] * count


def test_first_view_is_the_face_itself():
    np.testing.assert_array_equal(make_views(IMAGES, 2)[0], IMAGES)


def test_second_view_swaps_left_and_right_of_each_face():
    images = np.array([[[1, 2], [3, 4]], [[5, 6], [7, 8]]], np.uint8)
    np.testing.assert_array_equal(make_views(images, 2)[1], [[[2, 1], [4, 3]], [[6, 5], [8, 7]]])


def test_views_of_the_mirror_image_are_the_same_swapped():
    face, mirrored = make_views(IMAGES, 2)
    np.testing.assert_array_equal(make_views(mirrored, 2), [mirrored, face])


@pytest.mark.parametrize("count", [0, 3])
def test_rejects_other_numbers_of_views(count):
    with pytest.raises(ValueError, match=f"views must be 1 or 2, not {count}"):
        make_views(IMAGES, count)
