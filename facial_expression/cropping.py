"""The two ways from a picture and its landmarks to what a network sees, by the names that a recipe gives them."""

from collections.abc import Mapping

from facial_expression.alignment import Aligner
from facial_expression.framing import Framer
from facial_expression.mean_shape import MeanShape


def make_cropper(pictures: str, settings: Mapping, mean_shape: MeanShape) -> Aligner | Framer:
    """What crops a face as in training.

    Args:
        pictures: ``aligned`` or ``framed``.
        settings: ``size`` and, for aligned pictures, ``landmark_set``, ``border`` and ``margin``.
        mean_shape: what faces are moved onto.

    Raises:
        KeyError: a setting is missing.
        ValueError: ``pictures`` is neither.
    """
    if pictures == "aligned":
        return Aligner(*(settings[name] for name in ("landmark_set", "border", "size", "margin")), mean_shape)
    if pictures == "framed":
        return Framer(settings["size"], mean_shape)
    raise ValueError(f"pictures must be 'aligned' or 'framed', not {pictures!r}")
