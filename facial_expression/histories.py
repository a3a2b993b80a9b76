"""What the history of a training says before any test face is read."""

import pandas as pd


def best_validation(history: pd.DataFrame) -> dict[str, float | int]:
    """The best moment of a training, by validation accuracy, the latest among equals.

    Args:
        history: what :func:`facial_expression.training.train` returned: iteration, loss, accuracy, validation_loss and
            validation_accuracy, one row per validation.

    Returns:
        ``validation_accuracy`` (0 to 1), ``validation_loss`` and ``accuracy`` (of the minibatches, 0 to 1) at that
        moment, its ``iteration``, and ``iterations``, how many there were; plain numbers, ready for JSON.

    Raises:
        ValueError: there is no row.
    """
    if history.empty:
        raise ValueError("the history has no row: train for at least `validate_every` iterations")
    best = history.iloc[::-1].sort_values("validation_accuracy", ascending=False, kind="stable").iloc[0]
    scores = {name: round(float(best[name]), 6) for name in ("validation_accuracy", "validation_loss", "accuracy")}
    return scores | {"iteration": int(best["iteration"]), "iterations": int(history["iteration"].iloc[-1])}
