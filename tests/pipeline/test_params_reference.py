"""docs/params.md: its tables are made from the typed parameters, and name every key."""

import ast
import shutil

import pytest

from facial_expression import networks
from facial_expression.params import FORMS
from helpers.project import ROOT
from tools import write_params_reference as reference

DOCUMENT = (ROOT / reference.DOCUMENT).read_text()


def test_tables_are_those_of_the_types(tmp_path, monkeypatch):
    (tmp_path / "docs").mkdir()
    shutil.copy(ROOT / reference.DOCUMENT, tmp_path / "docs")
    monkeypatch.chdir(tmp_path)
    reference.main()
    assert reference.DOCUMENT.read_text() == DOCUMENT, "run `make readme`"


@pytest.mark.parametrize("name", sorted(reference.BLOCKS.keys() - {"CompleteRunBlock"}))
def test_every_key_has_a_meaning(name):
    assert [row["key"] for row in reference.rows_of(name) if not row["meaning"]] == []


def test_every_block_has_a_table():
    for name in reference.BLOCKS.keys() - {*reference.NESTED, "CompleteRunBlock"}:
        assert f"<!-- {name}:begin -->" in DOCUMENT
    nested = {row["key"] for name in reference.tables() for row in reference.rows_of(name) if "." in row["key"]}
    assert {"`augmentation.flip`", "`network.module`", "`passes.<n>.border`", "`views.mirror`"} <= nested


def test_says_what_a_name_is():
    lines = " ".join(DOCUMENT.split())
    for form in FORMS.values():
        assert form in lines


@pytest.mark.parametrize(
    ("schema", "words"),
    [
        ({"type": "integer", "minimum": 1}, "whole number, at least 1"),
        ({"type": "integer", "minimum": 0, "exclusiveMaximum": 2**31}, "whole number, 0 to 2,147,483,647"),
        ({"type": "integer", "minimum": 0, "maximum": 1}, "0 or 1"),
        ({"type": "integer", "minimum": -1, "maximum": 8, "not": {"const": 0}}, "whole number, -1 to 8, not 0"),
        ({"type": "number", "exclusiveMinimum": 0, "maximum": 1}, "fraction, above 0 to 1"),
        ({"type": "number", "minimum": 0, "exclusiveMaximum": 180}, "number, 0 to below 180"),
        ({"type": "string", "enum": ["rmsprop", "sgd", "adam"]}, "`rmsprop`, `sgd` or `adam`"),
        ({"anyOf": [{"type": "string"}, {"type": "null"}]}, "text or `null`"),
        ({"type": "boolean"}, "`true` or `false`"),
        ({"type": "array", "items": {"$ref": "#/$defs/Pass"}, "minItems": 1, "maxItems": 8}, "list of 1 to 8 blocks"),
    ],
)
def test_says_in_words_what_is_allowed(schema, words):
    assert reference.allowed(schema) == words


@pytest.mark.parametrize("module", networks.available())
def test_names_every_argument_of_a_network(module):
    """With its default, as in YAML; a module refers to others in its docstrings, so the row is written by hand."""
    (row,) = (line for line in DOCUMENT.splitlines() if line.startswith(f"| `{module}` | `"))
    tree = ast.parse((ROOT / "facial_expression/networks" / f"{module}.py").read_text())
    build = next(node for node in tree.body if isinstance(node, ast.FunctionDef) and node.name == "build")
    for argument, default in zip(build.args.kwonlyargs, build.args.kw_defaults, strict=True):
        value = ast.literal_eval(default)
        shown = str(list(value)) if isinstance(value, tuple) else str(value).lower()
        assert f"`{argument.arg}: {shown}`" in row
