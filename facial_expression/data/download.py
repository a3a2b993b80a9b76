"""FER2013's CSV, from an archive on disk or from Kaggle, verified by its MD5."""

import gzip
import hashlib
import os
import shutil
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path, PureWindowsPath
from tempfile import TemporaryFile
from typing import IO, cast
from unittest import mock

import kagglehub
import requests
from kagglehub.exceptions import DataCorruptionError
from tqdm import tqdm

from facial_expression.errors import UserError
from facial_expression.files import atomic_write, remove

CSV_NAME = "fer2013.csv"
ARCHIVES = (".tar.gz", ".tgz", ".tar", ".zip")
SUFFIXES = (".csv", ".csv.gz", *ARCHIVES)

_PREFERRED = (CSV_NAME, "fer2013", "fer2013.tar.gz", "fer2013.zip", f"{CSV_NAME}.gz", "icml_face_data.csv", "train.csv")
"""What an archive may hold the CSV as, the first that is there. Kaggle's competition has the third and the last two."""

_CHUNK = 2**20
_TAR_MAGIC = slice(257, 262)  # of its first bytes
_DAMAGED = (EOFError, gzip.BadGzipFile, RuntimeError, tarfile.TarError, zipfile.BadZipFile, zlib.error)


class DownloadError(UserError):
    """FER2013's CSV could not be obtained; the message names the source, the fault and what to do."""


def unpack_csv(archive: str | Path, destination: str | Path, md5: str | None) -> None:
    """Copy FER2013's CSV from ``archive`` to ``destination``, which is written completely and verified or not at all.

    Args:
        archive: the CSV itself (``.csv``), or a ``.csv.gz``, ``.tar.gz``, ``.tgz``, ``.tar`` or ``.zip`` with a
            ``fer2013.csv`` in any folder, or with such an archive; without a suffix, its first bytes decide. Of other
            archives, ``icml_face_data.csv``, ``train.csv`` or the only CSV is taken.
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
def _open_csv(archive: Path) -> Iterator[tuple[IO[bytes], int | None]]:
    """The CSV of an archive as a stream, and its size in bytes, if it is known."""
    if archive.suffix and not archive.name.lower().endswith(SUFFIXES):
        raise DownloadError(f"{archive} is none of {', '.join(SUFFIXES)}: give {CSV_NAME} or an archive that holds it")
    if not archive.is_file():
        raise DownloadError(f"{archive} is missing or not a file: give {CSV_NAME} or an archive that holds it")
    with ExitStack() as stack:
        try:
            source = stack.enter_context(_open_member(archive, stack.enter_context(archive.open("rb")), archive.name))
        except (OSError, *_DAMAGED) as error:
            raise _damaged(archive, error) from error
        yield source


@contextmanager
def _open_member(archive: Path, file: IO[bytes], name: str) -> Iterator[tuple[IO[bytes], int | None]]:
    """The CSV in an open file called ``name``: in ``archive`` itself, or in an archive that it holds."""
    kind = _kind(file, name.lower())
    with ExitStack() as stack:
        if kind == "csv":
            size = file.seek(0, os.SEEK_END)
            file.seek(0)
            yield file, size
        elif kind == "csv.gz":
            yield cast(IO[bytes], stack.enter_context(gzip.open(file))), None
        elif kind == "zip":
            zipped = stack.enter_context(zipfile.ZipFile(file))
            wanted = _choose(archive, [name for name in zipped.namelist() if not name.endswith("/")])
            member = stack.enter_context(zipped.open(wanted))
            yield stack.enter_context(_open_nested(archive, member, wanted, zipped.getinfo(wanted).file_size))
        else:
            stream = file if kind == "tar" else cast(IO[bytes], stack.enter_context(gzip.open(file)))
            tar = stack.enter_context(tarfile.open(fileobj=stream, mode="r:"))
            info = tar.getmember(_choose(archive, [entry.name for entry in tar if entry.isreg()]))
            while stream.read(_CHUNK):
                pass  # to the end, where the checksum is
            found = tar.extractfile(info)
            assert found is not None  # as for every regular file
            yield stack.enter_context(_open_nested(archive, found, info.name, info.size))


@contextmanager
def _open_nested(archive: Path, member: IO[bytes], name: str, size: int) -> Iterator[tuple[IO[bytes], int | None]]:
    """The CSV in a member of an archive: the member itself, or else the CSV of a copy of it on disk."""
    if name.lower().endswith(".csv"):
        yield member, size
        return
    with TemporaryFile() as copy:
        shutil.copyfileobj(member, copy, _CHUNK)
        copy.seek(0)
        with _open_member(archive, cast(IO[bytes], copy), name) as csv:
            yield csv


def _kind(file: IO[bytes], name: str) -> str:
    """csv, csv.gz, zip, tar or tar.gz: by the name's suffix, or without one by the first bytes."""
    for suffix, kind in ((".csv", "csv"), (".zip", "zip"), (".tar", "tar"), (".tar.gz", "tar.gz"), (".tgz", "tar.gz")):
        if name.endswith(suffix):
            return kind
    start = file.read(_TAR_MAGIC.stop)
    file.seek(0)
    if start.startswith(b"PK\3\4"):
        return "zip"
    if not start.startswith(b"\x1f\x8b"):
        return "tar" if start[_TAR_MAGIC] == b"ustar" else "csv"
    with gzip.open(file) as stream:
        is_tar = stream.read(_TAR_MAGIC.stop)[_TAR_MAGIC] == b"ustar"
    file.seek(0)
    return "tar.gz" if is_tar else "csv.gz"


def _read_chunks(source: IO[bytes], archive: Path, total: int | None) -> Iterator[bytes]:
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


def _choose(archive: Path, names: list[str]) -> str:
    """The one name that is the CSV or holds it."""
    paths = {name: PureWindowsPath(name) for name in names}  # knows both kinds of slashes
    files = {name: path.name for name, path in paths.items() if "__MACOSX" not in path.parts}
    csvs = [name for name, file in files.items() if file.lower().endswith(".csv")]
    for wanted in _PREFERRED:
        found = [name for name, file in files.items() if file == wanted]
        if len(found) > 1:
            raise DownloadError(f"{archive} holds more than one {wanted}: extract the right one and give that")
        if found:
            return found[0]
    if len(csvs) != 1:
        listing = ", ".join(names[:5]) + (f" and {len(names) - 5} more" if len(names) > 5 else "")
        raise DownloadError(f"{archive} holds no {CSV_NAME}, but {listing or 'nothing'}: use an archive that holds it")
    return csvs[0]


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
