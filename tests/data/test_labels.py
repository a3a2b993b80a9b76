"""What labels mean: names, aliases, codes of well-known data sets, and one's own."""

import pytest

from facial_expression.data.labels import CODES, LabelError, Labels
from facial_expression.emotions import NAMES

LEVELS = ("low", "middle", "High")


@pytest.mark.parametrize(
    ("label", "name"),
    [
        *(("happy", "happy"), ("Happiness", "happy"), (" ANGER ", "angry"), ("surprised", "surprise")),
        *(("fearful", "fear"), ("disgusted", "disgust"), ("sadness", "sad"), ("neutrality", "neutral")),
        *(("3", "happy"), ("6", "neutral")),
    ],
)
def test_knows_names_aliases_and_codes_of_fer2013(label, name):
    assert Labels().class_of(label) == name


def test_finds_classes_that_are_called_by_an_alias():
    labels = Labels(("anger", "joy", "calm"))
    assert [labels.class_of(label) for label in ("angry", "Happiness", "CALM", "0")] == [
        "anger",
        "joy",
        "calm",
        "anger",
    ]


def test_keeps_classes_apart_that_share_an_alias():
    labels = Labels(("happy", "joy"))
    assert (labels.class_of("joy"), labels.class_of("happy")) == ("joy", "happy")


def test_codes_follow_the_documentation_of_their_data_sets():
    names = ["surprise", "fear", "disgust", "happy", "sad", "angry", "neutral"]
    assert [Labels(codes="raf-db").class_of(str(code)) for code in range(1, 8)] == names
    names = ["neutral", "happy", "sad", "surprise", "fear", "disgust", "angry", "contempt", None, None, None]
    affectnet = Labels((*NAMES, "contempt"), "affectnet")
    assert [affectnet.class_of(str(code)) for code in range(11)] == names


def test_numbers_can_be_places_in_classes():
    labels = Labels(LEVELS, "classes")
    assert [labels.class_of(label) for label in ("0", "2", "high")] == ["low", "High", "High"]


def test_own_meanings_precede_everything():
    labels = Labels(NAMES, "affectnet", {"7": None, "0": "sad", "Joyful": "happy"})
    assert [labels.class_of(label) for label in ("7", "0", "joyful", "1")] == [None, "sad", "happy", "happy"]


@pytest.mark.parametrize(
    ("labels", "label", "message"),
    [
        (Labels(), "7", "unknown label '7', expected angry, .*, neutral or a code from 0 to 6: add it to classes"),
        (Labels(), "bored", "unknown label 'bored', .*: add it to classes in params.yaml, or set decode.labels"),
        (Labels(codes="affectnet"), "7", r"unknown label '7' \(contempt\), .* or set decode.codes or decode.labels"),
        (Labels(LEVELS), "0", r"unknown label '0' \(angry\), expected low, middle, High or a code from 0 to 6"),
        (Labels(LEVELS, "classes"), "3", "unknown label '3', expected low, middle, High or a code from 0 to 2"),
        (Labels(), "00", "unknown label '00'"),
        (Labels(), "", "unknown label ''"),
    ],
)
def test_unknown_label_says_what_to_set(labels, label, message):
    with pytest.raises(LabelError, match=message):
        labels.class_of(label)


@pytest.mark.parametrize(
    ("classes", "codes", "numbers"),
    [
        (NAMES, "fer2013", "012"),
        (NAMES, "fer2013", "123456"),
        (LEVELS, "classes", "02"),
        (("happy", "sad"), "classes", "1"),
    ],
)
def test_numbers_that_lack_a_class_are_not_taken_for_emotions(classes, codes, numbers):
    labels = Labels(classes, codes)
    for number in numbers:
        labels.class_of(number)
    with pytest.raises(LabelError, match=f"^faces.csv has the numbers {', '.join(numbers)} as labels, and none for "):
        labels.require_every_class("faces.csv")


@pytest.mark.parametrize(
    ("labels", "seen"),
    [
        (Labels(), "0123456"),
        (Labels(("happy", "sad")), "34"),
        (Labels(LEVELS, "classes"), "012"),
        (Labels(), ("happy", "sad")),
        (Labels(codes="raf-db"), "12"),
        (Labels(meanings={"1": "sad", "0": "happy"}), "01"),
        (Labels(), ()),
    ],
)
def test_accepts_names_and_numbers_that_are_clear(labels, seen):
    for label in seen:
        labels.class_of(label)
    labels.require_every_class("faces.csv")


def test_documented_codes_are_numbers_in_order():
    assert all(list(codes) == sorted(codes, key=int) for codes in CODES.values())
