"""The served model: where it lies, its card and its ONNX file."""

import hashlib
import json
from importlib import resources
from pathlib import Path
from typing import Any

from facial_expression.errors import UserError

CARD = "card.json"

_IN_CLONE = Path("models", "serving")


def find_model() -> Path:
    """The directory of the served model: in the installed package, or in the clone that the package is imported from.

    Raises:
        UserError: neither holds a model.
    """
    package = Path(str(resources.files("facial_expression")))
    places = (package / "model", package.parent / _IN_CLONE)
    for place in places:
        if (place / CARD).exists():
            return place
    raise UserError(
        f"no model in {places[0]} or {places[1]}: install the package again, restore the folder with "
        f"`git checkout {_IN_CLONE.as_posix()}`, or name a directory with a {CARD}"
    )


def read_card(directory: str | Path) -> dict[str, Any]:
    """The content of a model's card (:mod:`facial_expression.export.card`).

    Raises:
        UserError: the file is missing or damaged.
    """
    path = Path(directory, CARD)
    try:
        card = json.loads(_read(path))
    except UserError:
        raise
    except ValueError as error:
        raise UserError(f"{path} cannot be used: {error}") from error
    if not isinstance(card, dict) or "classes" not in card:
        raise wrong_card(directory, "'classes'")
    return card


def read_model(directory: str | Path, card: dict[str, Any]) -> bytes:
    """The content of the ONNX file that a card names.

    Raises:
        KeyError, TypeError: the card does not name one.
        UserError: the file is missing, or it is not the one of the card.
    """
    model = _read(Path(directory, card["model"]["file"]))
    if hashlib.sha256(model).hexdigest() != card["model"]["sha256"]:
        raise UserError(
            f"{Path(directory, CARD)} cannot be used: its sha256 is not that of {card['model']['file']}: "
            f"restore both: `git checkout {directory}`"
        )
    return model


def wrong_card(directory: str | Path, entry: object) -> UserError:
    """The error for a card with an entry that is missing or wrong."""
    return UserError(
        f"{Path(directory, CARD)} is not the card of a model for this version, {entry} is missing or wrong: "
        f"take both files from the same release, or run `dvc repro export` for your own networks"
    )


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError as error:
        raise UserError(f"{path} is missing: restore it, as with `git checkout {path.parent}`") from error
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror}") from error
