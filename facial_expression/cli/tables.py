"""The table of faces: its rows, and the formats that it is written in."""

import csv
import io
import json
import os
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, NamedTuple

from facial_expression.cli.pictures import Picture, shown_name
from facial_expression.recognizer import Recognition

COLUMNS = ("file", "frame", "time", "person", "left", "top", "width", "height", "score", "emotion", "uncertain")
"""All columns but the probabilities, whose columns have the names of the classes."""

Row = list[Any]


def make_rows(
    picture: Picture, faces: Sequence[Recognition], people: Sequence[int], classes: Sequence[str]
) -> list[Row]:
    """One row per face, or a single one whose columns after ``time`` are None.

    Args:
        picture: where the faces are.
        faces: in any order.
        people: the number of each face's person.
        classes: the emotions in the order of their columns.
    """
    name = shown_name(picture.file).replace(os.sep, "/")
    where = [name, picture.frame, None if picture.time is None else round(picture.time, 3)]
    rows = [[*where, person, *_describe(face, classes)] for face, person in zip(faces, people, strict=True)]
    return rows or [where + [None] * (len(COLUMNS) - len(where) + len(classes))]


def _describe(face: Recognition, classes: Sequence[str]) -> Row:
    """The columns from ``left`` on: pixels to a hundredth, scores and probabilities to four decimals."""
    probabilities = [round(face.probabilities[name], 4) for name in classes]
    box = [round(length, 2) for length in face.box]
    return [*box, round(face.score, 4), face.emotion, face.uncertain, *probabilities]


class LineFormat(NamedTuple):
    """How rows become the lines of a file: what comes before them, and each of them."""

    header: bytes
    line: Callable[[Row], bytes]


def csv_lines(columns: Sequence[str]) -> LineFormat:
    """CSV: numbers as they are, nothing for None, true and false."""
    return LineFormat(_csv_line(columns), _csv_line)


def json_lines(columns: Sequence[str]) -> LineFormat:
    """One JSON object per row."""
    return LineFormat(b"", partial(_json_line, columns))


def text_lines(columns: Sequence[str]) -> LineFormat:
    """What people read in a terminal: one line per face, with its emotion and the probability of that."""
    return LineFormat(b"", partial(_text_line, columns))


def _csv_line(row: Sequence[Any]) -> bytes:
    text = io.StringIO()
    values = [str(value).lower() if isinstance(value, bool) else value for value in row]
    csv.writer(text).writerow(values)  # with its own line end, both characters of a line end are quoted in values
    return text.getvalue().removesuffix("\r\n").encode() + b"\n"


def _json_line(columns: Sequence[str], row: Row) -> bytes:
    return json.dumps(dict(zip(columns, row, strict=True)), ensure_ascii=False).encode() + b"\n"


def _text_line(columns: Sequence[str], row: Row) -> bytes:
    face = dict(zip(columns, row, strict=True))
    where = face["file"] if face["time"] is None else f"{face['file']} {face['time']:.2f} s"
    if face["emotion"] is None:
        return f"{where}  no face\n".encode()
    box = f"{face['width']:.0f}x{face['height']:.0f} at {face['left']:.0f},{face['top']:.0f}"
    doubt = "  uncertain" if face["uncertain"] else ""
    share = face[face["emotion"]]
    return f"{where}  {face['person']}  {face['emotion']:<8} {share:4.0%}  {box}{doubt}\n".encode(errors="replace")
