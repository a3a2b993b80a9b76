"""Duplicates and the two splits: on small constructed tables, and on the real file if it is there."""

import os

import numpy as np
import pandas as pd
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from facial_expression.acquisition import unpack_csv
from facial_expression.emotions import NAMES
from facial_expression.facetable import FaceTable, read_face_table, write_face_table
from facial_expression.params import FilterClasses
from facial_expression.pixelcsv import read_pixel_csv
from facial_expression.protocols import (
    PARTS,
    PROTOCOLS,
    assign_parts,
    count_by_emotion,
    find_duplicates,
    leaked_rows,
    official_split,
    published_split,
    summarise,
)

SETTINGS = FilterClasses(drop=["disgust"], training_share=0.7, validation_share=0.15, seed=1)


def make_table(pictures, emotions, usages, detector_pass=None, rows=None) -> FaceTable:
    """A face table; the same number makes the same picture."""
    images = np.zeros((len(pictures), 4, 4), np.uint8)
    images[:, 0, 0], images[:, 0, 1] = np.array(pictures) % 256, np.array(pictures) // 256
    rows = range(len(images)) if rows is None else rows
    faces = pd.DataFrame({"row": rows, "emotion": emotions, "usage": usages})
    if detector_pass is not None:
        faces = faces.assign(detected=np.array(detector_pass) > 0, detector_pass=detector_pass)
    return FaceTable(images, faces)


def make_many() -> FaceTable:
    """630 faces of all emotions and usages; pictures 620 to 629 repeat 0 to 9; two in six are not found at first."""
    emotions = [NAMES[number % 7] for number in range(630)]
    usages = ["Training"] * 504 + ["PublicTest"] * 63 + ["PrivateTest"] * 63
    detector_pass = [(1, 2, 1, 0, 1, 1)[number % 6] for number in range(630)]
    return make_table([number % 620 for number in range(630)], emotions, usages, detector_pass)


PICTURES = [7, 8, 7, 9, 8, 7, 10]
LABELS = ["sad", "happy", "sad", "sad", "fear", "sad", "angry"]


def test_groups_rows_and_conflicts():
    duplicates = find_duplicates(make_table(PICTURES, LABELS, "Training"))
    assert duplicates.first.to_dict() == {0: 0, 1: 1, 2: 0, 3: 3, 4: 1, 5: 0, 6: 6}
    assert (duplicates.groups, duplicates.rows, duplicates.conflicting_groups) == (2, 5, 1)


def test_rows_of_the_csv_count_and_not_places():
    rows = [10, 11, 14, 20, 30, 31, 32]
    duplicates = find_duplicates(make_table(PICTURES, LABELS, "Training", rows=rows))
    assert duplicates.first.to_dict() == {10: 10, 11: 11, 14: 10, 20: 20, 30: 11, 31: 10, 32: 32}


def test_none():
    duplicates = find_duplicates(make_table([1, 2, 3], "sad", "Training"))
    assert (duplicates.groups, duplicates.rows, duplicates.conflicting_groups) == (0, 0, 0)


def test_one_gray_level_makes_another_picture():
    table = make_table([7, 7], "sad", "Training")
    table.images[1, 3, 3] += 1
    assert find_duplicates(table).groups == 0


def test_official_follows_the_usage():
    part = official_split(pd.Series(["Training", "PublicTest", "PrivateTest"]), pd.Series([0, 1, 2]))
    assert part.tolist() == ["training", "validation", "test"]


def test_official_training_rows_that_stand_elsewhere_are_left_out():
    usage = pd.Series(["Training", "Training", "Training", "Training", "PublicTest", "PrivateTest", "PrivateTest"])
    pictures = pd.Series([0, 0, 2, 3, 0, 3, 6])
    assert official_split(usage, pictures).tolist() == [
        *("none", "none", "training", "none"),
        *("validation", "test", "test"),
    ]


def test_official_copies_within_training_stay():
    assert official_split(pd.Series(["Training"] * 2), pd.Series([0, 0])).tolist() == ["training"] * 2


EMOTIONS = pd.Series(["happy"] * 200 + ["sad"] * 100 + ["fear"] * 40)
FOUND = pd.Series([True] * 340)


def test_published_shares_are_those_of_every_class():
    part = published_split(EMOTIONS, FOUND, 0.7, 0.15, seed=1)
    counts = pd.crosstab(EMOTIONS, part).loc[["happy", "sad", "fear"], list(PARTS)].to_numpy()
    assert np.abs(counts - [[140, 30, 30], [70, 15, 15], [28, 6, 6]]).max() <= 1


@pytest.mark.parametrize(("training", "validation"), [(0.7, 0.15), (0.5, 0.3), (0.8, 0.1), (0.6, 0.2)])
@pytest.mark.parametrize("count", [100, 200, 1000])
def test_published_sizes_are_exact(training, validation, count):
    emotions = pd.Series(["happy", "sad"] * (count // 2))
    part = published_split(emotions, emotions.notna(), training, validation, seed=1)
    assert (part == "training").sum() == pytest.approx(training * count)
    assert (part == "validation").sum() == pytest.approx(validation * count)


def test_published_the_seed_decides():
    one, same, other = (published_split(EMOTIONS, FOUND, 0.7, 0.15, seed) for seed in (1, 1, 2))
    assert one.equals(same)
    assert (one != other).mean() > 0.2


def test_published_only_faces_that_were_found_take_part():
    found = pd.Series(np.arange(340) % 3 > 0)
    part = published_split(EMOTIONS, found, 0.7, 0.15, seed=1)
    assert ((part == "none") == ~found).all()


def test_published_it_is_random_within_a_class():
    part = published_split(EMOTIONS, FOUND, 0.7, 0.15, seed=1)
    assert part[:200].tolist() != sorted(part[:200], key=PARTS.index)


@pytest.mark.parametrize("found_sad_faces", range(5))
def test_published_too_few_faces_of_a_class_name_it(found_sad_faces):
    emotions = pd.Series(["happy"] * 50 + ["sad"] * 10)
    found = pd.Series([True] * (50 + found_sad_faces) + [False] * (10 - found_sad_faces))
    message = f"only {found_sad_faces} faces of 'sad' were found, too few to stand in training, validation and test"
    with pytest.raises(ValueError, match=message):
        published_split(emotions, found, 0.7, 0.15, seed=1)


def test_published_no_face_found_at_all():
    with pytest.raises(ValueError, match="only 0 faces of 'happy' were found, too few"):
        published_split(EMOTIONS, ~FOUND, 0.7, 0.15, seed=1)


@given(
    counts=st.lists(st.integers(0, 40), min_size=2, max_size=7),
    shares=st.tuples(st.floats(0.05, 0.9), st.floats(0.05, 0.9)).filter(lambda shares: sum(shares) < 1),
    seed=st.integers(0, 100),
)
def test_published_every_class_stands_in_every_part_or_it_is_an_error(counts, shares, seed):
    emotions = pd.Series(np.repeat(NAMES[: len(counts)], counts))
    assume(not emotions.empty)
    part, message = None, ""
    try:
        part = published_split(emotions, emotions.notna(), *shares, seed)
    except ValueError as error:
        message = str(error)
    if part is None:
        assert "too few to stand in training, validation and test" in message
    else:
        assert pd.crosstab(emotions, part)[list(PARTS)].to_numpy().min() > 0


@pytest.fixture(scope="module")
def table():
    return make_many()


@pytest.fixture(scope="module")
def assigned(table):
    return assign_parts(table, find_duplicates(table), SETTINGS)


def test_all_faces_of_all_classes_stay(table, assigned):
    assert assigned.classes == NAMES
    np.testing.assert_array_equal(assigned.images, table.images)
    pd.testing.assert_frame_equal(assigned.faces[table.faces.columns.tolist()], table.faces)


def test_dropped_classes_are_left_out_of_published_alone(assigned):
    dropped = assigned.faces[assigned.faces["emotion"] == "disgust"]
    assert set(dropped["published"]) == {"none"}
    assert set(dropped["official"]) == {*PARTS, "none"}
    assert assigned.under("published").classes == ("angry", "fear", "happy", "sad", "surprise", "neutral")
    assert assigned.under("official").classes == NAMES


def test_published_split_is_the_same_as_if_dropped_classes_had_never_been_there(table, assigned):
    rest = table.without(["disgust"])
    split = assign_parts(rest, find_duplicates(rest), SETTINGS).faces
    kept = assigned.faces[assigned.faces["emotion"] != "disgust"]
    assert kept["published"].tolist() == split["published"].tolist()


def test_no_class_need_be_dropped(table):
    settings = SETTINGS.model_copy(update={"drop": []})
    assigned = assign_parts(table, find_duplicates(table), settings)
    assert assigned.under("published").classes == NAMES


def test_columns_are_added_and_the_given_table_stays(table, assigned):
    before = ["row", "emotion", "usage", "detected", "detector_pass"]
    assert list(table.faces.columns) == before
    assert list(assigned.faces.columns) == [*before, "duplicate_of", "official", "published"]


def test_duplicate_of_names_the_first_identical_picture(assigned):
    duplicates = assigned.faces.set_index("row")["duplicate_of"].dropna()
    assert duplicates.to_dict() == {row: row - 620 for row in range(620, 630)}


def test_published_covers_the_faces_of_the_first_pass(assigned):
    covered = (assigned.faces["detector_pass"] == 1) & (assigned.faces["emotion"] != "disgust")
    assert ((assigned.faces["published"] != "none") == covered).all()
    shares = assigned.faces["published"].value_counts() / covered.sum()
    assert [round(shares[part], 2) for part in PARTS] == [0.7, 0.15, 0.15]


def test_official_keeps_every_face_but_leaks(assigned):
    # Rows 0 to 9 are training; rows 620 to 629 repeat them and are test.
    left_out = assigned.faces["official"] == "none"
    assert assigned.faces.loc[left_out, "row"].tolist() == list(range(10))
    pairs = assigned.faces.loc[~left_out, ["usage", "official"]].drop_duplicates().to_numpy().tolist()
    assert pairs == [["Training", "training"], ["PublicTest", "validation"], ["PrivateTest", "test"]]


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_labels_fit_the_classes_of_the_protocol(assigned, protocol):
    known = assigned.under(protocol)
    test = known.part(protocol, "test")
    emotions = known.faces.set_index("row")["emotion"]
    assert [known.classes[label] for label in test.labels] == emotions[test.rows].tolist()
    assert set(test.labels) == set(range(len(known.classes)))


def test_it_survives_the_disk(assigned, tmp_path):
    write_face_table(tmp_path / "filtered", assigned)
    read = read_face_table(tmp_path / "filtered")
    pd.testing.assert_frame_equal(read.faces, assigned.faces, check_dtype=False)


def test_rows_that_alignment_dropped_may_be_missing(table):
    mask = table.faces["detected"].to_numpy()
    assigned = assign_parts(table.select(mask), find_duplicates(table), SETTINGS)
    assert assigned.faces["detected"].all()
    assert set(assigned.faces["published"]) == {*PARTS, "none"}


@pytest.mark.parametrize(
    ("missing", "part"), [("Training", "training"), ("PublicTest", "validation"), ("PrivateTest", "test")]
)
def test_a_missing_usage_is_an_error(table, missing, part):
    rest = table.select((table.faces["usage"] != missing).to_numpy())
    message = f"the official protocol leaves no face for {part}: .* Training, PublicTest and PrivateTest"
    with pytest.raises(ValueError, match=message):
        assign_parts(rest, find_duplicates(rest), SETTINGS)


def test_the_fault_of_a_small_class_names_it(table):
    surprises = np.flatnonzero(table.faces["emotion"] == "surprise")
    mask = np.ones(len(table), bool)
    mask[surprises[3:]] = False
    with pytest.raises(ValueError, match=r"only [0-3] faces of 'surprise' were found"):
        assign_parts(table.select(mask), find_duplicates(table), SETTINGS)


def test_leaks_are_counted_per_row():
    part = pd.Series(["training", "training", "validation", "test", "test", "none", "test"])
    pictures = pd.Series([0, 1, 0, 1, 1, 0, 6])
    assert leaked_rows(part, pictures) == {"validation": 1, "test": 2}


def test_emotions_are_counted_in_the_projects_order():
    counts = count_by_emotion(pd.Series(["sad", "angry", "sad", "happy"]))
    assert list(counts.items()) == [("angry", 1), ("happy", 1), ("sad", 2)]
    assert all(type(count) is int for count in counts.values())


def test_summary_of_a_constructed_table():
    decoded = make_many()
    duplicates = find_duplicates(decoded)
    filtered = assign_parts(decoded, duplicates, SETTINGS)
    summary = summarise(decoded, decoded, filtered, duplicates)
    assert summary["images"] == 630
    assert summary["detected"] == 525
    assert summary["detected_first_pass"] == 420
    assert sum(summary["detected_by_emotion"].values()) == 525
    assert sum(summary["detected_first_pass_by_emotion"].values()) == 420
    assert (summary["duplicate_groups"], summary["duplicate_rows"], summary["conflicting_groups"]) == (10, 20, 10)
    assert summary["leaked_rows_as_distributed"] == {"validation": 0, "test": 10}
    assert summary["leaked_test_rows"]["official"] == 0
    for protocol, parts in summary["parts"].items():
        assert parts == {part: (filtered.faces[protocol] == part).sum() for part in PARTS}


@pytest.fixture(scope="module")
def real(tmp_path_factory):
    archive = os.environ.get("FER2013_ARCHIVE")
    if not archive:
        pytest.skip("set FER2013_ARCHIVE to FER2013's archive or CSV to check the figures of the real data")
    path = tmp_path_factory.mktemp("real") / "fer2013.csv"
    unpack_csv(archive, path, md5=None)
    return read_pixel_csv(path, progress=False)


def test_duplicates_of_the_real_data(real):
    duplicates = find_duplicates(real)
    assert (duplicates.groups, duplicates.rows, duplicates.conflicting_groups) == (1516, 3369, 57)
    pictures = real.faces["row"].map(duplicates.first)
    as_distributed = real.faces["usage"].map({"Training": "training", "PublicTest": "validation"}).fillna("test")
    assert leaked_rows(as_distributed, pictures) == {"validation": 280, "test": 288}
    official = official_split(real.faces["usage"], pictures)
    assert leaked_rows(official, pictures) == {"validation": 0, "test": 0}
    assert (official != "training").sum() > 2 * 3589
    assert ((official == "validation").sum(), (official == "test").sum()) == (3589, 3589)
