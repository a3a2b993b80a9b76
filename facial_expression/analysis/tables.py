"""Tables on disk, and small arrays as tables that people and plots can read."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from facial_expression.errors import UserError


def read_table(path: str | Path, columns: Sequence[str], made_by: str) -> pd.DataFrame:
    """Read a CSV file.

    Args:
        path: the file.
        columns: that it must have.
        made_by: the command that writes it, for the error message.

    Raises:
        UserError: the file is missing, is no table, or lacks a column.
    """
    try:
        table = pd.read_csv(path, keep_default_na=False, na_values=[""])
    except FileNotFoundError:
        raise UserError(f"{path} is missing: run `{made_by}`") from None
    except ValueError as error:  # what pandas raises for a file that is empty, damaged or not text
        raise UserError(f"{path} is not a table ({error}): run `{made_by}`") from error
    missing = [column for column in columns if column not in table]
    if missing:
        raise UserError(f"{path} lacks the column {missing[0]!r}: run `{made_by}`")
    return table


def to_table(arrays: np.ndarray, names: Sequence[str | int], name: str, value: str) -> pd.DataFrame:
    """Several matrices as one table with the columns ``name``, ``row``, ``column`` and ``value``.

    Args:
        arrays: float, shape (len(names), rows, columns).
        names: of the matrices.
        name: column of their names.
        value: column of their entries, which keep 5 decimals.
    """
    shape = arrays.shape
    number, row, column = (index.ravel() for index in np.indices(shape))
    entries = np.asarray(arrays, np.float64).ravel().round(5) + 0.0  # no negative zero
    return pd.DataFrame({name: np.array(names)[number], "row": row, "column": column, value: entries})


def to_arrays(table: pd.DataFrame, name: str, value: str) -> dict[str, np.ndarray]:
    """The matrices of :func:`to_table` by name, in the order of the table."""
    return {
        str(key): rows.pivot(index="row", columns="column", values=value).to_numpy()
        for key, rows in table.groupby(name, sort=False)
    }
