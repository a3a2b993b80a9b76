"""Decode the pixel CSV, or cut the faces out of pictures, into a face table.

    dvc repro decode

reads   data/raw/fer2013.csv, or data/raw/pictures.csv and the pictures that it lists; the blocks `classes` and
        `decode` of params.yaml, and for pictures the passes of `align`
writes  data/decoded/: 35,887 pictures of 48x48 pixels for FER2013

Takes a few seconds for a CSV, and 20 seconds for 1,000 photos of 640x480 on two cores. A bad row or file stops it with
its name and the reason. Where the data has no validation or no test part, one is drawn.
"""

from dataclasses import replace

from rich.console import Console
from rich.table import Table

from facial_expression.data.face_table import FaceTable, write_face_table
from facial_expression.data.folder import pictures_root, read_list
from facial_expression.data.labels import Labels
from facial_expression.data.pixel_csv import read_pixel_csv
from facial_expression.data.usages import count_by_usage, draw_missing_usages
from facial_expression.faces.detection import DetectionPass
from facial_expression.params import Params, load_params
from facial_expression.photo_table import cut_faces
from stages._stage import DECODED, PICTURES, RAW, pictures_source, run_stage

_SHOWN = 5  # files without a face


def main() -> None:
    params = load_params()
    settings = params.decode
    labels = Labels(params.classes, settings.codes, settings.labels)
    if params.download.dataset == "folder":
        source, table = PICTURES, _cut(params, labels)
    else:
        source, table = RAW, read_pixel_csv(RAW, settings.size, labels)
    labels.require_every_class(str(source))
    usage, drawn = draw_missing_usages(table.faces, settings.validation_share, settings.test_share, settings.seed)
    table = replace(table, faces=table.faces.assign(usage=usage))
    write_face_table(DECODED, table)
    _show(table, drawn)


def _cut(params: Params, labels: Labels) -> FaceTable:
    settings = params.decode
    passes = [DetectionPass(**one.model_dump()) for one in params.align.passes] if settings.faces == "detect" else None
    root = pictures_root(pictures_source(params.download))
    how = passes, settings.size, settings.missing, params.runtime.workers, params.runtime.scheduler
    table, faceless = cut_faces(read_list(PICTURES), root, labels, *how)
    if faceless:
        done = "dropped" if settings.missing == "drop" else "kept whole"
        more = f" and {len(faceless) - _SHOWN:,} more" if len(faceless) > _SHOWN else ""
        print(f"no face in {len(faceless):,} pictures, {done}: {', '.join(faceless[:_SHOWN])}{more}")
    return table


def _show(table: FaceTable, drawn: list[str]) -> None:
    counts = count_by_usage(table.faces, table.all_classes)
    shown = Table("class", title=f"decoded {len(table):,} pictures of {len(table.classes)} classes")
    for usage in counts.columns:
        shown.add_column(f"{usage} (drawn)" if usage in drawn else usage, justify="right")
    for name, row in counts.iterrows():
        shown.add_row(str(name), *(f"{count:,}" if count else "[red]none[/red]" for count in row))
    Console().print(shown)
    for usage in counts.columns:
        if missing := list(counts.index[counts[usage] == 0]):
            print(f"warning: no face of {', '.join(missing)} in {usage}")


if __name__ == "__main__":
    run_stage(main)
