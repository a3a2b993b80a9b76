"""What a trained network saw: the stages that use it show it the same."""

from pathlib import Path

from facial_expression.snapshots import read_description


def pictures_of(model: str | Path) -> str:
    """``aligned``, ``framed`` or ``decoded``: the pictures that the network of a model directory was trained on.

    Raises:
        FileNotFoundError: there is no network; the message says what trains it.
        ValueError: its recipe does not say.
    """
    try:
        return read_description(model)["recipe"]["pictures"]
    except FileNotFoundError as error:
        raise FileNotFoundError(f"{model} holds no network: run `dvc repro` to train it") from error
    except KeyError as error:
        raise ValueError(f"the recipe of {model} does not name its pictures: train it anew with `dvc repro`") from error
