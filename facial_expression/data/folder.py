"""Pictures of your own: a folder with a subfolder for each class, or a CSV that lists them.

The list of pictures is a table with the columns ``file`` (path in the folder, or as in the CSV), ``label`` (as found),
``usage`` (``Training``, ``PublicTest``, ``PrivateTest``, or ``Training`` where the data says nothing) and ``md5`` (of
the file). Written as a CSV, its bytes say which data it is, wherever the folder is.
"""

import csv
import hashlib
import io
import os
from collections.abc import Iterator
from itertools import zip_longest
from pathlib import Path, PurePosixPath

import pandas as pd
from tqdm import tqdm

from facial_expression.data.usages import usage_of
from facial_expression.errors import UserError
from facial_expression.files import atomic_write

SUFFIXES = (".avif", ".bmp", ".gif", ".heic", ".jpeg", ".jpg", ".pgm", ".png", ".ppm", ".tif", ".tiff", ".webp")
"""Of the files of a folder that are taken for pictures, in lower case."""

_COLUMNS = {
    "file": ("path", "file", "filename", "image", "pth"),
    "label": ("label", "emotion", "class", "expression"),
    "usage": ("split", "usage"),
}
_LISTED = ["file", "label", "usage", "md5"]


class FolderError(UserError):
    """The folder or the CSV is not usable; the message names the file, the line where there is one, and what to do."""


def list_pictures(source: str | Path, progress: bool = True) -> pd.DataFrame:
    """List the pictures of a data set, in an order that depends on their names alone.

    Args:
        source: a folder with pictures in ``CLASS/`` or ``SPLIT/CLASS/``, of any depth, where a split is called train,
            val, test or the like; or a CSV with the columns ``path`` (absolute or from the CSV's folder on), ``label``
            and, if the data is split, ``split``.
        progress: show a progress bar.

    Raises:
        FolderError: the folder or the CSV is missing or of another form, or a file cannot be read.
    """
    source = Path(source).expanduser()
    if source.is_dir():
        rows = list(_walk(source))
    elif source.suffix.lower() == ".csv" and source.is_file():
        rows = list(_read_list(source))
    else:
        raise FolderError(
            f"{source} is missing or neither a folder nor a .csv: give an unpacked folder or a CSV that lists pictures"
        )
    if not rows:
        raise FolderError(f"{source} holds no picture: put pictures ({', '.join(SUFFIXES)}) into a folder per class")
    pictures = pd.DataFrame(rows, columns=_LISTED[:-1])
    if 0 < (unsplit := pictures["usage"] == "").sum() < len(pictures):
        file = pictures.loc[unsplit, "file"].iloc[0]
        raise FolderError(f"{source}: {file} is in no split, but others are: move it to train, val or test")
    root = pictures_root(source)
    bar = tqdm(pictures["file"], desc="check", unit="picture", delay=1, disable=not progress)
    return pictures.assign(usage=pictures["usage"].replace("", "Training"), md5=[_md5(root / file) for file in bar])


def pictures_root(source: str | Path) -> Path:
    """The folder that the files of a list lie in: the folder itself, or that of the CSV."""
    source = Path(source).expanduser()
    return source if source.is_dir() else source.parent


def write_list(path: str | Path, pictures: pd.DataFrame) -> None:
    """Write the list of pictures as a CSV."""
    with atomic_write(path) as temporary:
        temporary.write_bytes(_encode(pictures))


def read_list(path: str | Path) -> pd.DataFrame:
    """Read what :func:`write_list` wrote.

    Raises:
        FolderError: there is no such file.
    """
    try:
        text = Path(path).read_bytes().decode()
    except FileNotFoundError:
        raise FolderError(f"{path}: no such file: run `dvc repro download`") from None
    return pd.read_csv(io.StringIO(text), dtype=str, keep_default_na=False)


def list_md5(pictures: pd.DataFrame) -> str:
    """MD5 of the list as :func:`write_list` writes it, in lower-case hexadecimal."""
    return hashlib.md5(_encode(pictures), usedforsecurity=False).hexdigest()


def _walk(folder: Path) -> Iterator[tuple[str, str, str]]:
    """File, label and usage of every picture of a folder."""
    for file in _find_files(folder):
        folders = PurePosixPath(file).parts[:-1]
        labels = [part for part in folders if usage_of(part) is None]
        if not labels:
            raise FolderError(f"{folder / file} is in no folder of a class: give each class a folder with its pictures")
        usages = [usage for part in folders if (usage := usage_of(part))]
        yield file, labels[-1], usages[0] if usages else ""


def _find_files(folder: Path) -> list[str]:
    """The pictures: the first of every folder by name, then the second of every folder, and so on.

    Some stages take the first faces for a sample of all, as they can with FER2013.
    """
    by_folder = []
    for directory, folders, names in os.walk(folder, followlinks=True):
        folders[:] = sorted(name for name in folders if not name.startswith((".", "__MACOSX")))
        pictures = sorted(name for name in names if name.lower().endswith(SUFFIXES) and not name.startswith("."))
        by_folder.append([_in_utf8(Path(directory, name).relative_to(folder).as_posix()) for name in pictures])
    return [file for files in zip_longest(*by_folder) for file in files if file]


def _in_utf8(file: str) -> str:
    try:
        file.encode()
    except UnicodeEncodeError:
        name = os.fsencode(file).decode("utf-8", "backslashreplace")
        raise FolderError(f"{name}: names must be UTF-8: rename the file or its folder") from None
    return file


def _read_list(path: Path) -> Iterator[tuple[str, str, str]]:
    """File, label and usage of every row of a CSV."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.reader(file, skipinitialspace=True)
            places = _find_columns(path, next(reader, []))
            for row in reader:
                if any(row):
                    yield _parse_row(row, places, f"{path}, line {reader.line_num}")
    except (UnicodeDecodeError, csv.Error) as error:
        raise FolderError(f"{path} cannot be read: save it as CSV in UTF-8 ({error})") from error


def _find_columns(path: Path, header: list[str]) -> dict[str, int]:
    names = [name.strip().lower() for name in header]
    found = {column: [alias for alias in aliases if alias in names] for column, aliases in _COLUMNS.items()}
    places = {column: names.index(aliases[0]) for column, aliases in found.items() if aliases}
    missing = [column for column in ("file", "label") if column not in places]
    if missing:
        raise FolderError(
            f"{path}, line 1: no column {_COLUMNS[missing[0]][0]!r} in the header {','.join(header)!r}, "
            f"expected path,label or path,label,split"
        )
    return places


def _parse_row(row: list[str], places: dict[str, int], where: str) -> tuple[str, str, str]:
    if len(row) <= max(places.values()):
        raise FolderError(f"{where}: {len(row)} columns, expected {1 + max(places.values())}")
    file, label, split = (row[places[column]].strip() if column in places else "" for column in _LISTED[:-1])
    if not file or not label:
        raise FolderError(f"{where}: no {'path' if label else 'label'}")
    usage = usage_of(split)
    if split and usage is None:
        raise FolderError(f"{where}: unknown split {split!r}, expected train, val or test")
    return file, label, usage or ""


def _md5(path: Path) -> str:
    try:
        return hashlib.md5(path.read_bytes(), usedforsecurity=False).hexdigest()
    except OSError as error:
        raise FolderError(f"{path} cannot be read ({error.strerror}): correct or remove it") from error


def _encode(pictures: pd.DataFrame) -> bytes:
    return pictures[_LISTED].to_csv(index=False, lineterminator="\n").encode()
