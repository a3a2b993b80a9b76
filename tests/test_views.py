"""Views of a face: itself, moved, scaled and turned, and their mirror images."""

import numpy as np
import pytest

from facial_expression.views import ONE_VIEW, Views

IMAGES = np.random.default_rng(0).integers(0, 256, (3, 9, 9), dtype=np.uint8)
ALL = Views(mirror=True, shift=2.0, scale=0.1, rotation=10.0)


def dot(row: int, column: int) -> np.ndarray:
    """One black face of 9 pixels with a white pixel."""
    face = np.zeros((1, 9, 9), np.uint8)
    face[0, row, column] = 255
    return face


@pytest.mark.parametrize(
    ("views", "count"),
    [
        (ONE_VIEW, 1),
        (Views(mirror=True), 2),
        (Views(rotation=5.0), 3),
        (Views(scale=0.1), 3),
        (Views(shift=1.0), 9),
        (ALL, 26),
    ],
)
def test_counts_the_views_that_it_makes(views, count):
    made = views.of(IMAGES)
    assert views.count == len(made) == count
    assert {(view.shape, view.dtype) for view in made} == {(IMAGES.shape, np.dtype(np.uint8))}
    assert len({view.tobytes() for view in made}) == count


def test_first_are_the_faces_and_their_mirror_images():
    first, second, *_ = ALL.of(IMAGES)
    np.testing.assert_array_equal(first, IMAGES)
    np.testing.assert_array_equal(second, IMAGES[:, :, ::-1])


def test_each_view_is_followed_by_its_mirror_image():
    made = ALL.of(IMAGES)
    np.testing.assert_array_equal(made[1::2], [view[:, :, ::-1] for view in made[::2]])


def test_shifts_to_all_sides_and_corners():
    moved = [np.argwhere(view[0]).tolist() for view in Views(shift=2.0).of(dot(4, 4))]
    assert sorted(moved) == [[[row, column]] for row in (2, 4, 6) for column in (2, 4, 6)]


def test_repeats_the_edge_where_a_shift_uncovers_it():
    gradient = np.tile(np.arange(9, dtype=np.uint8), (1, 9, 1))
    right = max(Views(shift=2.0).of(gradient), key=lambda view: int((view[0, 4] == 0).sum()))
    assert right[0, 4].tolist() == [0, 0, 0, 1, 2, 3, 4, 5, 6]


def test_turns_to_both_sides_about_the_center():
    left, right = Views(rotation=90.0 - 1e-9).of(dot(4, 7))[1:]
    assert {tuple(np.argwhere(view[0])[0]) for view in (left, right)} == {(1, 4), (7, 4)}


def test_scales_about_the_center():
    smaller, larger = Views(scale=0.5).of(dot(4, 6))[1:]
    assert np.argwhere(smaller[0] > 100).tolist() == [[4, 5]]
    assert [4, 7] in np.argwhere(larger[0] > 100).tolist()


def test_mirror_image_has_the_same_views_in_another_order():
    def in_order(views):
        return sorted(view.tobytes() for view in views)

    assert in_order(Views(mirror=True, shift=1.0).of(IMAGES)) == in_order(
        Views(mirror=True, shift=1.0).of(np.ascontiguousarray(IMAGES[:, :, ::-1]))
    )
