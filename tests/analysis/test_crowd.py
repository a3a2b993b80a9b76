import hashlib
import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from facial_expression.analysis.crowd import crowd_indices, crowd_labels, describe_agreement, read_votes
from facial_expression.emotions import NAMES
from facial_expression.errors import UserError
from facial_expression.params import load_params
from helpers.project import ROOT
from stages.crowd import is_about

HEADER = "Usage,Image name,neutral,happiness,surprise,sadness,anger,disgust,fear,contempt,unknown,NF\n"
ROWS = (
    "Training,a.png,4,0,0,1,3,2,0,0,0,0\n"  # neutral
    "Training,b.png,5,5,0,0,0,0,0,0,0,0\n"  # a tie
    "PublicTest,c.png,0,0,0,0,0,0,2,8,0,0\n"  # contempt
    "PrivateTest,d.png,1,0,0,0,0,0,0,0,9,0\n"  # unknown
    "PrivateTest,,0,0,0,0,0,0,0,0,0,10\n"  # not a face
    "PrivateTest,f.png,0,9,1,0,0,0,0,0,0,0\n"  # happy
)
USAGES = pd.Series(["Training", "Training", "PublicTest", "PrivateTest", "PrivateTest", "PrivateTest"])
LABELS = ["neutral", "tie", "contempt", "unknown", "unknown", "happy"]


def write(path: Path, text: str = HEADER + ROWS) -> str:
    """Write the file and return its MD5."""
    path.write_text(text)
    return hashlib.md5(text.encode()).hexdigest()


@pytest.fixture
def votes(tmp_path) -> pd.DataFrame:
    md5 = write(tmp_path / "labels.csv")
    return read_votes(tmp_path / "labels.csv", md5, USAGES)


def test_most_votes_win_and_ties_have_no_label(votes):
    assert crowd_labels(votes).tolist() == LABELS


def test_agreement_counts_faces_that_the_crowd_labels(votes):
    emotions = pd.Series(["angry", "happy", "fear", "sad", "sad", "happy"])
    agreement = describe_agreement(votes, crowd_labels(votes), emotions, USAGES)
    assert (agreement["faces"], agreement["labeled"]) == (6, 2)
    assert agreement["without_label"] == {"tie": 1, "unknown": 2, "contempt": 1}
    assert agreement["agreement"]["value"] == 0.5
    assert {usage: one["value"] for usage, one in agreement["by_usage"].items()} == {"Training": 0, "PrivateTest": 1}
    assert agreement["matrix"]["sad"]["unknown"] == 2
    assert agreement["vote_share"] == pytest.approx((0.4 + 0.9) / 2)


@pytest.mark.parametrize(
    ("block", "changes"),
    [
        (None, {"classes": ["anger", *NAMES[1:]]}),
        ("decode", {"labels": {"disgust": "angry"}}),
        ("download", {"md5": "0" * 32}),
        ("download", {"dataset": "synthetic"}),
    ],
)
def test_crowd_is_about_the_labels_of_fer2013_alone(block, changes):
    params = load_params(ROOT / "params.yaml")
    assert is_about(params)
    update = {block: getattr(params, block).model_copy(update=changes)} if block else changes
    assert not is_about(params.model_copy(update=update))


def test_labels_follow_from_the_rows_that_differ():
    faces = pd.DataFrame({"row": [3, 5, 7, 9], "emotion": ["sad", "sad", "fear", "happy"]})
    different = pd.DataFrame({"row": [5, 7, 8], "crowd": ["neutral", "tie", "happy"]})
    np.testing.assert_array_equal(crowd_indices(faces, different, ("happy", "sad", "neutral")), [1, 2, -1, 0])


@pytest.mark.parametrize(
    ("text", "usages", "problem"),
    [
        (HEADER + ROWS, USAGES[:5], "has 6 rows for 5 pictures: it is about other data"),
        (HEADER + ROWS, USAGES.replace("PublicTest", "Training"), "row 4: its usage is not that of the picture"),
        (HEADER.replace("contempt", "pride") + ROWS, USAGES, "lacks the column 'contempt'"),
    ],
)
def test_file_about_other_data_is_named(tmp_path, text, usages, problem):
    path = tmp_path / "labels.csv"
    md5 = write(path, text)
    with pytest.raises(UserError, match=problem) as raised:
        read_votes(path, md5, usages)
    assert str(path) in str(raised.value)


def test_other_and_missing_files_say_what_to_do(tmp_path):
    path = tmp_path / "labels.csv"
    with pytest.raises(UserError, match=r"labels\.csv.* is missing: get fer2013new\.csv from github\.com/microsoft"):
        read_votes(path, "0" * 32, USAGES)
    md5 = write(path)
    with pytest.raises(UserError, match=f"has MD5 {md5}, and crowd.md5"):
        read_votes(path, "0" * 32, USAGES)


@pytest.mark.skipif("FERPLUS_LABELS" not in os.environ, reason="FERPLUS_LABELS is not set")
def test_real_labels_agree_with_the_committed_counts():
    """The rows of FER+ are those of FER2013, so their usages are enough to join them."""
    from facial_expression.files import read_json
    from facial_expression.params import load_params
    from helpers.project import ROOT

    path = Path(os.environ["FERPLUS_LABELS"])
    usages = pd.read_csv(path)["Usage"]
    labels = crowd_labels(read_votes(path, load_params(ROOT / "params.yaml").crowd.md5, usages))
    committed = read_json(ROOT / "reports/crowd/agreement.json", "dvc repro crowd")
    assert {why: int((labels == why).sum()) for why in committed["without_label"]} == committed["without_label"]
