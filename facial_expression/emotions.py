"""The one list of emotions: their order, their codes in FER2013 and their emoji.

Every array with a class axis, every table and every figure of the project follows this order.
"""

from collections.abc import Collection
from dataclasses import dataclass


@dataclass(frozen=True)
class Emotion:
    """One emotion label.

    Attributes:
        name: lower-case English name, used in files and in Python.
        code: the integer that stands for it in the ``emotion`` column of FER2013's CSV.
        emoji: one character for people to look at.
    """

    name: str
    code: int
    emoji: str


EMOTIONS = (
    Emotion("angry", 0, "😠"),
    Emotion("disgust", 1, "🤢"),
    Emotion("fear", 2, "😨"),
    Emotion("happy", 3, "😄"),
    Emotion("sad", 4, "😢"),
    Emotion("surprise", 5, "😮"),
    Emotion("neutral", 6, "😐"),
)

NAMES = tuple(emotion.name for emotion in EMOTIONS)


def in_order(names: Collection[str]) -> tuple[str, ...]:
    """The given emotion names without repetition, in the project's order.

    Raises:
        ValueError: a name is not an emotion of this project.
    """
    unknown = sorted(set(names) - set(NAMES))
    if unknown:
        raise ValueError(f"unknown emotion {unknown[0]!r}: choose from {', '.join(NAMES)}")
    return tuple(name for name in NAMES if name in names)
