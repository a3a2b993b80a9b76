"""Compare FER2013's labels with those of FER+, where ten people labeled every face.

    dvc repro crowd
    FERPLUS_LABELS=~/fer2013new.csv dvc repro crowd    (from github.com/microsoft/FERPlus)

reads   data/decoded/, the block `crowd` of params.yaml, the environment variable FERPLUS_LABELS
writes  reports/crowd/: agreement.json, and disagreements.csv: the rows for which the crowd's label is another one

Takes a second. Git holds both files, so later stages need no FER+. DVC knows the labels by `crowd.md5`. With null
there, or with other data, classes or labels than FER2013's, the crowd is left out.
"""

import os
from pathlib import Path

import pandas as pd

from facial_expression.analysis.crowd import crowd_labels, describe_agreement, read_votes
from facial_expression.data.face_table import read_face_table
from facial_expression.emotions import NAMES
from facial_expression.evaluation.tables import FER2013, title_of_data
from facial_expression.files import atomic_write, write_json
from facial_expression.params import Params, load_params
from stages._stage import CROWD, DECODED, run_stage


def is_about(params: Params) -> bool:
    """Whether FER+ is about these faces and names: FER2013's own bytes, and its classes as it labels them."""
    return title_of_data(params.download) == FER2013 and set(params.classes) == set(NAMES) and not params.decode.labels


def main() -> None:
    params = load_params()
    settings = params.crowd
    faces = read_face_table(DECODED, memory_map=True).faces
    agreement, different = None, pd.DataFrame({"row": [], "crowd": []})
    if settings.md5 and is_about(params):
        path = os.environ.get("FERPLUS_LABELS") or settings.labels or "fer2013new.csv"
        votes = read_votes(Path(path).expanduser(), settings.md5, faces["usage"])
        labels = crowd_labels(votes)
        agreement = describe_agreement(votes, labels, faces["emotion"], faces["usage"])
        different = pd.DataFrame({"row": faces["row"], "crowd": labels})[labels != faces["emotion"]]
    with atomic_write(CROWD) as temporary:
        temporary.mkdir()
        write_json(temporary / "agreement.json", agreement)
        different.to_csv(temporary / "disagreements.csv", index=False, lineterminator="\n")
    print(f"the crowd says otherwise for {len(different):,} faces" if agreement else "no crowd for these pictures")


if __name__ == "__main__":
    run_stage(main)
