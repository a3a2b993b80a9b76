"""Get the pixel CSV: from an archive on disk, from Kaggle, or as synthetic faces.

    dvc repro download                                   (from Kaggle, without an account)
    FER2013_ARCHIVE=~/fer2013.tar.gz dvc repro download  (from an archive on disk)

reads   the block `download` of params.yaml, the environment variable FER2013_ARCHIVE
writes  data/raw/fer2013.csv: 35,887 pictures, 301,072,766 bytes, md5 f8428a1edbd21e88f42c73edd2a14f95

Unpacking takes about 5 seconds, 2,500 synthetic faces about 10 seconds on two cores. The md5 is verified, so every
source gives the same bytes.
"""

import os
from pathlib import Path

from facial_expression.data.download import DownloadError, fetch_from_kaggle, unpack_csv
from facial_expression.data.synthetic import write_sample
from facial_expression.params import Download, load_params
from stages._stage import RAW, WORKSPACE, run_stage


def main() -> None:
    params = load_params()
    download = params.download
    archive = os.environ.get("FER2013_ARCHIVE") or download.archive
    if download.dataset == "synthetic":
        write_sample(RAW, download.synthetic_faces, download.synthetic_seed, params.runtime.workers)
    elif archive:
        unpack_csv(Path(archive).expanduser(), RAW, download.md5)
    else:
        _fetch(download)


def _fetch(download: Download) -> None:
    try:
        fetch_from_kaggle(download.kaggle_handle, RAW, download.md5, WORKSPACE / "download")
    except DownloadError as error:
        raise DownloadError(
            f"{error}\nWithout a network, set FER2013_ARCHIVE to a .csv, .tar.gz or .zip on disk, or set "
            "download.dataset to synthetic in params.yaml to try the pipeline on synthetic faces."
        ) from error


if __name__ == "__main__":
    run_stage(main)
