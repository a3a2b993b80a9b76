"""A sample of synthetic faces as a CSV file in FER2013's format."""

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
from tqdm import tqdm

from facial_expression.data.face_table import USAGES
from facial_expression.data.synthetic.drawing import draw_background, draw_face
from facial_expression.emotions import EMOTIONS, NAMES
from facial_expression.files import atomic_write
from facial_expression.parallel import run_parallel

FER2013_COUNTS = {
    "angry": 4953,
    "disgust": 547,
    "fear": 5121,
    "happy": 8989,
    "sad": 6077,
    "surprise": 4002,
    "neutral": 6198,
}
"""Pictures of each emotion in FER2013."""

_USAGE_OF_TEN = ("Training",) * 8 + ("PublicTest", "PrivateTest")
_LEAST_OF_EACH_EMOTION = {"Training": 3, "PublicTest": 1, "PrivateTest": 1}

# FER2013 holds pictures without a face, copies of pictures, copies across usages, and copies under another label. So
# does the sample: these are their places in every 200 pictures.
_CYCLE = 200
_FACELESS = {37, 128}
_COPIES = {57, 98, 139}
_CONFLICTING_COPIES = {163}

_BATCH = 64  # pictures per task of a worker process


class Picture(NamedTuple):
    """One row of the sample.

    Attributes:
        number: with the seed, it seeds the generator. A copy has the number of its original.
        drawn: the emotion shown, or None for a picture without a face.
        emotion: the label.
        usage: ``Training``, ``PublicTest`` or ``PrivateTest``.
    """

    number: int
    drawn: str | None
    emotion: str
    usage: str


def write_sample(path: str | Path, faces: int, seed: int, workers: int = -1, progress: bool = True) -> None:
    """Write synthetic faces to a CSV file in the format of ``fer2013.csv``.

    The columns are ``emotion`` (code), ``pixels`` (48 x 48 gray levels, 0 to 255, row by row) and ``Usage``. Usages
    come in FER2013's order, 80, 10 and 10% of the rows; emotions have FER2013's shares, but from 200 pictures on
    each occurs in every usage. One picture in a hundred shows no face, two in a hundred are copies of a training
    picture, a quarter of them under another label. A longer sample of the same seed holds the same pictures and more.

    Args:
        path: the file to write; replaced only once everything is on disk.
        faces: number of pictures, at least 1.
        seed: 0 or more; another seed gives other people.
        workers: number of processes, -1 for one per core. The file does not depend on it.
        progress: show a progress bar.

    Raises:
        ValueError: ``faces`` or ``seed`` is out of range.
    """
    if faces < 1:
        raise ValueError(f"a sample needs at least 1 face, not {faces}")
    if seed < 0:
        raise ValueError(f"the seed must be 0 or more, not {seed}")
    pictures = sorted(plan_sample(faces), key=lambda picture: USAGES.index(picture.usage))
    batches = [pictures[start : start + _BATCH] for start in range(0, faces, _BATCH)]
    results = run_parallel(partial(_draw_rows, seed), batches, workers)
    with (
        atomic_write(path) as temporary,
        open(temporary, "w", encoding="ascii", newline="\n") as file,
        tqdm(total=faces, desc="draw", unit="picture", disable=not progress) as bar,
    ):
        file.write("emotion,pixels,Usage\n")
        for rows in results:
            file.writelines(rows)
            bar.update(len(rows))


def plan_sample(faces: int) -> list[Picture]:
    """The pictures of a sample; a longer plan begins with the shorter one."""
    labels = {usage: _emotions_in_proportion(least) for usage, least in _LEAST_OF_EACH_EMOTION.items()}
    originals: dict[str, int] = {}  # the latest training picture of each emotion that is no copy
    pictures = []
    for number in range(faces):
        usage = _USAGE_OF_TEN[number % 10]
        emotion, place = next(labels[usage]), number % _CYCLE
        if place in _FACELESS:
            picture = Picture(number, None, emotion, usage)
        elif place in _COPIES:
            picture = Picture(originals[emotion], emotion, emotion, usage)
        elif place in _CONFLICTING_COPIES:
            other = NAMES[(NAMES.index(emotion) + 1) % len(NAMES)]
            picture = Picture(originals[other], other, emotion, usage)
        else:
            picture = Picture(number, emotion, emotion, usage)
            if usage == "Training":
                originals[emotion] = number
        pictures.append(picture)
    return pictures


def _emotions_in_proportion(least: int) -> Iterator[str]:
    """Each emotion ``least`` times, then forever the one that lags most behind its share of FER2013."""
    shares = np.array([FER2013_COUNTS[name] for name in NAMES]) / sum(FER2013_COUNTS.values())
    given = np.zeros(len(NAMES))
    for _ in range(least):
        yield from NAMES
        given += 1
    while True:
        behind = int(np.argmax(shares * (given.sum() + 1) - given))
        given[behind] += 1
        yield NAMES[behind]


def _draw_rows(seed: int, pictures: list[Picture]) -> list[str]:
    cv2.setNumThreads(1)  # the processes already keep every core busy
    return [_row(picture, np.random.default_rng([seed, picture.number])) for picture in pictures]


def _row(picture: Picture, generator: np.random.Generator) -> str:
    image = draw_background(generator) if picture.drawn is None else draw_face(picture.drawn, generator)
    pixels = " ".join(map(str, image.ravel().tolist()))
    return f"{_CODES[picture.emotion]},{pixels},{picture.usage}\n"


_CODES = {emotion.name: emotion.code for emotion in EMOTIONS}
