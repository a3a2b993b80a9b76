"""The model card in the terminal: what ``facial-expression info`` shows."""

import hashlib
from importlib import metadata
from pathlib import Path
from typing import Any

from facial_expression.served_model import read_card, read_model, wrong_card


def describe_model(directory: Path) -> dict[str, str]:
    """What the model in a directory is, how well it does, and where it comes from, by title.

    Raises:
        UserError: the model is missing, damaged or not one for this version.
    """
    card = read_card(directory)
    try:
        return _describe(directory, card)
    except (KeyError, TypeError) as error:
        raise wrong_card(directory, error) from error


def _describe(directory: Path, card: dict[str, Any]) -> dict[str, str]:
    served, metrics = card["model"], card["metrics"]
    low, high = (f"{100 * metrics[name]:.1f}" for name in ("accuracy_low", "accuracy_high"))
    return {
        "version": _version(),
        "model": card["title"],
        "trained as": f"{', '.join(map(_member, card['members']))}, protocol {card['protocol']}",
        "classes": ", ".join(card["classes"]),
        "accuracy": f"{100 * metrics['accuracy']:.1f}% (95% interval {low} to {high}) on {metrics['n']:,} test faces",
        "uncertain": f"if the highest probability is below {card['confidence_threshold']:.2f}",
        "file": str(Path(directory, served["file"])),
        "size": f"{served['bytes'] / 1e6:.1f} MB, {served['variant']}",
        "MD5": hashlib.md5(read_model(directory, card), usedforsecurity=False).hexdigest(),
        "license": "MIT; but the landmarks were learned from iBUG 300-W, which forbids commercial use",
    }


def _member(member: dict[str, Any]) -> str:
    return f"run {member['run']}, snapshot {member['snapshot']:,}"


def _version() -> str:
    try:
        return metadata.version("facial-expression")
    except metadata.PackageNotFoundError:
        return "not installed: runs from a clone"
