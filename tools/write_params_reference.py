"""Write the tables of docs/params.md from the types, defaults and docstrings of ``facial_expression/params.py``.

make readme
"""

import ast
import inspect
import sys
from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

from facial_expression import params
from facial_expression.errors import UserError
from facial_expression.evaluation.tables import replace_block

DOCUMENT = Path("docs/params.md")

_SCHEMA = params.Params.model_json_schema()
BLOCKS: dict[str, dict[str, Any]] = {
    "Params": _SCHEMA,
    **_SCHEMA["$defs"],
    "RunBlock": params.RunBlock.model_json_schema(),
}
"""Class -> its JSON schema."""

NESTED = ("Augmentation", "Network", "Pass", "ViewsBlock")
"""The classes whose keys stand in the table of the block that holds them."""

_TEXTS = params.FORMS | {params.NAME: "name", params.CLASS_NAME: "class name"}
"""Pattern -> what it allows; the document says once what a name is."""

Schema = Mapping[str, Any]


def main() -> None:
    for name, table in tables().items():
        replace_block(DOCUMENT, name, table)
    print(f"{DOCUMENT}: tables written")


def tables() -> dict[str, str]:
    """Class -> the Markdown table of its keys."""
    shown = BLOCKS.keys() - {*NESTED, "CompleteRunBlock"}  # a run may also set what a recipe does
    return {name: _markdown(list(rows_of(name))) for name in sorted(shown)}


def rows_of(name: str, prefix: str = "") -> Iterator[dict[str, str]]:
    """The cells of every key of a class, and of the blocks nested in it, by column."""
    texts = meanings()[name]
    for key, schema in BLOCKS[name]["properties"].items():
        default = _as_yaml(schema["default"]) if "default" in schema else ""
        yield {"key": f"`{prefix}{key}`", "allowed": allowed(schema), "default": default, "meaning": texts.get(key, "")}
        nested = (schema | schema.get("items", {})).get("$ref", "").rpartition("/")[2]
        if nested in NESTED:
            yield from rows_of(nested, f"{prefix}{key}.<n>." if "items" in schema else f"{prefix}{key}.")


def meanings() -> dict[str, dict[str, str]]:
    """Class -> key -> the docstring below it."""
    # Pydantic can read these docstrings too, but only when it makes a class, so every stage would wait for it.
    classes = (node for node in ast.parse(inspect.getsource(params)).body if isinstance(node, ast.ClassDef))
    return {node.name: dict(_docstrings(node)) for node in classes}


def _docstrings(node: ast.ClassDef) -> Iterator[tuple[str, str]]:
    for key, text in pairwise(node.body):
        if isinstance(key, ast.AnnAssign) and isinstance(text, ast.Expr) and isinstance(text.value, ast.Constant):
            yield ast.unparse(key.target), " ".join(str(text.value.value).split())


def allowed(schema: Schema) -> str:
    """What a JSON schema allows, in words, such as "`rmsprop`, `sgd` or `adam`"."""
    if "anyOf" in schema:
        return " or ".join(map(allowed, schema["anyOf"]))
    if "enum" in schema:
        return _listed(schema["enum"])
    if "$ref" in schema:
        return "block"
    described = {"integer": _number, "number": _number, "string": _text, "array": _list, "object": _mapping}
    others = {"null": "`null`", "boolean": "`true` or `false`"}
    kind = schema["type"]
    return described[kind](schema) if kind in described else others[kind]


def _number(schema: Schema) -> str:
    """Such as "fraction, above 0 to 1"; every number of the file has a lower limit."""
    whole = schema["type"] == "integer"
    lowest, highest = schema.get("minimum"), schema.get("maximum")
    above, below = schema.get("exclusiveMinimum"), schema.get("exclusiveMaximum")
    if whole and below is not None:
        highest, below = below - 1, None
    if whole and (lowest, highest) == (0, 1):
        return "0 or 1"
    start = f"{lowest:,}" if above is None else f"above {above:,}"
    if highest is None and below is None:
        return f"{'whole number' if whole else 'number'}, at least {start}"
    end = f"{highest:,}" if below is None else f"below {below:,}"
    kind = "whole number" if whole else "fraction" if (highest or below) <= 1 else "number"
    exception = f", not {schema['not']['const']}" if "not" in schema else ""
    return f"{kind}, {start} to {end}{exception}"


def _text(schema: Schema) -> str:
    return _TEXTS[schema["pattern"]] if "pattern" in schema else "text"


def _list(schema: Schema) -> str:
    """Such as "list of 1 to 8 blocks"."""
    numbers = f"{schema['minItems']} to {schema['maxItems']} " if "minItems" in schema else ""
    return f"list of {numbers}{'different ' if 'uniqueItems' in schema else ''}{allowed(schema['items'])}s"


def _mapping(schema: Schema) -> str:
    """Such as "blocks by name"."""
    if "patternProperties" not in schema:
        return f"mapping of text to {allowed(schema['additionalProperties'])}"
    ((pattern, value),) = schema["patternProperties"].items()
    return f"{allowed(value)}s by {_TEXTS[pattern]}"


def _listed(values: Sequence[str]) -> str:
    *first, last = (f"`{value}`" for value in values)
    return f"{', '.join(first)} or {last}"


def _as_yaml(default: Any) -> str:
    if default is None or isinstance(default, bool):
        return {None: "`null`", True: "`true`", False: "`false`"}[default]
    if isinstance(default, dict):
        return "`{}`"  # every key of the block has its own
    return f"`{default}`" if isinstance(default, str) else f"{default:g}"


def _markdown(rows: Sequence[Mapping[str, str]]) -> str:
    """A table; where no key has a default, without that column."""
    columns = [name for name in rows[0] if name != "default" or any(row[name] for row in rows)]
    cells = [[row[name] or "required" for name in columns] for row in rows]
    return "\n".join("| " + " | ".join(row) + " |" for row in (columns, ["---"] * len(columns), *cells))


if __name__ == "__main__":
    try:
        main()
    except UserError as error:
        sys.exit(f"readme: {error}")
