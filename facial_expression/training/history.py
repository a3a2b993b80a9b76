"""What the history of a training says about its validation accuracy."""

import pandas as pd


def best_validation(history: pd.DataFrame) -> dict[str, float | int]:
    """The row with the best validation accuracy, the latest among equals.

    Args:
        history: the result of :func:`facial_expression.training.loop.train`.

    Returns:
        ``validation_accuracy`` (0 to 1) and the ``iteration`` that reached it.

    Raises:
        ValueError: the history is empty.
    """
    if history.empty:
        raise ValueError("the history is empty: train for at least `validate_every` iterations")
    best = history.iloc[::-1].sort_values("validation_accuracy", ascending=False, kind="stable").iloc[0]
    return {
        "validation_accuracy": round(float(best["validation_accuracy"]), 6),
        "iteration": int(best["iteration"]),
    }
