"""Names of parts, and parts that are drawn."""

import numpy as np
import pandas as pd
import pytest

from facial_expression.data.face_table import USAGES
from facial_expression.data.usages import count_by_usage, draw_missing_usages, usage_of

CLASSES = ("low", "high", "rare")


def make_faces(counts=(100, 50, 2), usage="Training") -> pd.DataFrame:
    return pd.DataFrame({"emotion": np.repeat(CLASSES, counts), "usage": usage})


def draw(faces, seed=1):
    usage, drawn = draw_missing_usages(faces, 0.2, 0.1, seed)
    return faces.assign(usage=usage), drawn


@pytest.mark.parametrize(
    ("names", "usage"),
    [
        (("train", "Training", "TRAIN_SET"), "Training"),
        (("val", "valid", "Validation", "PublicTest", "dev"), "PublicTest"),
        (("test", "Testing", "PrivateTest", "test_set"), "PrivateTest"),
        (("", "Tset", "happy", "train/val"), None),
    ],
)
def test_knows_the_usual_names_of_parts(names, usage):
    assert {usage_of(name) for name in names} == {usage}


def test_draws_both_parts_from_every_class():
    faces, drawn = draw(make_faces())
    assert drawn == ["PublicTest", "PrivateTest"]
    counts = count_by_usage(faces, CLASSES)
    assert counts.to_numpy().tolist() == [[70, 20, 10], [35, 10, 5], [2, 0, 0]]
    assert (list(counts.index), list(counts.columns)) == (list(CLASSES), list(USAGES))


@pytest.mark.parametrize("count", range(3, 8))
def test_keeps_a_face_of_every_class_for_training(count):
    faces = pd.DataFrame({"emotion": ["sad"] * count, "usage": "Training"})
    usage, _ = draw_missing_usages(faces, 0.5, 0.49, 1)
    assert usage.value_counts().reindex(USAGES).min() >= 1


def test_draws_the_missing_part_alone():
    faces = make_faces()
    faces.loc[::5, "usage"] = "PrivateTest"
    split, drawn = draw(faces)
    assert drawn == ["PublicTest"]
    assert (split["usage"] == "PrivateTest").equals(faces["usage"] == "PrivateTest")
    assert (split["usage"] == "PublicTest").sum() == 16 + 8


def test_changes_nothing_where_all_parts_exist():
    faces = make_faces()
    faces["usage"] = [USAGES[number % 3] for number in range(len(faces))]
    split, drawn = draw(faces)
    assert drawn == []
    pd.testing.assert_frame_equal(split, faces)


def test_draw_depends_on_the_seed_alone():
    faces = make_faces()
    pd.testing.assert_frame_equal(draw(faces)[0], draw(faces)[0])
    assert not draw(faces)[0]["usage"].equals(draw(faces, seed=2)[0]["usage"])


def test_more_faces_of_one_class_leave_the_others_as_they_are():
    few, many = (draw(make_faces((count, 50, 3)))[0] for count in (20, 100))
    for name in ("high", "rare"):
        assert few.loc[few["emotion"] == name, "usage"].tolist() == many.loc[many["emotion"] == name, "usage"].tolist()
