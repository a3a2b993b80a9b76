"""The best validation of a training."""

import json

import pandas as pd
import pytest

from facial_expression.training.history import best_validation


def history(*accuracies):
    rows = {"iteration": [100 * number for number in range(1, len(accuracies) + 1)], "loss": 0.5, "accuracy": 0.75}
    return pd.DataFrame(rows | {"validation_loss": [1 / 3] * len(accuracies), "validation_accuracy": accuracies})


def test_returns_the_latest_of_equal_accuracies():
    assert best_validation(history(0.5, 0.6, 0.55, 0.6, 0.4)) == {"validation_accuracy": 0.6, "iteration": 400}


def test_result_fits_into_json():
    best = best_validation(history(0.25, 1 / 3))
    assert json.loads(json.dumps(best)) == best == {"validation_accuracy": 0.333333, "iteration": 200}


def test_rejects_an_empty_history():
    with pytest.raises(ValueError, match="the history is empty: train for at least `validate_every` iterations"):
        best_validation(history())
