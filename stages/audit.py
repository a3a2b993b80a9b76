"""Audit the data: classes before and after alignment, identical pictures, and nearly identical ones.

    dvc repro audit

reads   data/decoded/, data/filtered/, the block `audit` of params.yaml
writes  data/near_duplicates.csv (pairs of similar pictures), reports/analysis/data.json

Takes half a minute for FER2013, whose 644 million pairs of hashes are all compared.
"""

import pandas as pd

from facial_expression.analysis.duplicates import group_pairs, similar_pairs
from facial_expression.analysis.survey import class_counts, count_candidates, leaks
from facial_expression.data.face_table import read_face_table
from facial_expression.data.splits import PROTOCOLS
from facial_expression.files import atomic_write, write_json
from facial_expression.params import load_params
from stages._stage import ANALYSIS, DECODED, FILTERED, NEAR_DUPLICATES, run_stage


def main() -> None:
    settings = load_params().audit
    decoded, filtered = read_face_table(DECODED), read_face_table(FILTERED, memory_map=True)
    faces = filtered.faces
    candidates = similar_pairs(decoded.images, settings.hash_distance)
    near = candidates[candidates["correlation"] >= settings.correlation]
    groups = pd.Series(group_pairs(near, len(decoded)), index=decoded.faces["row"])
    sizes = groups.value_counts()
    content = {
        "classes": class_counts(decoded.faces, faces, filtered.all_classes),
        "candidates": count_candidates(candidates),
        "hash_distance": settings.hash_distance,
        "least_correlation": settings.correlation,
        "near_pairs": int((near["correlation"] < 1).sum()),
        "near_groups": int((sizes > 1).sum()),
        "near_faces": int(sizes[sizes > 1].sum()),
        "near_leaks": {
            protocol: int((leaks(faces[protocol], faces["row"].map(groups)) & (faces[protocol] == "test")).sum())
            for protocol in PROTOCOLS
        },
    }
    with atomic_write(NEAR_DUPLICATES) as temporary:
        rows = {end: decoded.faces["row"].to_numpy()[candidates[end]] for end in ("first", "second")}
        candidates.assign(**rows).to_csv(temporary, index=False, lineterminator="\n")
    write_json(ANALYSIS / "data.json", content)
    print(f"{content['near_groups']:,} groups of nearly identical pictures, {content['near_faces']:,} faces")


if __name__ == "__main__":
    run_stage(main)
