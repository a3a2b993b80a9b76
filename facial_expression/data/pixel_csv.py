"""Read CSV files of pixels, FER2013's and those like it, strictly and in blocks of rows.

One row is one picture: its label, its gray levels row by row (or its red, green and blue ones, pixel by pixel),
separated by single spaces, and in most files its usage. Three dialects of FER2013 are in circulation:

``emotion,pixels,Usage``
    fer2013.csv, the whole set.
``emotion,pixels``
    train.csv of the competition: every row is Training.
``emotion, Usage, pixels``
    icml_face_data.csv: the whole set again, with spaces in the header.

Labels are codes or names (:mod:`facial_expression.data.labels`), and usages have any of their usual names
(:mod:`facial_expression.data.usages`). Columns may come in any order, also as ``label`` and ``split``, and beside an
index. Fields may be in double quotes, lines may end in LF or CRLF, the file may begin with a byte order mark and end in
blank lines, and the last line needs no line end. Everything else is an error that names file, line and reason.

Python splits each row into its fields, and numpy parses the pixels of a whole block at once. Joined by spaces, they are
one array of digits and single spaces. At its last digit, a number is that digit plus 10 times the previous one plus 100
times the one before, where a space counts as zero and hides what precedes it. So two shifted additions compute all
numbers, and the positions of the spaces tell which sums to keep. The same arrays reveal a fault in the block; only then
does slow code search its lines for the first one.
"""

from collections.abc import Callable, Iterator, Sequence
from functools import cache, partial
from itertools import islice
from math import isqrt
from os import fstat
from pathlib import Path
from typing import BinaryIO, NamedTuple

import cv2
import numpy as np
import pandas as pd
from tqdm import tqdm

from facial_expression.data.face_table import USAGES, FaceTable
from facial_expression.data.labels import LabelError, Labels
from facial_expression.data.usages import usage_of
from facial_expression.errors import UserError

_COLUMNS = {
    **{name: name for name in ("emotion", "pixels", "usage")},
    **{"label": "emotion", "split": "usage"},
    **dict.fromkeys(("", "unnamed: 0", "index", "id"), "index"),
}
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_LEAST_SIZE = 24  # of decode.size in params.yaml
_MOST_BLANK_LINES = 100  # at the end of the file
_LONGEST_LINE = 1 << 20  # bytes after which a line is given up: a file without line ends must not fill the memory


class PixelCsvError(UserError):
    """The file is no CSV of pixels; the message names the file, the line (from 1) and the reason."""


class _Form(NamedTuple):
    """What all rows of a file have in common.

    Attributes:
        columns: in the order of the file: "emotion", "pixels", in most files "usage", and perhaps "index".
        size: width and height of the pictures in pixels.
        channels: numbers per pixel, 1 (gray) or 3 (red, green, blue).
        class_of: the class of a label, or None if its rows are left out; raises LabelError.
    """

    columns: list[str]
    size: int
    channels: int
    class_of: Callable[[bytes], str | None]

    @property
    def numbers(self) -> int:
        """How many numbers a row has."""
        return self.size**2 * self.channels


def read_pixel_csv(
    path: str | Path, size: int = 48, labels: Labels | None = None, progress: bool = True, block_rows: int = 16
) -> FaceTable:
    """Read a CSV file of pixels.

    Args:
        path: the CSV file.
        size: width and height of the pictures in pixels, at most 224.
        labels: the class of each label; by default the codes and names of FER2013's emotions.
        progress: show a bar on the terminal if reading takes more than a second.
        block_rows: rows parsed at once; it does not change the result. Much larger blocks are slower, since the system
            allocates their arrays anew each time.

    Returns:
        The rows in the order of the file, except those whose label has no class: images uint8, shape (N, size, size);
        columns ``row`` (0-based, without the header), ``emotion`` (class) and ``usage``.

    Raises:
        PixelCsvError: the file cannot be read or is of another form. A file truncated right after a line cannot be told
            from a complete one.
    """
    labels = labels or Labels()
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
            return _read_table(file, path, size, labels, block_rows, bar)
    except FileNotFoundError:
        raise PixelCsvError(f"{path}: no such file") from None
    except OSError as error:
        raise PixelCsvError(f"{path}: cannot be read ({error.strerror})") from error


def _read_table(file: BinaryIO, path: str | Path, size: int, labels: Labels, block_rows: int, bar: tqdm) -> FaceTable:
    columns = _parse_header(file.readline(_LONGEST_LINE), path)
    form = _Form(columns, size, 1, cache(lambda field: labels.class_of(field.decode("utf-8", "replace"))))
    emotions: list[str | None] = []
    usages: list[str] = []
    images: list[np.ndarray] = []
    for lines in _blocks(file, block_rows):
        if not emotions and _count_numbers(lines[0], columns) == 3 * size**2:
            form = form._replace(channels=3)
        block = _parse_block(lines, form)
        if block is None:
            index, reason = _first_fault(lines, form)
            raise PixelCsvError(f"{path}, line {2 + len(emotions) + index}: {reason}")
        emotions += block[0]
        usages += block[1]
        images.append(block[2])
        bar.update(sum(map(len, lines)))
    if not any(emotions):
        fault = ": the labels of all rows are left out" if emotions else ", line 1: no rows after the header"
        raise PixelCsvError(f"{path}{fault}")
    faces = pd.DataFrame({"row": np.arange(len(emotions)), "emotion": emotions, "usage": usages})
    kept = faces["emotion"].notna().to_numpy()
    pictures = np.concatenate(images)
    if not kept.all():
        pictures, faces = pictures[kept], faces[kept].reset_index(drop=True)
    return FaceTable(pictures, faces, all_classes=labels.classes)


def _blocks(file: BinaryIO, block_rows: int) -> Iterator[list[bytes]]:
    """The lines of the file but for blank ones at its end."""
    lines = iter(partial(file.readline, _LONGEST_LINE), b"")
    blank: list[bytes] = []
    while block := list(islice(lines, block_rows)):
        block = blank + block
        end = next((place for place in range(len(block), 0, -1) if block[place - 1].strip()), 0)
        if len(block) - end > _MOST_BLANK_LINES:
            end = len(block)
        block, blank = block[:end], block[end:]
        if block:
            yield block


def _parse_header(line: bytes, path: str | Path) -> list[str]:
    """The columns in the order of the file, by their names in :class:`_Form`."""
    line = line.removeprefix(_BYTE_ORDER_MARK)
    fields = [field.decode("latin-1").lower() for field in _split_row(line)]
    names = [_COLUMNS.get(field, field) for field in fields]
    missing = [name for name in ("emotion", "pixels") if name not in names]
    if not line:
        reason = "the file is empty"
    elif b"\0" in line:
        reason = "NUL byte: the file is damaged or not in UTF-8"
    elif names == ["pixels"]:
        reason = "no column 'emotion': pictures without labels (test.csv of the competition) cannot be used"
    elif sorted({*names} - {"index"}) not in (["emotion", "pixels"], ["emotion", "pixels", "usage"]) or len(
        {*names}
    ) < len(names):
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


def _count_numbers(line: bytes, columns: list[str]) -> int:
    fields = _split_row(line)
    return 1 + fields[columns.index("pixels")].count(b" ") if len(fields) == len(columns) else 0


def _parse_block(lines: list[bytes], form: _Form) -> tuple[list[str | None], list[str], np.ndarray] | None:
    """Emotions, usages and images of the rows, or None if anything is wrong with any of them."""
    rows = [_split_row(line) for line in lines]
    if any(len(row) != len(form.columns) for row in rows) or max(map(len, lines)) == _LONGEST_LINE:
        return None
    fields = dict(zip(form.columns, zip(*rows, strict=True), strict=True))
    images = _parse_pixels(fields["pixels"], form)
    try:
        emotions = [form.class_of(field) for field in fields["emotion"]]
    except LabelError:
        return None
    usages = [usage for field in fields.get("usage", [b"Training"] * len(rows)) if (usage := _usage_of(field))]
    return None if images is None or len(usages) < len(rows) else (emotions, usages, images)


@cache
def _usage_of(field: bytes) -> str | None:
    return usage_of(field.decode("latin-1"))


def _parse_pixels(fields: Sequence[bytes], form: _Form) -> np.ndarray | None:
    """The images, uint8 of shape (N, size, size), or None if a field is not as many numbers from 0 to 255."""
    # A space ends each number; the two in front give the first number places for a ten and a hundred.
    text = np.frombuffer(b" ".join([b"", b"", *fields, b""]), np.uint8)
    is_digit = text != ord(" ")
    spaces = np.flatnonzero(~is_digit)[1:]
    field_ends, count = 1 + np.cumsum([len(field) + 1 for field in fields]), form.numbers
    if len(spaces) != 1 + len(fields) * count or not np.array_equal(spaces[count::count], field_ends):
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
    return None if numbers.max() > 255 else _to_gray(numbers.astype(np.uint8), form)


def _to_gray(numbers: np.ndarray, form: _Form) -> np.ndarray:
    if form.channels == 3:
        numbers = cv2.cvtColor(numbers.reshape(-1, form.size, 3), cv2.COLOR_RGB2GRAY)
    return numbers.reshape(-1, form.size, form.size)


def _first_fault(lines: list[bytes], form: _Form) -> tuple[int, str]:
    """Index and description of the first faulty line of a block that :func:`_parse_block` refused."""
    faults = ((index, _row_fault(line, form)) for index, line in enumerate(lines))
    index, reason = next((index, reason) for index, reason in faults if reason)
    if len(lines[index]) < _LONGEST_LINE and not lines[index].endswith(b"\n"):
        reason += "; the file ends in this line, it may have been cut off"
    return index, reason


def _row_fault(line: bytes, form: _Form) -> str | None:
    if len(line) == _LONGEST_LINE:
        return "more than a million bytes without a line end"
    if b"\0" in line:
        return "NUL byte: the file is damaged"
    if not line.strip():
        return "blank line"
    fields = _split_row(line)
    if len(fields) != len(form.columns):
        return f"{len(fields)} columns, expected {len(form.columns)} ({', '.join(form.columns)})"
    row = dict(zip(form.columns, fields, strict=True))
    try:
        form.class_of(row["emotion"])
    except LabelError as error:
        return str(error)
    if _usage_of(row.get("usage", b"Training")) is None:
        return f"unknown usage {_shown(row['usage'])}, expected {', '.join(USAGES)} or train, val, test"
    return _pixel_fault(row["pixels"], form)


def _pixel_fault(field: bytes, form: _Form) -> str | None:
    numbers = field.split(b" ")
    count = len(numbers) - numbers.count(b"")
    if count != form.numbers:
        expected = " x ".join(["", *[str(form.size)] * 2, *["3"] * (form.channels == 3)])[3:]
        return f"{count} pixels, expected {form.numbers} ({expected}){_size_hint(count)}"
    for place, number in enumerate(numbers, 1):
        if not number:
            return f"pixel {place} is empty, expected one space between pixels"
        if not number.isdigit() or len(number) > 3 or int(number) > 255:
            return f"pixel {place} is {_shown(number)}, expected a whole number from 0 to 255"
    return None


def _size_hint(count: int) -> str:
    """What to do about a number of pixels that is that of another picture."""
    sides = (isqrt(count // channels) for channels in (1, 3) if count % channels == 0)
    side = next((side for side in sides if side >= _LEAST_SIZE and count in (side**2, 3 * side**2)), None)
    return (
        f"; if all pictures are of {side} x {side}, set decode.size and align.size to {side} in params.yaml"
        if side
        else ""
    )


def _shown(field: bytes) -> str:
    """A field as it can stand in a message: short, quoted, printable."""
    return repr(field[:40]).removeprefix("b") + ("..." if len(field) > 40 else "")
