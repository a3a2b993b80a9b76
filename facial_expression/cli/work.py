"""What a process does with a chunk of pictures, and the processes that do it."""

import multiprocessing
import os
import signal
import threading
import warnings
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, replace
from functools import lru_cache, partial
from pathlib import Path

import cv2
import numpy as np

from facial_expression.cli.annotation import draw_faces, place, save_picture
from facial_expression.cli.pictures import Chunk, Picture
from facial_expression.errors import UserError
from facial_expression.images import ALL_FORMATS, MAX_PIXELS, ImageError, decode_color, read_picture
from facial_expression.recognizer import Recognition, Recognizer

Faces = list[Recognition]
Results = list[Faces | str]
"""For each picture its faces, or why it cannot be read."""


@dataclass(frozen=True)
class Options:
    """How to recognize.

    Attributes:
        model: directory with ``card.json``.
        whole_picture: take every picture as one face.
        min_score: leave out faces with a lower detector score; None for the recognizer's default.
        largest: keep only the largest face of a picture.
        annotated: folder for copies of the photos with their faces; None for no copies.
    """

    model: str
    whole_picture: bool = False
    min_score: float | None = None
    largest: bool = False
    annotated: str | None = None


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

    recognizer = _load(options.model)
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
    decoded = read_picture(picture.file, MAX_PIXELS)
    return decoded.gray, decoded.scale


def _finish(picture: Picture, faces: Faces, scale: np.ndarray, options: Options) -> Faces:
    """The faces that are wanted, with boxes in pixels of the picture; draws them if that is wanted."""
    if options.largest and faces:
        faces = [max(faces, key=lambda face: face.box[2] * face.box[3])]
    if options.annotated and picture.gray is None:
        colors = decode_color(Path(picture.file).read_bytes(), MAX_PIXELS, ALL_FORMATS)
        save_picture(place(Path(options.annotated), picture.file, ".jpg"), draw_faces(colors, faces))
    if (scale == 1).all():
        return faces
    return [replace(face, box=tuple((np.array(face.box) * np.tile(scale, 2)).tolist())) for face in faces]


@lru_cache(maxsize=1)
def _load(model: str) -> Recognizer:
    cv2.setNumThreads(1)  # each process uses one core
    warnings.filterwarnings("ignore", module="PIL")  # of damaged metadata, which changes nothing
    return Recognizer.load(model)


def recognize_in_order(options: Options, chunks: Iterable[Chunk], workers: int) -> Iterator[tuple[Chunk, Results]]:
    """Each chunk with the faces of its pictures.

    Args:
        options: how to recognize.
        chunks: read only a little ahead of what is yielded, so that memory stays bounded.
        workers: number of processes; with 1, this process does the work. The results are the same for any number.

    Raises:
        UserError: a process was killed, or the model cannot be loaded.
    """
    if workers == 1:
        for chunk in chunks:
            yield chunk, recognize_chunk(options, chunk.pictures)
        return
    pool = ProcessPoolExecutor(workers, multiprocessing.get_context("spawn"), initializer=_start_worker)
    try:
        for chunk, future in _ahead(partial(_submit, pool, options), chunks, workers + 2):
            yield chunk, future.result()
    except BrokenProcessPool:
        raise UserError(
            "a worker process was killed, perhaps because memory ran out. Run the same command again to go on where it "
            "ended, with a smaller number of --workers"
        ) from None
    finally:
        pool.shutdown(cancel_futures=True)


def _submit(pool: ProcessPoolExecutor, options: Options, chunk: Chunk) -> "Future[Results]":
    pictures = [picture._replace(colors=None) for picture in chunk.pictures]  # which need not travel
    return pool.submit(recognize_chunk, options, pictures)


def _ahead(
    submit: Callable[[Chunk], "Future[Results]"], chunks: Iterable[Chunk], most: int
) -> Iterator[tuple[Chunk, "Future[Results]"]]:
    """Submit up to ``most`` chunks before the first of them is needed; yield them in order."""
    pending: deque[tuple[Chunk, Future[Results]]] = deque()
    for chunk in chunks:
        pending.append((chunk, submit(chunk)))
        if len(pending) == most:
            yield pending.popleft()
    yield from pending


def _start_worker() -> None:
    """Leave Ctrl-C to the process that started this one, and end when that is gone, however it ended."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
