import cv2
import numpy as np
import pandas as pd
import pytest

from facial_expression.analysis.duplicates import group_pairs, perceptual_hashes, similar_pairs
from facial_expression.analysis.survey import class_counts, count_candidates, leak_kinds, leaks, same_picture
from facial_expression.data.synthetic import draw_face


@pytest.fixture(scope="module")
def images() -> np.ndarray:
    """Ten people, then the first again, brighter, and the second again, a little enlarged."""
    people = [draw_face("neutral", np.random.default_rng(number)) for number in range(10)]
    brighter = np.clip(people[0].astype(int) + 15, 0, 255).astype(np.uint8)
    enlarged = cv2.resize(people[1], (50, 50), interpolation=cv2.INTER_LINEAR)[1:49, 1:49]
    return np.stack([*people, brighter, enlarged])


def test_finds_the_same_face_brighter_and_larger(images):
    pairs = similar_pairs(images, 10)
    near = pairs[pairs["correlation"] > 0.9]
    assert set(zip(near["first"], near["second"], strict=True)) == {(0, 10), (1, 11)}


def test_chunks_lose_no_pair(images, monkeypatch):
    expected = similar_pairs(images, 64)
    assert len(expected) == len(images) * (len(images) - 1) // 2
    monkeypatch.setattr("facial_expression.analysis.duplicates._CHUNK", 5)
    pd.testing.assert_frame_equal(similar_pairs(images, 64), expected)


def test_identical_pictures_correlate_fully():
    images = np.zeros((3, 48, 48), np.uint8)
    images[2] += 1  # of a single gray as well, so it correlates with nothing
    pairs = similar_pairs(images, 64)
    assert pairs["correlation"].tolist() == [1, 0, 0]
    assert perceptual_hashes(images).dtype == np.uint64


def test_only_identical_pictures_correlate_fully():
    image = draw_face("happy", np.random.default_rng(0)).clip(1, 254)
    pairs = similar_pairs(np.stack([image, image + 1]), 64)
    assert pairs["correlation"].tolist() == [0.9999]


def test_classes_are_counted_before_faces_are_dropped():
    before = pd.DataFrame({"emotion": ["sad", "sad", "happy"]})
    aligned = pd.DataFrame({"emotion": ["sad", "happy"], "detector_pass": [1, 2]})
    counts = class_counts(before, aligned, ("happy", "sad", "angry"))
    assert counts == {"before": {"happy": 1, "sad": 2}, "after": {"happy": 0, "sad": 1}}


def test_chain_of_pairs_is_one_group():
    groups = group_pairs(pd.DataFrame({"first": [0, 1, 4], "second": [1, 3, 5]}), 6)
    assert groups[0] == groups[1] == groups[3]
    assert groups[4] == groups[5]
    assert len(set(groups)) == 3


def test_leak_is_exact_near_or_none():
    part = pd.Series(["training", "test", "test", "test", "validation", "none"])
    faces = pd.DataFrame({"row": range(6), "duplicate_of": [None, 0, None, None, None, 0]})
    pictures = same_picture(faces)
    assert pictures.tolist() == [0, 0, 2, 3, 4, 0]
    near = pd.Series([0, 0, 0, 1, 2, 0])
    assert leak_kinds(part, pictures, near).tolist() == ["none", "exact", "near", "none", "none", "none"]
    assert leaks(part, near).tolist() == [False, True, True, False, False, False]


def test_candidates_are_counted_by_distance_and_correlation():
    pairs = pd.DataFrame({"distance": [2, 2, 4, 4], "correlation": [1.0, 0.93, 0.2, 0.96]})
    counted = count_candidates(pairs)
    assert counted["pairs"] == {"2": [0, 0, 0, 0, 0, 1, 0], "4": [1, 0, 0, 0, 0, 0, 1]}
