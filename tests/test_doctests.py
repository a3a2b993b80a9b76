"""The examples in the docstrings of the public API, run as they are."""

import doctest
import importlib

import pytest

from helpers.photos import draw, encode, photograph

PUBLIC = ("facial_expression.images", "facial_expression.recognizer")


@pytest.mark.parametrize("module", PUBLIC)
def test_examples_give_what_they_show(module, tmp_path, monkeypatch):
    (tmp_path / "photo.jpg").write_bytes(encode(photograph(draw("happy", 0)), "JPEG", quality=95))
    monkeypatch.chdir(tmp_path)
    results = doctest.testmod(importlib.import_module(module))
    assert results.attempted > 0
    assert results.failed == 0
