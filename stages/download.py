"""Bring the pixel CSV: from an archive on disk, from Kaggle, or drawn.

    dvc repro download                                   (from Kaggle, no account needed)
    FER2013_ARCHIVE=~/fer2013.tar.gz dvc repro download  (from an archive on disk)

reads   the block ``download`` of params.yaml and the environment variable FER2013_ARCHIVE
writes  data/raw/fer2013.csv: 35,887 pictures, 301,072,766 bytes, md5 f8428a1edbd21e88f42c73edd2a14f95

Unpacking takes about 5 seconds; drawing 2,500 faces takes about 10 seconds on two cores. Since the md5 is pinned, it
makes no difference to any later stage where the bytes came from.
"""

import os
import sys
from pathlib import Path

from facial_expression.acquisition import AcquisitionError, fetch_from_kaggle, unpack_csv
from facial_expression.params import Download, ParamsError, load_params
from facial_expression.synthetic import write_sample

DESTINATION = Path("data/raw/fer2013.csv")
WORKSPACE = Path(".checkpoints/download")


def main() -> None:
    params = load_params()
    download = params.download
    archive = os.environ.get("FER2013_ARCHIVE") or download.archive
    if download.dataset == "synthetic":
        write_sample(DESTINATION, download.synthetic_faces, download.synthetic_seed, params.runtime.workers)
    elif archive:
        unpack_csv(Path(archive).expanduser(), DESTINATION, download.md5)
    else:
        _fetch(download)


def _fetch(download: Download) -> None:
    try:
        fetch_from_kaggle(download.kaggle_handle, DESTINATION, download.md5, WORKSPACE)
    except AcquisitionError as error:
        raise AcquisitionError(
            f"{error}\nWithout a network, set FER2013_ARCHIVE to a .csv, .tar.gz or .zip on disk, or set "
            "download.dataset to synthetic in params.yaml to try the chain on drawn faces."
        ) from error


if __name__ == "__main__":
    try:
        main()
    except (ParamsError, AcquisitionError) as error:
        sys.exit(f"download: {error}")
