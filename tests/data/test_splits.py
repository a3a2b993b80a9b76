"""Duplicates and the splits of both protocols, on small tables and, if available, on the real data."""

import os

import numpy as np
import pandas as pd
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from facial_expression.data.download import unpack_csv
from facial_expression.data.face_table import FaceTable, read_face_table, write_face_table
from facial_expression.data.pixel_csv import read_pixel_csv
from facial_expression.data.splits import (
    PARTS,
    PROTOCOLS,
    assign_splits,
    count_by_emotion,
    find_duplicates,
    leaked_rows,
    official_split,
    study_split,
    summarize,
)
from facial_expression.emotions import NAMES
from facial_expression.errors import UserError
from facial_expression.params import FilterClasses

SETTINGS = FilterClasses(drop=["disgust"], training_share=0.7, validation_share=0.15, seed=1)


def make_table(pictures, emotions, usages, detector_pass=None, rows=None) -> FaceTable:
    """A face table; equal numbers give identical pictures."""
    images = np.zeros((len(pictures), 4, 4), np.uint8)
    images[:, 0, 0], images[:, 0, 1] = np.array(pictures) % 256, np.array(pictures) // 256
    rows = range(len(images)) if rows is None else rows
    faces = pd.DataFrame({"row": rows, "emotion": emotions, "usage": usages})
    if detector_pass is not None:
        faces = faces.assign(detected=np.array(detector_pass) > 0, detector_pass=detector_pass)
    return FaceTable(images, faces)


def make_many() -> FaceTable:
    """630 faces of all emotions and usages; 620 to 629 repeat 0 to 9; the first pass misses two in six."""
    emotions = [NAMES[number % 7] for number in range(630)]
    usages = ["Training"] * 504 + ["PublicTest"] * 63 + ["PrivateTest"] * 63
    detector_pass = [(1, 2, 1, 0, 1, 1)[number % 6] for number in range(630)]
    return make_table([number % 620 for number in range(630)], emotions, usages, detector_pass)


PICTURES = [7, 8, 7, 9, 8, 7, 10]
LABELS = ["sad", "happy", "sad", "sad", "fear", "sad", "angry"]


def test_counts_duplicates_and_conflicts():
    duplicates = find_duplicates(make_table(PICTURES, LABELS, "Training"))
    assert duplicates.first.to_dict() == {0: 0, 1: 1, 2: 0, 3: 3, 4: 1, 5: 0, 6: 6}
    assert (duplicates.groups, duplicates.rows, duplicates.conflicting_groups) == (2, 5, 1)


def test_duplicates_refer_to_rows_of_csv():
    rows = [10, 11, 14, 20, 30, 31, 32]
    duplicates = find_duplicates(make_table(PICTURES, LABELS, "Training", rows=rows))
    assert duplicates.first.to_dict() == {10: 10, 11: 11, 14: 10, 20: 20, 30: 11, 31: 10, 32: 32}


def test_distinct_pictures_have_no_duplicates():
    duplicates = find_duplicates(make_table([1, 2, 3], "sad", "Training"))
    assert (duplicates.groups, duplicates.rows, duplicates.conflicting_groups) == (0, 0, 0)


def test_one_gray_level_makes_pictures_differ():
    table = make_table([7, 7], "sad", "Training")
    table.images[1, 3, 3] += 1
    assert find_duplicates(table).groups == 0


def test_official_split_follows_usage():
    part = official_split(pd.Series(["Training", "PublicTest", "PrivateTest"]), pd.Series([0, 1, 2]))
    assert part.tolist() == ["training", "validation", "test"]


def test_official_split_removes_leaks_from_training():
    usage = pd.Series(["Training", "Training", "Training", "Training", "PublicTest", "PrivateTest", "PrivateTest"])
    pictures = pd.Series([0, 0, 2, 3, 0, 3, 6])
    assert official_split(usage, pictures).tolist() == [
        *("none", "none", "training", "none"),
        *("validation", "test", "test"),
    ]


def test_official_split_keeps_copies_within_training():
    assert official_split(pd.Series(["Training"] * 2), pd.Series([0, 0])).tolist() == ["training"] * 2


EMOTIONS = pd.Series(["happy"] * 200 + ["sad"] * 100 + ["fear"] * 40)
DETECTED = pd.Series([True] * 340)


def test_study_split_is_stratified():
    part = study_split(EMOTIONS, DETECTED, 0.7, 0.15, seed=1)
    counts = pd.crosstab(EMOTIONS, part).loc[["happy", "sad", "fear"], list(PARTS)].to_numpy()
    assert np.abs(counts - [[140, 30, 30], [70, 15, 15], [28, 6, 6]]).max() <= 1


@pytest.mark.parametrize(("training", "validation"), [(0.7, 0.15), (0.5, 0.3), (0.8, 0.1), (0.6, 0.2)])
@pytest.mark.parametrize("count", [100, 200, 1000])
def test_study_split_has_exact_shares(training, validation, count):
    emotions = pd.Series(["happy", "sad"] * (count // 2))
    part = study_split(emotions, emotions.notna(), training, validation, seed=1)
    assert (part == "training").sum() == pytest.approx(training * count)
    assert (part == "validation").sum() == pytest.approx(validation * count)


def test_study_split_depends_on_seed():
    one, same, other = (study_split(EMOTIONS, DETECTED, 0.7, 0.15, seed) for seed in (1, 1, 2))
    assert one.equals(same)
    assert (one != other).mean() > 0.2


def test_study_split_leaves_out_undetected_faces():
    detected = pd.Series(np.arange(340) % 3 > 0)
    part = study_split(EMOTIONS, detected, 0.7, 0.15, seed=1)
    assert ((part == "none") == ~detected).all()


def test_study_split_is_random_within_class():
    part = study_split(EMOTIONS, DETECTED, 0.7, 0.15, seed=1)
    assert part[:200].tolist() != sorted(part[:200], key=PARTS.index)


@pytest.mark.parametrize("detected_sad_faces", range(5))
def test_study_split_names_class_with_too_few_faces(detected_sad_faces):
    emotions = pd.Series(["happy"] * 50 + ["sad"] * 10)
    detected = pd.Series([True] * (50 + detected_sad_faces) + [False] * (10 - detected_sad_faces))
    message = f"only {detected_sad_faces} faces of 'sad' were detected, too few for a training, a validation and a test"
    with pytest.raises(UserError, match=message):
        study_split(emotions, detected, 0.7, 0.15, seed=1)


def test_study_split_needs_detected_faces():
    with pytest.raises(UserError, match="only 0 faces of 'happy' were detected, too few"):
        study_split(EMOTIONS, ~DETECTED, 0.7, 0.15, seed=1)


@given(
    counts=st.lists(st.integers(0, 40), min_size=2, max_size=7),
    shares=st.tuples(st.floats(0.05, 0.9), st.floats(0.05, 0.9)).filter(lambda shares: sum(shares) < 1),
    seed=st.integers(0, 100),
)
def test_study_split_has_every_class_in_every_part_or_fails(counts, shares, seed):
    emotions = pd.Series(np.repeat(NAMES[: len(counts)], counts))
    assume(not emotions.empty)
    part, message = None, ""
    try:
        part = study_split(emotions, emotions.notna(), *shares, seed)
    except UserError as error:
        message = str(error)
    if part is None:
        assert "too few for a training, a validation and a test part" in message
    else:
        assert pd.crosstab(emotions, part)[list(PARTS)].to_numpy().min() > 0


@pytest.fixture(scope="module")
def table():
    return make_many()


@pytest.fixture(scope="module")
def assigned(table):
    return assign_splits(table, find_duplicates(table), SETTINGS)


def test_assigning_splits_keeps_all_faces(table, assigned):
    assert assigned.classes == NAMES
    np.testing.assert_array_equal(assigned.images, table.images)
    pd.testing.assert_frame_equal(assigned.faces[table.faces.columns.tolist()], table.faces)


def test_only_study_protocol_leaves_out_dropped_classes(assigned):
    dropped = assigned.faces[assigned.faces["emotion"] == "disgust"]
    assert set(dropped["study"]) == {"none"}
    assert set(dropped["official"]) == {*PARTS, "none"}
    assert assigned.of_protocol("study").classes == ("angry", "fear", "happy", "sad", "surprise", "neutral")
    assert assigned.of_protocol("official").classes == NAMES


def test_dropped_classes_do_not_affect_study_split(table, assigned):
    rest = table.drop_classes(["disgust"])
    split = assign_splits(rest, find_duplicates(rest), SETTINGS).faces
    kept = assigned.faces[assigned.faces["emotion"] != "disgust"]
    assert kept["study"].tolist() == split["study"].tolist()


def test_may_drop_no_class(table):
    settings = SETTINGS.model_copy(update={"drop": []})
    assigned = assign_splits(table, find_duplicates(table), settings)
    assert assigned.of_protocol("study").classes == NAMES


def test_adds_columns_to_new_table(table, assigned):
    before = ["row", "emotion", "usage", "detected", "detector_pass"]
    assert list(table.faces.columns) == before
    assert list(assigned.faces.columns) == [*before, "duplicate_of", "official", "study"]


def test_duplicate_of_holds_first_identical_picture(assigned):
    duplicates = assigned.faces.set_index("row")["duplicate_of"].dropna()
    assert duplicates.to_dict() == {row: row - 620 for row in range(620, 630)}


def test_study_protocol_uses_faces_of_first_pass(assigned):
    covered = (assigned.faces["detector_pass"] == 1) & (assigned.faces["emotion"] != "disgust")
    assert ((assigned.faces["study"] != "none") == covered).all()
    shares = assigned.faces["study"].value_counts() / covered.sum()
    assert [round(shares[part], 2) for part in PARTS] == [0.7, 0.15, 0.15]


def test_official_protocol_leaves_out_only_leaks(assigned):
    # Rows 0 to 9 are training; rows 620 to 629 repeat them and are test.
    left_out = assigned.faces["official"] == "none"
    assert assigned.faces.loc[left_out, "row"].tolist() == list(range(10))
    pairs = assigned.faces.loc[~left_out, ["usage", "official"]].drop_duplicates().to_numpy().tolist()
    assert pairs == [["Training", "training"], ["PublicTest", "validation"], ["PrivateTest", "test"]]


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_labels_index_classes_of_protocol(assigned, protocol):
    used = assigned.of_protocol(protocol)
    test = used.subset(protocol, "test")
    emotions = used.faces.set_index("row")["emotion"]
    assert [used.classes[label] for label in test.labels] == emotions[test.rows].tolist()
    assert set(test.labels) == set(range(len(used.classes)))


def test_filtered_table_survives_round_trip(assigned, tmp_path):
    write_face_table(tmp_path / "filtered", assigned)
    read = read_face_table(tmp_path / "filtered")
    pd.testing.assert_frame_equal(read.faces, assigned.faces, check_dtype=False)


def test_accepts_table_without_undetected_faces(table):
    mask = table.faces["detected"].to_numpy()
    assigned = assign_splits(table.select(mask), find_duplicates(table), SETTINGS)
    assert assigned.faces["detected"].all()
    assert set(assigned.faces["study"]) == {*PARTS, "none"}


@pytest.mark.parametrize(
    ("missing", "part"), [("Training", "training"), ("PublicTest", "validation"), ("PrivateTest", "test")]
)
def test_rejects_data_without_usage(table, missing, part):
    rest = table.select((table.faces["usage"] != missing).to_numpy())
    message = f"the official protocol has no {part} face: .* Training, PublicTest and PrivateTest"
    with pytest.raises(UserError, match=message):
        assign_splits(rest, find_duplicates(rest), SETTINGS)


def test_names_class_with_too_few_faces(table):
    surprises = np.flatnonzero(table.faces["emotion"] == "surprise")
    mask = np.ones(len(table), bool)
    mask[surprises[3:]] = False
    with pytest.raises(UserError, match=r"only [0-3] faces of 'surprise' were detected"):
        assign_splits(table.select(mask), find_duplicates(table), SETTINGS)


def test_counts_leaks_per_row():
    part = pd.Series(["training", "training", "validation", "test", "test", "none", "test"])
    pictures = pd.Series([0, 1, 0, 1, 1, 0, 6])
    assert leaked_rows(part, pictures) == {"validation": 1, "test": 2}


def test_counts_emotions_in_project_order():
    counts = count_by_emotion(pd.Series(["sad", "angry", "sad", "happy"]), NAMES)
    assert list(counts.items()) == [("angry", 1), ("happy", 1), ("sad", 2)]
    assert all(type(count) is int for count in counts.values())


def test_summary_counts_faces_of_every_kind():
    decoded = make_many()
    duplicates = find_duplicates(decoded)
    filtered = assign_splits(decoded, duplicates, SETTINGS)
    summary = summarize(decoded, decoded, filtered, duplicates)
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
        pytest.skip("set FER2013_ARCHIVE to FER2013's archive or CSV to check the counts of the real data")
    path = tmp_path_factory.mktemp("real") / "fer2013.csv"
    unpack_csv(archive, path, md5=None)
    return read_pixel_csv(path, progress=False)


def test_real_data_has_known_duplicates(real):
    duplicates = find_duplicates(real)
    assert (duplicates.groups, duplicates.rows, duplicates.conflicting_groups) == (1516, 3369, 57)
    pictures = real.faces["row"].map(duplicates.first)
    as_distributed = real.faces["usage"].map({"Training": "training", "PublicTest": "validation"}).fillna("test")
    assert leaked_rows(as_distributed, pictures) == {"validation": 280, "test": 288}
    official = official_split(real.faces["usage"], pictures)
    assert leaked_rows(official, pictures) == {"validation": 0, "test": 0}
    assert (official != "training").sum() > 2 * 3589
    assert ((official == "validation").sum(), (official == "test").sum()) == (3589, 3589)
