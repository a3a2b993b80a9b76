"""The emotions: their order, their codes in FER2013 and their emoji.

Every class axis, table and figure follows this order.
"""

from collections.abc import Collection
from dataclasses import dataclass


@dataclass(frozen=True)
class Emotion:
    """One emotion label.

    Attributes:
        name: lower-case English name, used in files and in code.
        code: its integer in the ``emotion`` column of FER2013's CSV.
        emoji: one character that shows it.
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
    """The given names without repetition, in the project's order.

    Raises:
        ValueError: a name is not one of the emotions.
    """
    unknown = sorted(set(names) - set(NAMES))
    if unknown:
        raise ValueError(f"unknown emotion {unknown[0]!r}: choose from {', '.join(NAMES)}")
    return tuple(name for name in NAMES if name in names)
