"""What a process does with a chunk of pictures."""

import platform
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path

import cv2
import numpy as np

from facial_expression.cli.annotation import draw_faces, save_picture
from facial_expression.cli.copies import copy_of
from facial_expression.cli.pictures import Picture
from facial_expression.cli.remote import is_remote, read_remote
from facial_expression.errors import UserError
from facial_expression.images import ALL_FORMATS, MAX_PIXELS, ImageError, decode_color, decode_picture
from facial_expression.recognizer import Recognition, Recognizer
from facial_expression.served_model import find_model, read_card, wrong_card

Faces = list[Recognition]
Results = list[Faces | str]
"""For each picture its faces, or why it cannot be read."""


@dataclass(frozen=True)
class Options:
    """How to recognize.

    Attributes:
        model: directory with ``card.json``; None for the served model, wherever the process finds it.
        model_sha256: of the ONNX file, which must be the same in all processes.
        whole_picture: take every picture as one face.
        min_score: leave out faces with a lower detector score; None for the recognizer's default.
        largest: keep only the largest face of a picture.
        annotated: folder for copies of the photos with their faces; None for no copies.
    """

    model: str | None
    model_sha256: str
    whole_picture: bool = False
    min_score: float | None = None
    largest: bool = False
    annotated: str | None = None


def model_sha256(model: str | Path | None) -> str:
    """What ``Options`` need of a model.

    Raises:
        UserError: there is no model, or its card is not one for this version.
    """
    directory = model or find_model()
    card = read_card(directory)
    try:
        return card["model"]["sha256"]
    except (KeyError, TypeError) as error:
        raise wrong_card(directory, error) from error


def recognize_chunk(options: Options, pictures: Sequence[Picture]) -> Results:
    """The faces of each picture, best score first, in pixels of the upright picture; or why it cannot be read."""
    unreadable: dict[int, str] = {}
    scales: list[np.ndarray] = []

    def readable() -> Iterator[np.ndarray]:
        for number, picture in enumerate(pictures):
            try:
                gray, scale = _read(picture)
            except ImageError as error:
                unreadable[number] = str(error)
            except OSError as error:
                unreadable[number] = error.strerror or str(error)
            else:
                scales.append(scale)
                yield gray

    recognizer = _load(options.model, options.model_sha256)
    many = recognizer.recognize_many(readable(), whole_picture=options.whole_picture, min_score=options.min_score)
    found = iter(zip(many, scales, strict=True))
    return [
        unreadable[number] if number in unreadable else _finish(picture, *next(found), options)
        for number, picture in enumerate(pictures)
    ]


def _read(picture: Picture) -> tuple[np.ndarray, np.ndarray]:
    """Gray levels, and pixels of the picture per pixel of these."""
    if picture.gray is not None:
        return picture.gray, np.ones(2)
    decoded = decode_picture(_read_file(picture.file), MAX_PIXELS, ALL_FORMATS)
    return decoded.gray, decoded.scale


def _read_file(file: str) -> bytes:
    return read_remote(file) if is_remote(file) else Path(file).read_bytes()


def _finish(picture: Picture, faces: Faces, scale: np.ndarray, options: Options) -> Faces:
    """The faces that are wanted, with boxes in pixels of the picture; draws them if that is wanted."""
    if options.largest and faces:
        faces = [max(faces, key=lambda face: face.box[2] * face.box[3])]
    if options.annotated and picture.gray is None:
        colors = decode_color(_read_file(picture.file), MAX_PIXELS, ALL_FORMATS)
        save_picture(copy_of(picture.file, options.annotated), draw_faces(colors, faces))
    if (scale == 1).all():
        return faces
    return [replace(face, box=tuple((np.array(face.box) * np.tile(scale, 2)).tolist())) for face in faces]


@lru_cache(maxsize=1)
def _load(model: str | None, sha256: str) -> Recognizer:
    cv2.setNumThreads(1)  # each process uses one core
    warnings.filterwarnings("ignore", module="PIL")  # of damaged metadata, which changes nothing
    recognizer = Recognizer.load(model)
    if recognizer.card["model"]["sha256"] != sha256:
        raise UserError(f"a worker on {platform.node()} has another model: install the same version everywhere")
    return recognizer
