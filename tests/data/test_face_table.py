"""The face table: writing and reading, reproducible bytes, selections, and parts that do not belong together."""

import re

import numpy as np
import pandas as pd
import pytest

from facial_expression.data.face_table import FaceTable, read_face_table, write_face_table
from facial_expression.emotions import NAMES
from facial_expression.errors import UserError

EMOTIONS = ["sad", "angry", "neutral", "sad", "happy", "angry"]
IMAGES = np.zeros((6, 5, 5), np.uint8)
USAGES = ["Training", "PublicTest", "Training", "PrivateTest", "Training", "Training"]


def make_faces(**columns) -> pd.DataFrame:
    return pd.DataFrame({"row": [0, 1, 4, 5, 8, 9], "emotion": EMOTIONS, "usage": USAGES, **columns})


def make_table(landmarks: bool = True, **columns) -> FaceTable:
    generator = np.random.default_rng(1)
    images = generator.integers(0, 256, (6, 5, 5), dtype=np.uint8)
    points = generator.uniform(-3, 50, (6, 68, 2)).astype(np.float32)
    return FaceTable(images, make_faces(**columns), points if landmarks else None)


def bytes_in(directory) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in directory.iterdir()}


@pytest.fixture
def directory(tmp_path):
    """A face table on disk."""
    write_face_table(tmp_path / "faces", make_table())
    return tmp_path / "faces"


@pytest.mark.parametrize("memory_map", [False, True])
@pytest.mark.parametrize("landmarks", [False, True])
def test_survives_round_trip(tmp_path, landmarks, memory_map):
    table = make_table(landmarks, detected=[True, False] * 3, score=[0.5, 0.0, 1.25, 0.0, 2.0, 0.0])
    write_face_table(tmp_path / "faces", table)
    read = read_face_table(tmp_path / "faces", memory_map)
    assert read.images.dtype == np.uint8
    np.testing.assert_array_equal(read.images, table.images)
    pd.testing.assert_frame_equal(read.faces, table.faces, check_dtype=False)
    assert read.faces["detected"].dtype == bool
    if landmarks:
        assert read.landmarks.dtype == np.float32
        np.testing.assert_array_equal(read.landmarks, table.landmarks)
    else:
        assert read.landmarks is None


def test_empty_duplicate_of_stays_empty(tmp_path):
    first = pd.array([None, 0, None, None, 4, None], dtype="Int64")
    write_face_table(tmp_path / "faces", make_table(duplicate_of=first))
    read = read_face_table(tmp_path / "faces").faces["duplicate_of"]
    assert read.isna().tolist() == [True, False, True, True, False, True]
    assert read.dropna().tolist() == [0, 4]


def test_part_none_stays_text(tmp_path):
    write_face_table(tmp_path / "faces", make_table(study=["training", "none"] * 3))
    assert read_face_table(tmp_path / "faces").faces["study"].tolist() == ["training", "none"] * 3


def test_memory_map_leaves_images_on_disk(directory):
    table = read_face_table(directory, memory_map=True)
    assert isinstance(table.images, np.memmap)
    assert isinstance(table.landmarks, np.memmap)
    assert not isinstance(read_face_table(directory).images, np.memmap)


def test_bytes_depend_on_content_alone(tmp_path):
    table = make_table(score=np.array([1 / 3, 2 / 3, 0.1 + 0.2, 0, 1e-9, 5]))
    mirrored = FaceTable(np.asfortranarray(table.images), table.faces, table.landmarks.astype(np.float64))
    write_face_table(tmp_path / "one", table)
    write_face_table(tmp_path / "two", mirrored)
    write_face_table(tmp_path / "three", read_face_table(tmp_path / "one", memory_map=True))
    assert bytes_in(tmp_path / "one") == bytes_in(tmp_path / "two") == bytes_in(tmp_path / "three")
    lines = (tmp_path / "one" / "faces.csv").read_bytes().split(b"\n")
    assert lines[:3] == [b"row,emotion,usage,score", b"0,sad,Training,0.3333", b"1,angry,PublicTest,0.6667"]


def test_writing_replaces_whole_table(directory):
    write_face_table(directory, make_table(landmarks=False))
    assert sorted(bytes_in(directory)) == ["faces.csv", "images.npy"]


def test_classes_are_in_project_order():
    assert make_table().classes == ("angry", "happy", "sad", "neutral")
    assert len(make_table()) == 6


def test_classes_of_ones_own_keep_their_order(tmp_path):
    classes = ("true", "none", "1st", "High")
    table = FaceTable(IMAGES, make_faces(emotion=["High", "true", "none", "High", "true", "none"]), all_classes=classes)
    assert table.classes == ("true", "none", "High")
    write_face_table(tmp_path / "faces", table)
    read = read_face_table(tmp_path / "faces")
    assert (read.all_classes, read.classes) == (classes, table.classes)
    pd.testing.assert_frame_equal(read.faces, table.faces, check_dtype=False)
    assert read.select(np.array([True] + [False] * 5)).all_classes == classes
    assert read.with_images_of(table).drop_classes(["true"]).classes == ("none", "High")
    with pytest.raises(ValueError, match="unknown emotion 'happy': allowed are true, none, 1st, High"):
        FaceTable(IMAGES, make_faces(emotion="happy"), all_classes=classes)


def test_project_classes_need_no_file(directory):
    assert not (directory / "classes.json").exists()
    assert read_face_table(directory).all_classes == NAMES


def test_selects_faces_by_mask():
    table = make_table()
    mask = np.array([True, False, False, True, True, False])
    selected = table.select(mask)
    np.testing.assert_array_equal(selected.images, table.images[[0, 3, 4]])
    np.testing.assert_array_equal(selected.landmarks, table.landmarks[[0, 3, 4]])
    assert selected.faces["row"].tolist() == [0, 5, 8]
    assert selected.faces.index.tolist() == [0, 1, 2]
    assert len(table) == 6
    assert make_table(landmarks=False).select(mask).landmarks is None


def test_of_protocol_selects_its_faces_and_classes():
    table = make_table(study=["training", "none", "none", "test", "none", "none"], official="training")
    used = table.of_protocol("study")
    assert used.faces["row"].tolist() == [0, 5]
    np.testing.assert_array_equal(used.images, table.images[[0, 3]])
    np.testing.assert_array_equal(used.landmarks, table.landmarks[[0, 3]])
    assert used.classes == ("sad",)
    pd.testing.assert_frame_equal(table.of_protocol("official").faces, table.faces)


@pytest.mark.parametrize(
    ("emotions", "rows"), [([], [0, 1, 4, 5, 8, 9]), (["sad"], [1, 4, 8, 9]), (["angry", "fear", "sad"], [4, 8])]
)
def test_drop_classes_keeps_other_emotions(emotions, rows):
    table = make_table()
    rest = table.drop_classes(emotions)
    assert rest.faces["row"].tolist() == rows
    np.testing.assert_array_equal(rest.images, table.images[table.faces["row"].isin(rows)])
    assert not set(rest.classes) & set(emotions)


def test_subset_has_faces_of_one_part():
    parts = ["training", "test", "none", "training", "validation", "training"]
    table = make_table(study=parts, official=parts[::-1])
    training = table.subset("study", "training")
    np.testing.assert_array_equal(training.images, table.images[[0, 3, 5]])
    assert [table.classes[label] for label in training.labels] == ["sad", "sad", "angry"]
    assert training.labels.dtype == np.int64
    assert training.rows.tolist() == [0, 5, 9]
    assert table.subset("official", "training").rows.tolist() == [0, 4, 9]
    assert table.subset("official", "validation").rows.tolist() == [1]
    # A label is an index into the classes of the whole table, in every part.
    assert table.subset("study", "validation").labels.tolist() == [table.classes.index("happy")]


def test_takes_images_of_other_table_by_row():
    table = make_table(study="training")
    order = np.array([4, 3, 0, 5, 1, 2])
    other = FaceTable(255 - table.images[order], table.faces.iloc[order].reset_index(drop=True))
    changed = table.with_images_of(other)
    np.testing.assert_array_equal(changed.images, 255 - table.images)
    pd.testing.assert_frame_equal(changed.faces, table.faces)
    few = table.select(np.array([False, True, False, False, True, False])).with_images_of(other)
    np.testing.assert_array_equal(few.images, 255 - table.images[[1, 4]])


def test_names_row_that_other_table_lacks():
    table = make_table(study="training")
    with pytest.raises(UserError, match="row 5 has no image in the other face table: run `dvc repro`"):
        table.with_images_of(table.select(table.faces["row"] != 5))


@pytest.mark.parametrize(
    ("images", "faces", "landmarks", "message"),
    [
        (IMAGES.astype(float), make_faces(), None, r"images must be uint8 .*; they are float64 of shape \(6, 5, 5\)"),
        (IMAGES[:5], make_faces(), None, r"images must be uint8 of shape \(6, size, size\), .* of shape \(5, 5, 5\)"),
        (IMAGES[..., None], make_faces(), None, r"images must be .* they are uint8 of shape \(6, 5, 5, 1\)"),
        (IMAGES, make_faces(), np.zeros((5, 68, 2)), r"landmarks must have shape \(6, 68, 2\), they have \(5, 68, 2\)"),
        (IMAGES, make_faces(), np.zeros((6, 5, 2)), r"landmarks must have shape \(6, 68, 2\), they have \(6, 5, 2\)"),
        (IMAGES, make_faces().drop(columns="row"), None, "faces lacks the column 'row'"),
        (IMAGES, make_faces().drop(columns="emotion"), None, "faces lacks the column 'emotion'"),
        (IMAGES, make_faces().drop(columns="usage"), None, "faces lacks the column 'usage'"),
        (IMAGES, make_faces(emotion="bored"), None, f"unknown emotion 'bored': allowed are {', '.join(NAMES)}"),
        (IMAGES, make_faces(usage="Test"), None, "unknown usage 'Test': allowed are Training, PublicTest, PrivateTest"),
    ],
)
def test_rejects_parts_that_do_not_belong_together(images, faces, landmarks, message):
    with pytest.raises(ValueError, match=message):
        FaceTable(images, faces, landmarks)


@pytest.mark.parametrize("part", ["images.npy", "faces.csv"])
def test_missing_file_error_names_command(directory, part):
    (directory / part).unlink()
    with pytest.raises(UserError, match=rf"faces.{part} is missing: run `dvc repro`"):
        read_face_table(directory)


def test_missing_directory_error_names_command(tmp_path):
    with pytest.raises(UserError, match=r"nothing.images\.npy is missing: run `dvc repro`"):
        read_face_table(tmp_path / "nothing")


@pytest.mark.parametrize("memory_map", [False, True])
@pytest.mark.parametrize("damage", [None, b"<html>Not found</html>", b"PK\x03\x04 no archive", b""])
@pytest.mark.parametrize("part", ["images.npy", "landmarks.npy", "faces.csv"])
def test_damaged_file_error_names_directory(directory, part, damage, memory_map):
    path = directory / part
    path.write_bytes(path.read_bytes()[:-10] if damage is None else damage)
    with pytest.raises(UserError, match=rf"^{re.escape(str(directory))} is not a face table: "):
        read_face_table(directory, memory_map)


def test_rejects_files_of_two_tables(directory, tmp_path):
    table = make_table()
    write_face_table(tmp_path / "fewer", table.select(np.array([True] * 5 + [False])))
    (tmp_path / "fewer" / "faces.csv").replace(directory / "faces.csv")
    with pytest.raises(UserError, match=rf"^{re.escape(str(directory))} is not a face table: images must be"):
        read_face_table(directory)
