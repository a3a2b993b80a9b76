"""Read FER2013's CSV files, strictly and in blocks of rows.

One row is one picture: its emotion as a code from 0 to 6, its gray levels row by row, separated by
single spaces, and in most files its usage. Three dialects are in circulation:

``emotion,pixels,Usage``
    fer2013.csv, the whole set.
``emotion,pixels``
    train.csv of the competition: every row is Training.
``emotion, Usage, pixels``
    icml_face_data.csv: the whole set again, with spaces in the header.

Columns may come in any order, fields may be in double quotes, lines may end in LF or CRLF, the file may begin with a
byte order mark, and the last line needs no line end. Everything else is an error that names file, line and reason.

Python splits each row into its fields, and numpy parses the pixels of a whole block at once. Joined by spaces, they are
one array of digits and single spaces. At its last digit, a number is that digit plus 10 times the previous one plus 100
times the one before, where a space counts as zero and hides what precedes it. So two shifted additions compute all
numbers, and the positions of the spaces tell which sums to keep. The same arrays reveal a fault in the block; only then
does slow code search its lines for the first one.
"""

from collections.abc import Iterator, Sequence
from functools import partial
from itertools import islice
from os import fstat
from pathlib import Path
from typing import BinaryIO

import numpy as np
import pandas as pd
from tqdm import tqdm

from facial_expression.data.face_table import USAGES, FaceTable
from facial_expression.emotions import EMOTIONS
from facial_expression.errors import UserError

_EMOTIONS = {str(emotion.code).encode(): emotion.name for emotion in EMOTIONS}
_USAGES = {usage.encode(): usage for usage in USAGES}
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_LONGEST_LINE = 1 << 20  # bytes after which a line is given up: a file without line ends must not fill the memory


class PixelCsvError(UserError):
    """The file is not a FER2013 CSV; the message names the file, the line (from 1) and the reason."""


def read_pixel_csv(path: str | Path, size: int = 48, progress: bool = True, block_rows: int = 16) -> FaceTable:
    """Read a CSV file of FER2013 in any of its dialects.

    Args:
        path: the CSV file.
        size: width and height of the pictures in pixels, at most 500.
        progress: show a bar on the terminal if reading takes more than a second.
        block_rows: rows parsed at once; it does not change the result. Much larger blocks are slower, since the system
            allocates their arrays anew each time.

    Returns:
        The rows in the order of the file: images uint8, shape (N, size, size); columns ``row`` (0-based, without the
        header), ``emotion`` (name) and ``usage``.

    Raises:
        PixelCsvError: the file cannot be read or is in none of the dialects. A file truncated right after a line
            cannot be told from a complete one.
    """
    try:
        with (
            open(path, "rb", buffering=1 << 20) as file,
            tqdm(
                desc=f"Reading {Path(path).name}",
                total=fstat(file.fileno()).st_size,
                unit="B",
                unit_scale=True,
                delay=1,
                disable=not progress,
            ) as bar,
        ):
            return _read_table(file, path, size, block_rows, bar)
    except FileNotFoundError:
        raise PixelCsvError(f"{path}: no such file") from None
    except OSError as error:
        raise PixelCsvError(f"{path}: cannot be read ({error.strerror})") from error


def _read_table(file: BinaryIO, path: str | Path, size: int, block_rows: int, bar: tqdm) -> FaceTable:
    columns = _parse_header(file.readline(_LONGEST_LINE), path)
    emotions: list[str] = []
    usages: list[str] = []
    images: list[np.ndarray] = []
    for lines in _blocks(file, block_rows):
        block = _parse_block(lines, columns, size)
        if block is None:
            index, reason = _first_fault(lines, columns, size)
            raise PixelCsvError(f"{path}, line {2 + len(emotions) + index}: {reason}")
        emotions += block[0]
        usages += block[1]
        images.append(block[2])
        bar.update(sum(map(len, lines)))
    if not emotions:
        raise PixelCsvError(f"{path}, line 1: no rows after the header")
    faces = pd.DataFrame({"row": np.arange(len(emotions)), "emotion": emotions, "usage": usages})
    return FaceTable(np.concatenate(images), faces)


def _blocks(file: BinaryIO, block_rows: int) -> Iterator[list[bytes]]:
    lines = iter(partial(file.readline, _LONGEST_LINE), b"")
    while block := list(islice(lines, block_rows)):
        yield block


def _parse_header(line: bytes, path: str | Path) -> list[str]:
    """The columns in the order of the file: "emotion", "pixels" and, in most files, "usage"."""
    line = line.removeprefix(_BYTE_ORDER_MARK)
    names = [field.decode("latin-1").lower() for field in _split_row(line)]
    missing = [name for name in ("emotion", "pixels") if name not in names]
    if not line:
        reason = "the file is empty"
    elif b"\0" in line:
        reason = "NUL byte: the file is damaged or not in UTF-8"
    elif names == ["pixels"]:
        reason = "no column 'emotion': pictures without labels (test.csv of the competition) cannot be used"
    elif sorted(names) not in (["emotion", "pixels"], ["emotion", "pixels", "usage"]):
        fault = f"no column {missing[0]!r}" if missing else "unknown or repeated column"
        reason = f"{fault} in the header {_shown(line.strip())}, expected 'emotion,pixels,Usage' or 'emotion,pixels'"
    elif not line.endswith(b"\n"):
        reason = "no rows after the header"
    else:
        return names
    raise PixelCsvError(f"{path}, line 1: {reason}")


def _split_row(line: bytes) -> list[bytes]:
    """The fields of a line, without line end, spaces around them and double quotes."""
    fields = [field.strip(b" ") for field in line.rstrip(b"\r\n").split(b",")]
    return [field[1:-1] if len(field) > 1 and field[:1] == field[-1:] == b'"' else field for field in fields]


def _parse_block(lines: list[bytes], columns: list[str], size: int) -> tuple[list[str], list[str], np.ndarray] | None:
    """Emotions, usages and images of the rows, or None if anything is wrong with any of them."""
    rows = [_split_row(line) for line in lines]
    if any(len(row) != len(columns) for row in rows) or max(map(len, lines)) == _LONGEST_LINE:
        return None
    fields = dict(zip(columns, zip(*rows, strict=True), strict=True))
    images = _parse_pixels(fields["pixels"], size)
    try:
        emotions = [_EMOTIONS[field] for field in fields["emotion"]]
        usages = [_USAGES[field] for field in fields.get("usage", [b"Training"] * len(rows))]
    except KeyError:
        return None
    return None if images is None else (emotions, usages, images)


def _parse_pixels(fields: Sequence[bytes], size: int) -> np.ndarray | None:
    """The images, uint8 of shape (N, size, size), or None if a field is not ``size`` squared numbers from 0 to 255."""
    # A space ends each number; the two in front give the first number places for a ten and a hundred.
    text = np.frombuffer(b" ".join([b"", b"", *fields, b""]), np.uint8)
    is_digit = text != ord(" ")
    spaces = np.flatnonzero(~is_digit)[1:]
    field_ends = 1 + np.cumsum([len(field) + 1 for field in fields])
    if len(spaces) != 1 + len(fields) * size**2 or not np.array_equal(spaces[size**2 :: size**2], field_ends):
        return None
    steps = np.diff(spaces)
    digits = text - ord("0")  # bytes below "0" wrap around to large values
    digits *= is_digit
    if steps.min() < 2 or steps.max() > 4 or digits.max() > 9:
        return None
    sums = (digits[:-2] * is_digit[1:-1]).astype(np.uint16)  # sums[i] belongs to the digit text[i + 2]
    sums *= 100
    sums += digits[1:-1] * 10
    sums += digits[2:]
    numbers = sums[spaces[1:] - 3]
    return None if numbers.max() > 255 else numbers.astype(np.uint8).reshape(-1, size, size)


def _first_fault(lines: list[bytes], columns: list[str], size: int) -> tuple[int, str]:
    """Index and description of the first faulty line of a block that :func:`_parse_block` refused."""
    faults = ((index, _row_fault(line, columns, size)) for index, line in enumerate(lines))
    index, reason = next((index, reason) for index, reason in faults if reason)
    if len(lines[index]) < _LONGEST_LINE and not lines[index].endswith(b"\n"):
        reason += "; the file ends in this line, it may have been cut off"
    return index, reason


def _row_fault(line: bytes, columns: list[str], size: int) -> str | None:
    if len(line) == _LONGEST_LINE:
        return "more than a million bytes without a line end"
    if b"\0" in line:
        return "NUL byte: the file is damaged"
    if not line.strip():
        return "blank line"
    fields = _split_row(line)
    if len(fields) != len(columns):
        return f"{len(fields)} columns, expected {len(columns)} ({', '.join(columns)})"
    row = dict(zip(columns, fields, strict=True))
    if row["emotion"] not in _EMOTIONS:
        return f"unknown emotion {_shown(row['emotion'])}, expected a code from 0 to {len(EMOTIONS) - 1}"
    if row.get("usage", b"Training") not in _USAGES:
        return f"unknown usage {_shown(row['usage'])}, expected {', '.join(USAGES)}"
    return _pixel_fault(row["pixels"], size)


def _pixel_fault(field: bytes, size: int) -> str | None:
    numbers = field.split(b" ")
    count = len(numbers) - numbers.count(b"")
    if count != size**2:
        return f"{count} pixels, expected {size**2} ({size} x {size})"
    for place, number in enumerate(numbers, 1):
        if not number:
            return f"pixel {place} is empty, expected one space between pixels"
        if not number.isdigit() or len(number) > 3 or int(number) > 255:
            return f"pixel {place} is {_shown(number)}, expected a whole number from 0 to 255"
    return None


def _shown(field: bytes) -> str:
    """A field as it can stand in a message: short, quoted, printable."""
    return repr(field[:40]).removeprefix("b") + ("..." if len(field) > 40 else "")
