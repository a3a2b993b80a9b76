"""Histories: the best moment, and the latest of several."""

import json

import pandas as pd
import pytest

from facial_expression.histories import best_validation


def history(*accuracies):
    rows = {"iteration": [100 * number for number in range(1, len(accuracies) + 1)], "loss": 0.5, "accuracy": 0.75}
    return pd.DataFrame(rows | {"validation_loss": [1 / 3] * len(accuracies), "validation_accuracy": accuracies})


def test_best_moment_is_the_latest_among_equals():
    best = best_validation(history(0.5, 0.6, 0.55, 0.6, 0.4))
    assert best == {
        "validation_accuracy": 0.6,
        "validation_loss": 0.333333,
        "accuracy": 0.75,
        "iteration": 400,
        "iterations": 500,
    }
    assert json.loads(json.dumps(best)) == best


def test_no_row_is_an_error():
    with pytest.raises(ValueError, match="the history has no row"):
        best_validation(history())
