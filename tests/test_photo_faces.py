"""The search for faces in photos: which steps run, what they keep, and where turned faces lie."""

import numpy as np
import pytest

from facial_expression.faces.detection import Face
from facial_expression.photo_faces import (
    MIN_SCORE,
    FaceSearch,
    FoundFace,
    merge,
    overlap,
    turn_box_back,
    turn_picture,
    turn_points_back,
)

SIZE = (200, 300)  # height and width of the photo; its brightest pixel is a face's upper left corner
LARGE, SMALL = 120.0, 50.0


class FakeDetector:
    """Finds faces where a test says so, by upsampling and by the turn of the picture.

    Args:
        faces: (upsampling, turn) -> boxes and scores; upsampling "training" stands for the passes of training.
    """

    def __init__(self, faces):
        self._faces = faces
        self.searched = []

    def _turn(self, picture):
        """The turn that was applied, from the corner in which the marked pixel lies."""
        corner = tuple(np.array(np.unravel_index(picture.argmax(), picture.shape)) > 0)
        return {(False, False): 0, (False, True): 90, (True, True): 180, (True, False): 270}[corner]

    def find(self, picture, detection_pass):
        key = (detection_pass.upsampling, self._turn(picture))
        self.searched.append(key)
        return self._faces.get(key, [])

    def detect(self, picture):
        key = ("training", self._turn(picture))
        self.searched.append(key)
        return [Face(box, score, np.zeros((68, 2), np.float32), 1) for box, score in self._faces.get(key, [])]


def search(faces, side=1024, **options):
    photo = np.zeros(SIZE, np.uint8)
    photo[:9, :9] = 255  # large enough to stay the brightest in the reduced copy
    detector = FakeDetector(faces)
    turn, found = FaceSearch(detector, side).find(photo, **options)
    return turn, found, detector.searched


def box(left, side, top=20.0):
    return (left, top, side, side)


def test_large_face_needs_one_search():
    turn, found, searched = search({(0, 0): [(box(50.0, LARGE), 1.0)]})
    assert (turn, found) == (0, [(box(50.0, LARGE), 1.0)])
    assert searched == [(0, 0)]


def test_small_face_starts_fine_search():
    coarse, fine = (box(50.0, LARGE - 20), 1.0), (box(200.0, SMALL), 0.8)
    _, found, searched = search({(0, 0): [coarse], (1, 0): [fine]})
    assert found == [coarse, fine]
    assert searched == [(0, 0), (1, 0)]


def test_fine_search_replaces_box_over_two_people():
    over_both = (box(20.0, 80.0), 0.6)
    people = [(box(10.0, SMALL), 1.5), (box(64.0, SMALL), 1.0)]
    _, found, _ = search({(0, 0): [over_both], (1, 0): people})
    assert found == people


@pytest.mark.parametrize("moved", [0.0, 10.0, 20.0])
def test_merge_keeps_no_face_twice(moved):
    one, same = (box(50.0, 100.0), 0.5), (box(50.0 + moved, 90.0), 1.5)
    assert merge([FoundFace(*one)], [FoundFace(*same)]) == [one]
    assert merge([FoundFace(*same), FoundFace(*one)], []) == [same]


def test_merge_keeps_neighbors_and_sorts_by_score():
    left, right = (box(0.0, 50.0), 0.5), (box(40.0, 50.0), 1.5)
    assert merge([FoundFace(*left)], [FoundFace(*right)]) == [right, left]


def test_overlap_is_share_of_smaller_box():
    assert overlap((0, 0, 10, 10), (5, 0, 10, 10)) == 0.5
    assert overlap((0, 0, 100, 100), (10, 10, 5, 5)) == 1
    assert overlap((0, 0, 10, 10), (20, 20, 10, 10)) == 0


def test_leaves_out_faces_below_min_score():
    strong, weak = (box(10.0, LARGE), 1.0), (box(150.0, LARGE), MIN_SCORE - 0.01)
    faces = {(0, 0): [strong, weak]}
    assert search(faces)[1] == [strong]
    assert search(faces, min_score=0.0)[1] == [strong, weak]
    assert search(faces, min_score=1.5)[1] == []


def test_picture_that_a_face_fills_is_searched_as_in_training():
    weak = MIN_SCORE / 2  # faces of training have no lowest score
    _, ((found, score),), searched = search({("training", 0): [(box(10.0, 24.0, 4.0), weak)]})
    np.testing.assert_allclose(found, (62.5, 25.0, 150.0, 150.0))  # 48 of 300 pixels
    assert score == weak
    assert searched[:3] == [(0, 0), (1, 0), ("training", 0)]
    assert search({("training", 0): [(box(10.0, 24.0, 4.0), weak)]}, min_score=weak + 0.01)[1] == []


@pytest.mark.parametrize("turn", [90, 180, 270])
def test_turned_photo_is_searched_where_nobody_is_found(turn):
    face = (box(30.0, LARGE), 1.0)
    assert search({(0, turn): [face]})[:2] == (turn, [face])
    assert search({(1, turn): [face]})[:2] == (turn, [face])


def test_turned_face_beats_weaker_upright_one():
    weak, strong = (box(10.0, LARGE), 0.3), (box(30.0, LARGE), 0.4)
    assert search({(0, 0): [weak], (0, 180): [strong]})[:2] == (180, [strong])
    assert search({(0, 0): [strong], (0, 180): [weak]})[:2] == (0, [strong])
    assert search({("training", 0): [weak], (0, 180): [strong]})[:2] == (180, [strong])


def test_sure_face_ends_search_of_turned_photos():
    sure = (box(10.0, LARGE), 0.6)
    turn, _, searched = search({(0, 0): [sure], (0, 90): [(box(10.0, LARGE), 2.0)]})
    assert turn == 0
    assert all(turned == 0 for _, turned in searched)
    assert {turned for _, turned in search({(0, 90): [sure]})[2]} == {0, 90}


@pytest.mark.parametrize(("turn", "x", "y"), [(0, 3, 200 / 67), (90, 200 / 67, 3)])
def test_boxes_are_in_pixels_of_the_photo(turn, x, y):
    _, ((found, _),), _ = search({(0, turn): [(box(10.0, 60.0), 1.0)]}, side=100)  # a copy of 100 x 67 pixels
    np.testing.assert_allclose(found, (10 * x, 20 * y, 60 * x, 60 * y))


@pytest.mark.parametrize("turn", [0, 90, 180, 270])
def test_turning_back_finds_pixel_and_box(turn):
    picture = np.zeros((5, 8), np.uint8)
    picture[1:3, 4:7] = 255
    rows, columns = np.nonzero(turn_picture(picture, turn))
    points = np.stack([columns, rows], axis=1) + 0.5
    back = turn_points_back(points, turn, (8, 5))
    assert {tuple(point) for point in back} == {(x + 0.5, y + 0.5) for x in (4, 5, 6) for y in (1, 2)}
    left, top = columns.min(), rows.min()
    turned = (left, top, columns.max() + 1 - left, rows.max() + 1 - top)
    assert turn_box_back(turned, turn, (8, 5)) == (4, 1, 3, 2)
