"""Small arrays as tables, for CSV files that people and plots can read."""

from collections.abc import Sequence

import numpy as np
import pandas as pd


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
