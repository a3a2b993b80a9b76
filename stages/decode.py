"""Decode the pixel CSV into a face table.

    dvc repro decode

reads   data/raw/fer2013.csv (the three dialects of FER2013; see facial_expression/data/pixel_csv.py)
writes  data/decoded/: 35,887 pictures of 48x48 pixels for FER2013

Takes a few seconds. A bad row stops it with file, line and reason.
"""

from facial_expression.data.face_table import write_face_table
from facial_expression.data.pixel_csv import read_pixel_csv
from stages._stage import DECODED, RAW, run_stage


def main() -> None:
    table = read_pixel_csv(RAW)
    write_face_table(DECODED, table)
    print(f"decoded {len(table):,} pictures of {len(table.classes)} classes")


if __name__ == "__main__":
    run_stage(main)
