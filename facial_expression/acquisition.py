"""FER2013's CSV, from an archive on disk or from Kaggle, checked byte for byte.

Archives are read as streams: the one wanted file is copied to a path that the caller chose, and no name, link or mode
that an archive carries ever touches the disk.
"""

import gzip
import hashlib
import os
import stat
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path, PureWindowsPath
from typing import BinaryIO
from unittest import mock

import kagglehub
import requests
from kagglehub.exceptions import DataCorruptionError
from tqdm import tqdm

from facial_expression.atomic import remove, replacing

CSV_NAME = "fer2013.csv"

# FER2013's CSV has 301,072,766 bytes. More than three times that leaves room for other data sets of its form,
# and stops a decompression bomb before it fills a disk.
LARGEST_CSV = 2**30

_CHUNK = 2**20

# What the standard library raises on archives that are cut off, altered or encrypted.
_UNREADABLE = (EOFError, RuntimeError, tarfile.TarError, ValueError, zipfile.BadZipFile, zlib.error)


class AcquisitionError(ValueError):
    """FER2013's CSV could not be obtained; the message names the source, what is wrong with it and what to do."""


def unpack_csv(archive: str | Path, destination: str | Path, md5: str | None, limit: int = LARGEST_CSV) -> None:
    """Copy FER2013's CSV out of ``archive`` to ``destination``, which appears complete and verified or not at all.

    Args:
        archive: the CSV itself (``.csv``, under any name), or a ``.tar.gz``, ``.tgz`` or ``.zip`` that holds one
            ``fer2013.csv`` in any folder.
        destination: path of the CSV to write; replaced if it exists.
        md5: expected MD5 of the CSV, 32 lower-case hexadecimal digits, or None to accept any content.
        limit: upper bound in bytes of what unpacking may yield. It is counted while reading: what an archive's headers
            say is not believed.

    Raises:
        AcquisitionError: the archive is missing, empty, cut off, altered, of an unknown kind, too large once unpacked,
            or does not hold exactly one regular file of that name, or the CSV is empty or not the expected one.
        OSError: the disk refuses reading or writing.
    """
    archive = Path(archive)
    digest, size = hashlib.md5(usedforsecurity=False), 0
    with replacing(destination) as temporary:
        with temporary.open("wb") as output:
            for chunk in _read_csv(archive, limit):
                digest.update(chunk)
                size += output.write(chunk)
        if not size:
            raise AcquisitionError(f"{archive} holds an empty {CSV_NAME}: get the archive again")
        if md5 is not None and digest.hexdigest() != md5:
            raise AcquisitionError(
                f"{archive} holds another {CSV_NAME} than expected: {size:,} bytes with MD5 {digest.hexdigest()} "
                f"instead of MD5 {md5}; get it again, or expect that MD5 if this is the file you mean"
            )


def fetch_from_kaggle(handle: str, destination: str | Path, md5: str | None, workspace: str | Path) -> None:
    """Download a Kaggle data set that holds FER2013's CSV and copy the CSV to ``destination``, verified.

    A public data set needs no account. An interrupted download stays in ``workspace``, and the next call with the same
    workspace goes on from there; a damaged or wrong one is removed, so that the next call starts afresh.

    Args:
        handle: ``owner/name`` of a Kaggle data set with one ``fer2013.csv``, plain or in an archive, in any folder.
        destination: path of the CSV to write; replaced if it exists.
        md5: expected MD5 of the CSV, 32 lower-case hexadecimal digits, or None to accept any content.
        workspace: directory for the download and nothing else; removed once the CSV is in place.

    Raises:
        AcquisitionError: Kaggle cannot be reached, refuses, or does not deliver the expected CSV.
        OSError: the disk refuses reading or writing.
    """
    workspace = Path(workspace).resolve()
    try:
        # kagglehub resumes only in its cache, and takes the cache's place from nothing but the environment.
        with mock.patch.dict(os.environ, KAGGLEHUB_CACHE=str(workspace)):
            folder = kagglehub.dataset_download(handle)
        unpack_csv(_find_csv(Path(folder)), destination, md5)
    except requests.RequestException as error:
        raise AcquisitionError(
            f"the Kaggle data set {handle} could not be downloaded: {_reason_and_advice(error)}, "
            f"or use an archive on disk that holds {CSV_NAME}"
        ) from error
    except (DataCorruptionError, *_UNREADABLE) as error:
        remove(workspace)
        raise AcquisitionError(
            f"the Kaggle data set {handle} is not usable: {_one_line(error)}; "
            f"run again to download it afresh, or use an archive on disk that holds {CSV_NAME}"
        ) from error
    remove(workspace)


def _read_csv(archive: Path, limit: int) -> Iterator[bytes]:
    """The CSV in ``archive``, chunk by chunk; every fault of the archive is an error that names it."""
    readers = {".csv": _read_plain, ".tar.gz": _read_tar, ".tgz": _read_tar, ".zip": _read_zip}
    reader = next((readers[suffix] for suffix in readers if archive.name.lower().endswith(suffix)), None)
    if reader is None:
        raise AcquisitionError(
            f"{archive} is none of {', '.join(readers)}: give {CSV_NAME} or an archive that holds it"
        )
    if not archive.is_file():
        raise AcquisitionError(f"{archive} is not there or not a file: give {CSV_NAME} or an archive that holds it")
    if not archive.stat().st_size:
        raise AcquisitionError(f"{archive} is empty: get it again")
    try:
        with archive.open("rb") as file:
            yield from reader(file, limit)
    except AcquisitionError as refusal:
        raise AcquisitionError(f"{archive} {refusal}") from None
    except (OSError, *_UNREADABLE) as error:  # OSError from reading alone: writing is the caller's
        raise AcquisitionError(
            f"{archive} cannot be read, it is cut off, damaged or encrypted ({_one_line(error)}): get it again"
        ) from error


def _read_plain(file: BinaryIO, limit: int) -> Iterator[bytes]:
    yield from _chunks(_Bounded(file, limit), os.fstat(file.fileno()).st_size)


def _read_tar(file: BinaryIO, limit: int) -> Iterator[bytes]:
    """The one wanted member of a gzipped tar, which is read through to its end, where its checksum stands."""
    with gzip.GzipFile(fileobj=file) as unzipped:
        stream = _Bounded(unzipped, limit)
        with tarfile.open(fileobj=stream, mode="r|") as tar:
            found = 0
            for member in tar:
                if member.isdir() or not _is_wanted(member.name):
                    continue
                found += 1
                _require_one(found, [])
                _require_regular(member.isreg() and not member.issparse(), member.name)
                yield from _chunks(tar.extractfile(member), member.size)
            _require_one(found, tar.getnames())
        while stream.read(_CHUNK):
            pass


def _read_zip(file: BinaryIO, limit: int) -> Iterator[bytes]:
    with zipfile.ZipFile(file) as archive:
        wanted = [info for info in archive.infolist() if not info.is_dir() and _is_wanted(info.filename)]
        _require_one(len(wanted), archive.namelist())
        (info,) = wanted
        kind = stat.S_IFMT(info.external_attr >> 16)  # zero where the archive comes from a system without modes
        plain = info.compress_type in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
        _require_regular(kind in (0, stat.S_IFREG) and plain, info.filename)
        with archive.open(info) as member:
            yield from _chunks(_Bounded(member, limit), info.file_size)


class _Bounded:
    """A readable stream that gives at most ``limit`` bytes and refuses to go on after them."""

    def __init__(self, stream: BinaryIO, limit: int):
        self._stream, self._limit, self._left = stream, limit, limit

    def read(self, size: int) -> bytes:
        data = self._stream.read(size)
        self._left -= len(data)
        if self._left < 0:
            raise AcquisitionError(
                f"unpacks to more than {self._limit:,} bytes, which FER2013 never does: get it from another source"
            )
        return data


def _chunks(source: BinaryIO | _Bounded, size: int) -> Iterator[bytes]:
    """What ``source`` gives, under a progress bar; ``size`` is for the bar alone."""
    with tqdm(total=size, desc=CSV_NAME, unit="B", unit_scale=True, unit_divisor=1024, delay=0.5) as bar:
        while chunk := source.read(_CHUNK):
            bar.update(len(chunk))
            yield chunk


def _is_wanted(name: str) -> bool:
    return PureWindowsPath(name).name == CSV_NAME  # knows both kinds of slashes


def _require_one(count: int, names: list[str]) -> None:
    if not count:
        listing = ", ".join(map(repr, names[:5])) + (f" and {len(names) - 5} more" if len(names) > 5 else "")
        raise AcquisitionError(f"holds no {CSV_NAME}, but {listing or 'nothing'}: use an archive that holds it")
    if count > 1:
        raise AcquisitionError(f"holds more than one {CSV_NAME}: take out the right one and give that")


def _require_regular(regular: bool, name: str) -> None:
    if not regular:
        raise AcquisitionError(
            f"holds {name!r} as a link or in another special form, not as a regular file: pack the file itself"
        )


def _find_csv(folder: Path) -> Path:
    """The one CSV, or else the one archive, among the files of a downloaded data set."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    found = [path for path in files if path.name == CSV_NAME]
    found = found or [path for path in files if path.name.lower().endswith((".zip", ".tar.gz", ".tgz"))]
    _require_one(len(found), [path.relative_to(folder).as_posix() for path in files])
    return found[0]


def _reason_and_advice(error: requests.RequestException) -> str:
    status = getattr(error.response, "status_code", None)
    if status in (401, 403, 404):
        return f"Kaggle answered {status}, so it has no public data set of this name; check the name"
    reason = f"Kaggle answered {status}" if status else f"the connection failed ({_one_line(error)})"
    return f"{reason}; run again to go on from what has arrived"


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())
