"""Parquet files, made of JSON lines; needs the extra ``parquet``."""

import json
from collections.abc import Sequence
from itertools import islice
from pathlib import Path

from facial_expression.errors import UserError
from facial_expression.files import atomic_write

try:
    import pyarrow as arrow
    from pyarrow.parquet import ParquetWriter
except ModuleNotFoundError as error:
    raise UserError("Parquet needs PyArrow: pip install 'facial-expression[parquet]'") from error

_ROWS = 50_000  # of a row group, which is in memory as a whole

_TYPES = {
    "file": arrow.string(),
    "frame": arrow.int64(),
    "person": arrow.int64(),
    "emotion": arrow.string(),
    "uncertain": arrow.bool_(),
}


def write_parquet(lines: Path, path: Path, columns: Sequence[str]) -> None:
    """Write the rows of a file of JSON lines (:func:`facial_expression.cli.tables.json_lines`) as Parquet.

    Args:
        lines: the file to read.
        path: the file to write; written completely or not at all.
        columns: their names; the same columns as in the lines.
    """
    schema = arrow.schema([(name, _TYPES.get(name, arrow.float64())) for name in columns])
    with atomic_write(path) as temporary, open(lines, "rb") as file, ParquetWriter(temporary, schema) as writer:
        while rows := [json.loads(line) for line in islice(file, _ROWS)]:
            writer.write_table(arrow.Table.from_pylist(rows, schema))
