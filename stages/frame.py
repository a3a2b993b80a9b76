"""Bring every face to where faces lie in FER2013's pictures, without deforming it.

    dvc repro frame

reads   data/decoded/, the landmarks of data/aligned/, ``align.size`` of params.yaml
writes  data/framed/

Takes a few seconds. A picture without a found face stays as it is.
"""

import sys
from dataclasses import replace

import numpy as np

from facial_expression.facetable import read_face_table, write_face_table
from facial_expression.framing import Framer
from facial_expression.mean_shape import load_mean_shape
from facial_expression.params import ParamsError, load_params


def main() -> None:
    aligned = read_face_table("data/aligned")
    shown = aligned.as_shown_in(read_face_table("data/decoded"))
    framer = Framer(load_params().align.size, load_mean_shape())
    crops = [framer.crop(*face) for face in zip(shown.images, shown.landmarks, strict=True)]
    write_face_table("data/framed", replace(shown, images=np.stack(crops)))
    print(f"framed {len(shown):,} faces")


if __name__ == "__main__":
    try:
        main()
    except (ParamsError, FileNotFoundError, ValueError) as error:
        sys.exit(f"frame: {error}")
