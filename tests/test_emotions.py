"""The emotions and their order."""

import pytest

from facial_expression.emotions import EMOTIONS, NAMES, in_order


def test_codes_match_fer2013():
    codes = {emotion.name: emotion.code for emotion in EMOTIONS}
    assert codes == {"angry": 0, "disgust": 1, "fear": 2, "happy": 3, "sad": 4, "surprise": 5, "neutral": 6}


def test_emotions_are_ordered_by_code():
    assert [emotion.code for emotion in EMOTIONS] == list(range(len(EMOTIONS)))
    assert [emotion.name for emotion in EMOTIONS] == list(NAMES)


def test_every_emotion_has_its_own_emoji():
    assert len({emotion.emoji for emotion in EMOTIONS}) == len(EMOTIONS)
    assert all(len(emotion.emoji) == 1 and not emotion.emoji.isascii() for emotion in EMOTIONS)


@pytest.mark.parametrize(
    ("names", "ordered"),
    [
        (("neutral", "angry", "happy"), ("angry", "happy", "neutral")),
        (["sad", "fear", "sad"], ("fear", "sad")),
        (set(NAMES), NAMES),
        ((), ()),
    ],
)
def test_sorts_names_without_repetition(names, ordered):
    assert in_order(names) == ordered


def test_rejects_unknown_name_and_lists_known_ones():
    with pytest.raises(ValueError, match=r"unknown emotion 'Happy': choose from angry, disgust, .*, neutral$"):
        in_order(["sad", "Happy"])
