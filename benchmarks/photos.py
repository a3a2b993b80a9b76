"""Faces found in a folder of photos, and the time it takes, optionally compared with the package ``fer``.

Run from the repository root, with nothing else running::

    python -m benchmarks.photos FOLDER               # needs models/serving
    python -m benchmarks.photos FOLDER --fer-python /tmp/fer/bin/python    # with fer: see benchmarks/fer_runner.py

Prints one table. Every method runs in a process of its own on one core. Its seconds are CPU time, from the bytes of a
file to the expressions of all its faces, after one photo as a warm-up. ``fer`` runs with both of its detectors, the
Haar cascade and MTCNN.

A ``photos.csv`` in the folder (columns ``file`` and ``faces_seen``) gives the number of faces that a person counts.
*Of those counted* is found faces, at most the number counted in each photo; *too many* is what goes beyond that number,
so at least as many of the faces are false. Exits with status 1 if no photo can be read.
"""

import argparse
import csv
import multiprocessing
import resource
import statistics
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import cv2
import numpy as np
from rich.console import Console
from rich.table import Table

from benchmarks.fer_runner import run_fer
from facial_expression.errors import UserError
from facial_expression.recognizer import Recognizer

SUFFIXES = {".jpg", ".jpeg", ".png", ".webp", ".bmp"}
COUNTS = "photos.csv"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="photos, also in folders below it")
    parser.add_argument("--model", type=Path, default=Path("models/serving"), help="directory with card.json")
    parser.add_argument("--fer-python", type=Path, help="Python of an environment with fer")
    options = parser.parse_args()
    photos = list_photos(options.folder)
    if not photos:
        sys.exit(f"photos: {options.folder} has no photo that OpenCV can read ({', '.join(sorted(SUFFIXES))})")
    try:
        counts = read_counts(options.folder / COUNTS)
        results = dict(measure(options.model, options.fer_python, photos))
    except UserError as error:
        sys.exit(f"photos: {error}")
    seen = [counts.get(str(photo.relative_to(options.folder))) for photo in photos]
    Console().print(tabulate(results, seen))
    return 0


def list_photos(folder: Path) -> list[Path]:
    """All photos under a folder that OpenCV can read, sorted."""
    files = sorted(path for path in folder.rglob("*") if path.suffix.lower() in SUFFIXES)
    return [path for path in files if cv2.imread(str(path), cv2.IMREAD_GRAYSCALE) is not None]


def read_counts(path: Path) -> dict[str, int]:
    """Number of faces that a person counts, by file; empty if there is no such file.

    Raises:
        UserError: a column is missing or a count is not a number.
    """
    if not path.exists():
        return {}
    with open(path, encoding="utf-8", newline="") as file:
        try:
            return {row["file"]: int(row["faces_seen"]) for row in csv.DictReader(file)}
        except (KeyError, TypeError, ValueError) as error:
            raise UserError(f"{path} must have the columns file and faces_seen, a whole number: {error}") from error


def measure(model: Path, fer_python: Path | None, photos: list[Path]) -> Iterator[tuple[str, dict]]:
    """The result of every method: ``faces`` and ``seconds`` per photo, and ``megabytes`` of its process."""
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as process:
        yield "ours", process.submit(recognize_photos, model, photos).result()
    if fer_python:
        for detector, title in {"haar": "fer, Haar", "mtcnn": "fer, MTCNN"}.items():
            yield title, run_fer(fer_python, "photos", detector, *photos)


def recognize_photos(model: Path, photos: list[Path]) -> dict:
    """Our result; for a process of its own."""
    cv2.setNumThreads(1)
    recognizer = Recognizer.load(model)
    faces, seconds = [], []
    for photo in [photos[0], *photos]:
        data = photo.read_bytes()
        start = time.process_time()
        image = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_GRAYSCALE)
        faces.append(len(recognizer.recognize(image)))
        seconds.append(time.process_time() - start)
    return {"faces": faces[1:], "seconds": seconds[1:], "megabytes": peak_megabytes()}


def peak_megabytes() -> float:
    """Largest memory of this process so far."""
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e6


def tabulate(results: dict[str, dict], seen: list[int | None]) -> Table:
    """One row per method; the first is what the ratio compares with.

    Args:
        results: of :func:`measure`.
        seen: the number of faces that a person counts in every photo, None where it is not known.
    """
    counted = sum(count for count in seen if count is not None)
    table = Table(title=f"{len(seen)} photos, CPU time on one core")
    table.add_column("method", no_wrap=True)
    for column in ("faces", f"of {counted} counted", "too many", "median s", "total s", "ratio", "peak MB"):
        table.add_column(column, justify="right")
    first = sum(next(iter(results.values()))["seconds"])
    for method, result in results.items():
        pairs = [(found, count) for found, count in zip(result["faces"], seen, strict=True) if count is not None]
        found = sum(min(pair) for pair in pairs)
        false = sum(max(0, found - count) for found, count in pairs)
        total = sum(result["seconds"])
        figures = f"{statistics.median(result['seconds']):.2f}", f"{total:.1f}", f"{total / first:.1f}"
        known = (str(found), str(false)) if pairs else ("—", "—")
        table.add_row(method, str(sum(result["faces"])), *known, *figures, f"{result['megabytes']:.0f}")
    return table


if __name__ == "__main__":
    sys.exit(main())
