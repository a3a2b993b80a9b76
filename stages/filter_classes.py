"""Drop classes, find duplicates, and assign every face to a part of each protocol.

    dvc repro filter_classes

reads   data/decoded/, data/aligned/, the block `filter_classes` of params.yaml
writes  data/filtered/ (with the columns `duplicate_of`, `study` and `official`), reports/dataset.json

Takes a few seconds. FER2013 has 1,516 groups of identical pictures (3,369 rows), 57 of them with conflicting labels;
280 pictures of PublicTest and 288 of PrivateTest also occur in Training.
"""

from facial_expression.data.face_table import read_face_table, write_face_table
from facial_expression.data.splits import assign_splits, find_duplicates, summarize
from facial_expression.files import write_json
from facial_expression.params import load_params
from stages._stage import ALIGNED, DATASET, DECODED, FILTERED, run_stage


def main() -> None:
    settings = load_params().filter_classes
    decoded, aligned = read_face_table(DECODED), read_face_table(ALIGNED)
    duplicates = find_duplicates(decoded)
    table = assign_splits(aligned, duplicates, settings)
    write_face_table(FILTERED, table)
    write_json(DATASET, summarize(decoded, aligned, table, duplicates))
    dropped = ", ".join(settings.drop) or "no class"
    print(f"kept {len(table):,} faces; the study's protocol drops {dropped}")


if __name__ == "__main__":
    run_stage(main)
