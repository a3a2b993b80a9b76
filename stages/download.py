"""Get the pixel CSV: from an archive on disk, from Kaggle, or as synthetic faces; or list the pictures of a folder.

    dvc repro download                                   (from Kaggle, without an account)
    FER2013_ARCHIVE=~/fer2013.tar.gz dvc repro download  (from an archive on disk)

reads   the block `download` of params.yaml, the environment variables FER2013_ARCHIVE and FACES_FOLDER
writes  data/raw/fer2013.csv: 35,887 pictures, 301,072,766 bytes, md5 f8428a1edbd21e88f42c73edd2a14f95
        or, with `dataset: folder`, data/raw/pictures.csv: file, label, usage and MD5 of every picture

Unpacking takes about 5 seconds, 2,500 synthetic faces about 10 seconds on two cores. The md5 is verified, so every
source gives the same bytes, and DVC knows the data by it: the stage runs again when `download.md5` changes, not when
the archive moves. `python -m stages.download --check` compares the two before DVC starts; `make repro` does so.
"""

import argparse
import os
from pathlib import Path

from facial_expression.data.download import DownloadError, csv_md5, fetch_from_kaggle, unpack_csv
from facial_expression.data.folder import list_md5, list_pictures, write_list
from facial_expression.data.synthetic import write_sample
from facial_expression.params import Download, load_params
from stages._stage import PICTURES, RAW, WORKSPACE, pictures_source, run_stage


def main() -> None:
    parser = argparse.ArgumentParser(description="Get the pixel CSV")
    parser.add_argument("--check", action="store_true", help="only check that an archive holds the CSV of download.md5")
    check = parser.parse_args().check
    params = load_params()
    download = params.download
    if download.dataset == "folder":
        _list(download, check)
    elif download.dataset == "synthetic":
        if not check:
            write_sample(RAW, download.synthetic_faces, download.synthetic_seed, params.runtime.workers)
    elif archive := os.environ.get("FER2013_ARCHIVE") or download.archive:
        _unpack(archive, download, check)
    elif not check:
        _fetch(download)


def _list(download: Download, check: bool) -> None:
    source = pictures_source(download)
    pictures = list_pictures(source)
    if (md5 := list_md5(pictures)) != download.md5:
        raise DownloadError(
            f"{source} holds other pictures, {len(pictures):,}, than params.yaml names: set download.md5, now "
            f"{download.md5}, to {md5} to use them"
        )
    if not check:
        write_list(PICTURES, pictures)


def _unpack(archive: str, download: Download, check: bool) -> None:
    path = Path(archive).expanduser()
    if not check:
        unpack_csv(path, RAW, download.md5)
    elif (md5 := csv_md5(path)) != download.md5:
        raise DownloadError(
            f"{archive} holds another CSV than params.yaml names: set download.md5, now {download.md5}, to "
            f"{md5} to use it, or unset FER2013_ARCHIVE"
        )


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
