"""Decode the pixel CSV into a face table.

    dvc repro decode

reads   data/raw/fer2013.csv (the three dialects of FER2013; see facial_expression/pixelcsv.py)
writes  data/decoded/: 35,887 pictures of 48x48 for FER2013

Takes about a second. A bad row stops it with file, line and reason.
"""

import sys
from pathlib import Path

from facial_expression.facetable import write_face_table
from facial_expression.pixelcsv import PixelCsvError, read_pixel_csv


def main() -> None:
    table = read_pixel_csv(Path("data/raw/fer2013.csv"))
    write_face_table("data/decoded", table)
    print(f"decoded {len(table):,} pictures of {len(table.classes)} classes")


if __name__ == "__main__":
    try:
        main()
    except PixelCsvError as error:
        sys.exit(f"decode: {error}")
