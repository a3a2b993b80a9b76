"""The training faces that a run leaves out."""

import numpy as np
import pandas as pd
import pytest

from facial_expression.data.face_table import FaceTable
from facial_expression.data.training_faces import choose_training_faces

EMOTIONS = ("angry", "happy", "sad")


@pytest.fixture
def table():
    """Training faces 0 to 59, of which angry ones are rare; two of them also stand in another part."""
    count = 80
    emotions = ["angry" if number % 10 == 0 else EMOTIONS[1 + number % 2] for number in range(count)]
    parts = ["training"] * 60 + ["validation"] * 10 + ["test"] * 9 + ["none"]
    faces = pd.DataFrame({"row": np.arange(count) * 2, "emotion": emotions, "usage": "Training", "official": parts})
    duplicates = pd.Series(pd.NA, index=faces.index, dtype="Int64")
    duplicates[75], duplicates[62], duplicates[5], duplicates[79] = 6, 14, 4, 20  # rows, which are even here
    return FaceTable(np.zeros((count, 4, 4), np.uint8), faces.assign(duplicate_of=duplicates, study="none"))


def rows_of(table, part="training"):
    return set(table.subset("official", part).rows.tolist())


def test_all_faces_by_default(table):
    chosen = choose_training_faces(table, "official")
    pd.testing.assert_frame_equal(chosen.faces, table.faces)


def test_unleaked_leaves_out_pictures_of_other_parts(table):
    chosen = choose_training_faces(table, "official", unleaked=True)
    assert rows_of(table) - rows_of(chosen) == {6, 14}
    for part in ("validation", "test"):
        assert rows_of(chosen, part) == rows_of(table, part)


@pytest.mark.parametrize("share", [0.01, 0.25, 0.5])
def test_share_is_taken_of_every_emotion(table, share):
    def count(faces):
        return pd.Series(faces.subset("official", "training").labels).value_counts().sort_index()

    chosen = choose_training_faces(table, "official", share=share)
    assert chosen.classes == table.classes
    assert (count(chosen) == np.ceil(share * count(table))).all()
    assert rows_of(chosen, "test") == rows_of(table, "test")


def test_smaller_share_is_part_of_a_larger_one(table):
    small, large = (rows_of(choose_training_faces(table, "official", share=share)) for share in (0.2, 0.6))
    assert small < large


def test_seed_chooses_the_share(table):
    first, again, other = (rows_of(choose_training_faces(table, "official", 0.5, seed=seed)) for seed in (1, 1, 2))
    assert first == again != other
