"""Pictures of faces for the page: synthetic ones, which anyone may see, or those of FER2013, which stay private."""

import base64
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import pandas as pd

from facial_expression.data.face_table import FaceTable

SHOWN = 16
"""Pictures in the first gallery, as in the study."""

TRIPLES = 3
PAIRS = 12
"""Faces that are shown in three stages, and pairs of near duplicates on each side of the threshold."""

_ENLARGEMENT = 3  # of the pictures with landmarks, whose points are finer than pixels


@dataclass(frozen=True)
class Picture:
    """One picture.

    Attributes:
        source: PNG as a data URI.
        label: the emotion, or another short text below it.
        alternative: what it shows, in words.
    """

    source: str
    label: str
    alternative: str


@dataclass(frozen=True)
class Gallery:
    """The pictures of one edition.

    Attributes:
        whose: what the pictures are, in words.
        first: the first pictures with their labels.
        triples: some faces as they are, with landmarks, and aligned.
        by_row: row of the source CSV -> its picture; empty where pictures may not be shown.
        accepted, rejected: pairs of pictures just above and just below the threshold of near duplicates; likewise.
    """

    whose: str
    first: Sequence[Picture]
    triples: Sequence[tuple[Picture, Picture, Picture]]
    by_row: Mapping[int, Picture]
    accepted: Sequence[tuple[Picture, Picture]] = ()
    rejected: Sequence[tuple[Picture, Picture]] = ()


def picture(image: np.ndarray, label: str, alternative: str) -> Picture:
    """A gray or color picture (uint8, shape (height, width) or (height, width, 3), BGR)."""
    png = cv2.imencode(".png", image)[1].tobytes()
    return Picture(f"data:image/png;base64,{base64.b64encode(png).decode()}", label, alternative)


def triple(
    image: np.ndarray, landmarks: np.ndarray, aligned: np.ndarray, emotion: str
) -> tuple[Picture, Picture, Picture]:
    """A face as it is, with its landmarks, and aligned.

    Args:
        image: uint8, shape (size, size).
        landmarks: float, shape (68, 2), x and y in pixels.
        aligned: uint8, the aligned crop.
        emotion: its label.
    """
    return (
        picture(image, "raw", f"a face labeled {emotion}"),
        picture(_with_landmarks(image, landmarks), "landmarks", "the same face with 68 landmarks"),
        picture(aligned, "aligned", "the same face, aligned"),
    )


def first_pictures(images: Sequence[np.ndarray], emotions: Sequence[str]) -> list[Picture]:
    """The first pictures with their labels."""
    return [picture(*one, f"a face labeled {one[1]}") for one in zip(images, emotions, strict=True)]


def synthetic_gallery(
    draw: Callable[[int], tuple[np.ndarray, str]],
    landmarks_of: Callable[[np.ndarray], np.ndarray | None],
    align: Callable[[np.ndarray, np.ndarray], np.ndarray],
) -> Gallery:
    """A gallery of synthetic faces.

    Args:
        draw: number -> face (uint8, shape (size, size)) and its emotion.
        landmarks_of: the landmarks (shape (68, 2)) of a face, or None if the detector misses it.
        align: face and landmarks -> the aligned crop.
    """
    faces = [draw(number) for number in range(SHOWN)]
    triples: list[tuple[Picture, Picture, Picture]] = []
    for image, emotion in faces:
        landmarks = landmarks_of(image)
        if landmarks is not None and len(triples) < TRIPLES:
            triples.append(triple(image, landmarks, align(image, landmarks), emotion))
    first = first_pictures([image for image, _ in faces], [emotion for _, emotion in faces])
    return Gallery("synthetic faces, drawn by this project", first, triples, {})


def _with_landmarks(image: np.ndarray, landmarks: np.ndarray) -> np.ndarray:
    side = image.shape[1] * _ENLARGEMENT
    # Exact, since other enlargements depend on the processor's newest instructions.
    enlarged = cv2.resize(image, (side, side), interpolation=cv2.INTER_LINEAR_EXACT)
    canvas = cv2.cvtColor(enlarged, cv2.COLOR_GRAY2BGR)
    for x, y in landmarks:
        center = round((x + 0.5) * _ENLARGEMENT), round((y + 0.5) * _ENLARGEMENT)
        cv2.circle(canvas, center, 1, (40, 140, 255), -1, cv2.LINE_AA)
    return canvas


def fer2013_gallery(
    decoded: FaceTable, aligned: FaceTable, rows: Collection[int], pairs: pd.DataFrame, least_correlation: float
) -> Gallery:
    """A gallery of the data itself, which must stay private.

    Args:
        decoded: all pictures.
        aligned: the aligned faces, with landmarks.
        rows: of the source CSV, whose pictures are shown somewhere on the page.
        pairs: ``first``, ``second`` (rows) and ``correlation`` of similar pictures.
        least_correlation: from which on a pair counts as near duplicates.
    """
    emotions, index = decoded.faces["emotion"].to_numpy(), pd.Index(decoded.faces["row"])

    def of_row(row: int) -> Picture:
        place = index.get_loc(row)
        return picture(decoded.images[place], emotions[place], f"face in row {row}, labeled {emotions[place]}")

    def nearest(chosen: pd.DataFrame, ascending: bool) -> list[tuple[Picture, Picture]]:
        order = chosen.sort_values(["correlation", "first", "second"], ascending=[ascending, True, True])
        return [(of_row(one), of_row(other)) for one, other in order[["first", "second"]].to_numpy()[:PAIRS]]

    in_first_pass = (aligned.faces["detector_pass"] == 1).to_numpy()
    found = aligned.select(in_first_pass & (np.cumsum(in_first_pass) <= TRIPLES))
    raw = found.with_images_of(decoded).images
    landmarks = found.landmarks if found.landmarks is not None else ()
    triples = [triple(*one) for one in zip(raw, landmarks, found.images, found.faces["emotion"], strict=True)]
    accepted = pairs["correlation"] >= least_correlation
    return Gallery(
        "pictures of the data, which may not be passed on",
        first_pictures(list(decoded.images[:SHOWN]), emotions[:SHOWN].tolist()),
        triples,
        {row: of_row(row) for row in sorted(rows)},
        nearest(pairs[accepted], ascending=True),
        nearest(pairs[~accepted], ascending=False),
    )
