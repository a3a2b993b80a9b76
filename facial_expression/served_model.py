"""Where the served model lies: inside the installed package, or in the clone that the package is imported from."""

from importlib import resources
from pathlib import Path

from facial_expression.errors import UserError

CARD = "card.json"

_IN_CLONE = Path("models", "serving")


def find_model() -> Path:
    """The directory with the served model's card and ONNX file.

    Raises:
        UserError: neither the package nor the folder around it holds a model.
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
