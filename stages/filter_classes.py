"""Drop classes, find duplicates, and say who is training, validation and test under each protocol.

    dvc repro filter_classes

reads   data/decoded/, data/aligned/, the block ``filter_classes`` of params.yaml
writes  data/filtered/ (with the columns ``duplicate_of``, ``published`` and ``official``), reports/dataset.json

Takes a few seconds. FER2013 holds 1,516 groups of identical pictures (3,369 rows), 57 of them with conflicting labels;
280 pictures of PublicTest and 288 of PrivateTest also stand in Training.
"""

import json
import sys
from pathlib import Path

from facial_expression.atomic import replacing
from facial_expression.facetable import read_face_table, write_face_table
from facial_expression.params import ParamsError, load_params
from facial_expression.protocols import assign_parts, find_duplicates, summarise


def main() -> None:
    settings = load_params().filter_classes
    decoded, aligned = read_face_table("data/decoded"), read_face_table("data/aligned")
    duplicates = find_duplicates(decoded)
    table = assign_parts(aligned, duplicates, settings)
    write_face_table("data/filtered", table)
    with replacing(Path("reports/dataset.json")) as temporary:
        temporary.write_text(json.dumps(summarise(decoded, aligned, table, duplicates), indent=2) + "\n")
    dropped = ", ".join(settings.drop) or "no class"
    print(f"kept {len(table):,} of {len(aligned):,} faces in {len(table.classes)} classes (dropped: {dropped})")


if __name__ == "__main__":
    try:
        main()
    except (ParamsError, FileNotFoundError, ValueError) as error:
        sys.exit(f"filter_classes: {error}")
