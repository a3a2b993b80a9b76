"""FER2013's CSV, from an archive on disk or from Kaggle, verified by its MD5."""

import gzip
import hashlib
import os
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path, PureWindowsPath
from typing import IO
from unittest import mock

import kagglehub
import requests
from kagglehub.exceptions import DataCorruptionError
from tqdm import tqdm

from facial_expression.errors import UserError
from facial_expression.files import atomic_write, remove

CSV_NAME = "fer2013.csv"
ARCHIVES = (".tar.gz", ".tgz", ".zip")

_CHUNK = 2**20
_DAMAGED = (EOFError, gzip.BadGzipFile, RuntimeError, tarfile.TarError, zipfile.BadZipFile, zlib.error)


class DownloadError(UserError):
    """FER2013's CSV could not be obtained; the message names the source, the fault and what to do."""


def unpack_csv(archive: str | Path, destination: str | Path, md5: str | None) -> None:
    """Copy FER2013's CSV from ``archive`` to ``destination``, which is written completely and verified or not at all.

    Args:
        archive: the CSV itself (``.csv``), or a ``.tar.gz``, ``.tgz`` or ``.zip`` with a ``fer2013.csv`` in any folder.
        destination: the CSV to write; replaced if it exists.
        md5: expected MD5 in lower-case hexadecimal, or None to accept any content.

    Raises:
        DownloadError: the archive is missing, damaged, of an unknown kind or without the expected CSV.
        OSError: the disk refuses writing.
    """
    archive = Path(archive)
    digest, size = hashlib.md5(usedforsecurity=False), 0
    with _open_csv(archive) as (source, total), atomic_write(destination) as temporary:
        with temporary.open("wb") as output:
            for chunk in _read_chunks(source, archive, total):
                digest.update(chunk)
                size += output.write(chunk)
        if not size:
            raise DownloadError(f"{archive} holds an empty {CSV_NAME}: get the archive again")
        if md5 is not None and digest.hexdigest() != md5:
            raise DownloadError(
                f"{archive} holds another {CSV_NAME} than expected: {size:,} bytes with MD5 {digest.hexdigest()} "
                f"instead of {md5}; get it again, or set download.md5 to that MD5 if this is the file you mean"
            )


def csv_md5(archive: str | Path) -> str:
    """MD5 of the CSV in ``archive``, in lower-case hexadecimal.

    Args:
        archive: as for :func:`unpack_csv`.

    Raises:
        DownloadError: the archive is missing, damaged, of an unknown kind or without a CSV.
    """
    archive = Path(archive)
    digest = hashlib.md5(usedforsecurity=False)
    with _open_csv(archive) as (source, total):
        for chunk in _read_chunks(source, archive, total):
            digest.update(chunk)
    return digest.hexdigest()


def fetch_from_kaggle(handle: str, destination: str | Path, md5: str | None, workspace: str | Path) -> None:
    """Download a public Kaggle data set and copy its ``fer2013.csv`` to ``destination``, verified.

    An interrupted download resumes from ``workspace`` at the next call; a damaged or wrong one is removed.

    Args:
        handle: ``owner/name`` of a data set with one ``fer2013.csv``, plain or in an archive, in any folder.
        destination: the CSV to write; replaced if it exists.
        md5: expected MD5 in lower-case hexadecimal, or None to accept any content.
        workspace: directory for the download and nothing else; removed once the CSV is in place.

    Raises:
        DownloadError: Kaggle cannot be reached, refuses, or does not deliver the expected CSV.
        OSError: the disk refuses writing.
    """
    workspace = Path(workspace).resolve()
    try:
        # kagglehub resumes only in its cache, whose place it takes from the environment alone.
        with mock.patch.dict(os.environ, KAGGLEHUB_CACHE=str(workspace)):
            folder = kagglehub.dataset_download(handle)
        unpack_csv(_find_csv(Path(folder)), destination, md5)
    except requests.RequestException as error:
        raise DownloadError(
            f"the Kaggle data set {handle} could not be downloaded: {_reason(error)}, "
            f"or use an archive on disk that holds {CSV_NAME}"
        ) from error
    except (DataCorruptionError, ValueError, *_DAMAGED) as error:  # ValueError: kagglehub, of a file that is no archive
        remove(workspace)
        raise DownloadError(
            f"the Kaggle data set {handle} is not usable: {_one_line(error)}; "
            f"run again to download it afresh, or use an archive on disk that holds {CSV_NAME}"
        ) from error
    remove(workspace)


@contextmanager
def _open_csv(archive: Path) -> Iterator[tuple[IO[bytes], int]]:
    """The CSV of an archive as a stream, and its size in bytes."""
    if not archive.name.lower().endswith((".csv", *ARCHIVES)):
        raise DownloadError(
            f"{archive} is none of .csv, {', '.join(ARCHIVES)}: give {CSV_NAME} or an archive that holds it"
        )
    if not archive.is_file():
        raise DownloadError(f"{archive} is missing or not a file: give {CSV_NAME} or an archive that holds it")
    with ExitStack() as stack:
        try:
            source = stack.enter_context(_open_member(archive))
        except (OSError, *_DAMAGED) as error:
            raise _damaged(archive, error) from error
        yield source


@contextmanager
def _open_member(archive: Path) -> Iterator[tuple[IO[bytes], int]]:
    name = archive.name.lower()
    if name.endswith(".csv"):
        with archive.open("rb") as file:
            yield file, archive.stat().st_size
    elif name.endswith(".zip"):
        with zipfile.ZipFile(archive) as opened:
            wanted = _only(archive, [name for name in opened.namelist() if not name.endswith("/")])
            with opened.open(wanted) as member:
                yield member, opened.getinfo(wanted).file_size
    else:
        with gzip.open(archive) as stream, tarfile.open(fileobj=stream, mode="r:") as opened:
            info = opened.getmember(_only(archive, [entry.name for entry in opened if entry.isreg()]))
            while stream.read(_CHUNK):
                pass  # to the end, where the checksum is
            csv = opened.extractfile(info)
            assert csv is not None  # as for every regular file
            yield csv, info.size


def _read_chunks(source: IO[bytes], archive: Path, total: int) -> Iterator[bytes]:
    """The content of a stream under a progress bar; faults of the archive name it."""
    with tqdm(total=total, desc=CSV_NAME, unit="B", unit_scale=True, unit_divisor=1024, delay=0.5) as bar:
        while True:
            try:
                chunk = source.read(_CHUNK)
            except (OSError, *_DAMAGED) as error:
                raise _damaged(archive, error) from error
            if not chunk:
                return
            bar.update(len(chunk))
            yield chunk


def _damaged(archive: Path, error: Exception) -> DownloadError:
    return DownloadError(
        f"{archive} cannot be read; it is truncated, damaged or encrypted ({_one_line(error)}): get it again"
    )


def _only(archive: Path, names: list[str]) -> str:
    """The one name that is FER2013's CSV."""
    found = [name for name in names if PureWindowsPath(name).name == CSV_NAME]  # knows both kinds of slashes
    if not found:
        listing = ", ".join(names[:5]) + (f" and {len(names) - 5} more" if len(names) > 5 else "")
        raise DownloadError(f"{archive} holds no {CSV_NAME}, but {listing or 'nothing'}: use an archive that holds it")
    if len(found) > 1:
        raise DownloadError(f"{archive} holds more than one {CSV_NAME}: extract the right one and give that")
    return found[0]


def _find_csv(folder: Path) -> Path:
    """The one CSV, or else the one archive, among the files of a downloaded data set."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    found = [path for path in files if path.name == CSV_NAME] or [
        path for path in files if path.name.lower().endswith(ARCHIVES)
    ]
    if len(found) != 1:
        names = ", ".join(path.relative_to(folder).as_posix() for path in files[:5]) or "nothing"
        raise DownloadError(f"it must hold one {CSV_NAME} or one archive, but holds {names}")
    return found[0]


def _reason(error: requests.RequestException) -> str:
    status = getattr(error.response, "status_code", None)
    if status in (401, 403, 404):
        return f"Kaggle responded with {status}, so it has no public data set of this name; check the name"
    reason = f"Kaggle responded with {status}" if status else f"the connection failed ({_one_line(error)})"
    return f"{reason}; run again to resume"


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())
