"""Synthetic faces: their file format, determinism and shares, and whether they look like faces."""

import dataclasses

import numpy as np
import pandas as pd
import pytest

from facial_expression.data.face_table import USAGES
from facial_expression.data.synthetic import draw_background, draw_face, write_sample
from facial_expression.data.synthetic.expression import ACTION_UNITS, PROTOTYPES, Expression
from facial_expression.data.synthetic.sample import FER2013_COUNTS, plan_sample
from facial_expression.emotions import EMOTIONS, NAMES
from facial_expression.faces.detection import DetectionPass, FaceDetector

FACES, SEED = 400, 5


@pytest.fixture(scope="module")
def sample(tmp_path_factory):
    """The path of a sample of 400 faces."""
    path = tmp_path_factory.mktemp("sample") / "sample.csv"
    write_sample(path, FACES, SEED, workers=2, progress=False)
    return path


@pytest.fixture(scope="module")
def rows(sample):
    """The rows of the sample, in the order of the file."""
    return pd.read_csv(sample)


@pytest.fixture(scope="module")
def detector():
    return FaceDetector([DetectionPass(upsampling=1)], landmark_enlargement=4)


def draw_faces(emotion, count):
    return [draw_face(emotion, np.random.default_rng([SEED, number])) for number in range(count)]


def test_file_has_format_of_fer2013(sample, rows):
    lines = sample.read_bytes().decode("ascii").split("\n")
    assert lines[0] == "emotion,pixels,Usage"
    assert lines[-1] == ""
    assert len(lines) == FACES + 2
    assert set(rows["emotion"]) == {emotion.code for emotion in EMOTIONS}
    pixels = np.array([text.split(" ") for text in rows["pixels"]], dtype=int)
    assert pixels.shape == (FACES, 48 * 48)
    assert 0 <= pixels.min() < 50
    assert 205 < pixels.max() <= 255


def test_usages_have_order_and_shares_of_fer2013(rows):
    assert rows["Usage"].tolist() == ["Training"] * 320 + ["PublicTest"] * 40 + ["PrivateTest"] * 40


def test_bytes_depend_on_seed_and_not_on_workers(tmp_path):
    contents = {}
    for name, seed, workers in (("one", 5, 1), ("two", 5, 2), ("other", 6, 1)):
        write_sample(tmp_path / name, 150, seed, workers=workers, progress=False)
        contents[name] = (tmp_path / name).read_bytes()
    assert contents["one"] == contents["two"]
    assert contents["one"] != contents["other"]


def test_longer_sample_contains_shorter_one(rows, tmp_path):
    write_sample(tmp_path / "short.csv", 100, SEED, workers=1, progress=False)
    short = pd.read_csv(tmp_path / "short.csv")
    columns = ["emotion", "pixels", "Usage"]
    assert set(short[columns].itertuples(index=False)) <= set(rows[columns].itertuples(index=False))


@pytest.mark.parametrize("faces", [200, 1_000])
def test_every_emotion_occurs_in_every_usage(faces):
    plan = pd.DataFrame(plan_sample(faces))
    counts = pd.crosstab(plan["usage"], plan["emotion"]).reindex(index=USAGES, columns=NAMES, fill_value=0)
    assert counts.to_numpy().min() >= 1
    assert counts.loc["Training"].min() >= 3


def test_emotions_have_shares_of_fer2013():
    plan = pd.DataFrame(plan_sample(5_000))
    expected = pd.Series(FER2013_COUNTS) / 35_887
    assert sum(FER2013_COUNTS.values()) == 35_887
    for usage in USAGES:
        shares = plan.loc[plan["usage"] == usage, "emotion"].value_counts(normalize=True)
        pd.testing.assert_series_equal(shares[list(NAMES)], expected, atol=0.003, rtol=0, check_names=False)


def test_has_copies_across_usages_and_with_other_labels(rows):
    copies = rows[rows.duplicated("pixels", keep=False)]
    groups = copies.groupby("pixels")
    assert 0.01 <= rows.duplicated("pixels").mean() <= 0.03
    usages = groups["Usage"].agg(frozenset)
    for usage in USAGES:
        assert frozenset({"Training", usage}) in set(usages)
    conflicting = groups["emotion"].nunique() > 1
    assert 1 <= conflicting.sum() < len(groups)


def test_one_picture_in_hundred_shows_no_face():
    plan = plan_sample(1_000)
    assert sum(picture.drawn is None for picture in plan) == 10


def test_detector_finds_most_faces_of_every_emotion(rows, detector):
    pictures = [np.array(text.split(), np.uint8).reshape(48, 48) for text in rows["pixels"]]
    found = pd.Series([bool(detector.detect(picture)) for picture in pictures])
    assert 0.60 <= found.mean() <= 0.90
    by_emotion = found.groupby(rows["emotion"]).agg(["mean", "size"])
    assert by_emotion.loc[by_emotion["size"] >= 20, "mean"].min() >= 0.5


def test_detector_finds_nothing_in_backgrounds(detector):
    for number in range(30):
        picture = draw_background(np.random.default_rng([SEED, number]))
        assert picture.shape == (48, 48)
        assert picture.dtype == np.uint8
        assert detector.detect(picture) == []


def median_landmarks(detector, emotion):
    """The median of each landmark over 60 faces, relative to the inner eye corners and in units of their distance."""
    found = [detector.detect(picture) for picture in draw_faces(emotion, 60)]
    points = np.array([faces[0].landmarks for faces in found if faces])
    eyes = points[:, [39, 42]]
    width = np.linalg.norm(eyes[:, 1] - eyes[:, 0], axis=1)
    return np.median((points - eyes.mean(axis=1, keepdims=True)) / width[:, None, None], axis=0)


def test_landmarks_differ_between_expressions(detector):
    neutral, happy, surprise, angry, sad = (
        median_landmarks(detector, emotion) for emotion in ("neutral", "happy", "surprise", "angry", "sad")
    )

    def mouth_opening(points):
        return points[66, 1] - points[62, 1]

    def corners_below_lips(points):
        return points[[48, 54], 1].mean() - points[[51, 57], 1].mean()

    def brow_height(points):
        return -points[[20, 21, 22, 23], 1].mean()

    assert mouth_opening(surprise) > mouth_opening(neutral) + 0.2
    assert corners_below_lips(happy) < corners_below_lips(neutral) - 0.03
    assert corners_below_lips(sad) > corners_below_lips(neutral) + 0.03
    assert brow_height(angry) < brow_height(neutral) - 0.1


def test_equal_generator_states_give_equal_faces():
    first, again, other = (draw_face("fear", np.random.default_rng(seed)) for seed in (3, 3, 4))
    assert first.shape == (48, 48)
    assert first.dtype == np.uint8
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


def test_tables_of_action_units_are_consistent():
    assert tuple(PROTOTYPES) == NAMES
    assert tuple(FER2013_COUNTS) == NAMES
    assert len(dataclasses.fields(Expression)) == len(ACTION_UNITS)
    for variants in PROTOTYPES.values():
        assert all(set(units) <= set(ACTION_UNITS) for units in variants)


@pytest.mark.parametrize(
    ("faces", "seed", "message"), [(0, 1, "at least 1 face, not 0"), (10, -1, "seed must be 0 or more, not -1")]
)
def test_rejects_invalid_arguments_and_writes_nothing(tmp_path, faces, seed, message):
    with pytest.raises(ValueError, match=message):
        write_sample(tmp_path / "sample.csv", faces, seed, workers=1, progress=False)
    assert list(tmp_path.iterdir()) == []


def test_rejects_unknown_emotion():
    with pytest.raises(ValueError, match="unknown emotion 'bored'"):
        draw_face("bored", np.random.default_rng(0))
