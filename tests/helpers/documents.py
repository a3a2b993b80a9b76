"""The commands that the documents tell people to run."""

import re
from collections.abc import Iterator

from markdown_it import MarkdownIt
from ruamel.yaml import YAML

from helpers.project import ROOT

DOCUMENTS = ["README.md", "CONTRIBUTING.md", "app/README.md", *(f"docs/{path.name}" for path in ROOT.glob("docs/*.md"))]
_MARKDOWN = MarkdownIt().enable("table")
DOCUMENTED = YAML(typ="safe").load(ROOT / "tests/pipeline/documented_commands.yaml")
"""``run_by``: test -> commands; ``not_run``: reason -> commands."""


def shell_blocks() -> list[tuple[str, list[str]]]:
    """Document and command lines of each block of commands, without comments and with continued lines joined.

    An indented block is shell; everything else is fenced and names its language. The steps of a workflow are YAML.
    """
    return [(name, lines) for name in sorted(DOCUMENTS) for lines in _blocks((ROOT / name).read_text())]


def commands_in_sentences(start: str) -> list[str]:
    """The commands within sentences that start with these words, sorted."""
    tokens = [token for name in DOCUMENTS for token in _MARKDOWN.parse((ROOT / name).read_text())]
    inline = {child.content for token in tokens for child in token.children or () if child.type == "code_inline"}
    return sorted(command for command in inline if command.startswith(f"{start} "))


def _blocks(text: str) -> Iterator[list[str]]:
    for token in _MARKDOWN.parse(text):
        if token.type == "code_block" or token.info in ("bash", "sh", "shell"):
            yield _lines(token.content)
        elif token.info == "yaml" and token.content.startswith("- run:"):
            yield [line for step in YAML(typ="safe").load(token.content) for line in _lines(step["run"])]


def _lines(content: str) -> list[str]:
    joined = re.sub(r" *\\\n *", " ", content)
    return [re.sub(r" {2,}#.*", "", line).strip() for line in joined.splitlines() if line.strip()]


def commands_of(test: str) -> list[str]:
    """The documented commands that a test runs, as ``tests/pipeline/documented_commands.yaml`` says."""
    return DOCUMENTED["run_by"][test]
