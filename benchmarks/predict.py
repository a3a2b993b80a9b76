"""Speed of ``facial-expression predict``: on one core and on all, next to the package ``fer``, and where the time goes.

Run from the repository root, with nothing else running::

    python -m benchmarks.predict --fer-python /tmp/fer/bin/python    # for fer, see benchmarks/fer_runner.py
    python -m benchmarks.predict --photos 100

The photos, JPEG files of 640x480, are made of those in the folder ``FACIAL_EXPRESSION_PHOTOS``, each in many positions
and sizes, or else of the web app's drawn samples. Photos per second are wall time, for ``predict`` with its start, for
``fer`` without; ``fer`` is called photo by photo and may use all cores. CPU time depends less on what else runs.

The last line is what ``predict`` adds, once it has started, to detection, landmarks and network: reading and decoding
files, cropping faces and writing rows.
"""

import argparse
import csv
import multiprocessing
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Any
from unittest import mock

import cv2
import numpy as np
from rich.console import Console
from rich.table import Table
from tqdm import tqdm

from benchmarks.fer_runner import run_fer
from benchmarks.photos import list_photos
from facial_expression.cli.prediction import Request, predict
from facial_expression.cli.sources import Sources
from facial_expression.cli.work import Options, model_sha256, recognize_chunk
from facial_expression.cores import usable_cores
from facial_expression.faces.detection import FaceDetector
from facial_expression.recognizer import Recognizer

SAMPLES = "app/static/samples"
WIDTH, HEIGHT = 640, 480
PARTS = {
    "detection": (FaceDetector, "find"),
    "landmarks": (FaceDetector, "landmarks"),
    "network": (Recognizer, "classify"),
}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--photos", type=int, default=1000, help="number of photos (default: 1000)")
    parser.add_argument("--fer-python", type=Path, help="Python of an environment with fer")
    options = parser.parse_args()
    cores = usable_cores()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        photos = write_photos(folder, options.photos)
        results = {"predict, one core": measure(folder, 1)}
        if cores > 1:
            results[f"predict, {cores} cores"] = measure(folder, cores)
        if options.fer_python:
            for detector, title in {"haar": "fer, Haar", "mtcnn": "fer, MTCNN"}.items():
                results[title] = measure_fer(options.fer_python, detector, photos)
        with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as process:
            seconds = process.submit(time_parts, folder).result()
    Console().print(tabulate(results, len(photos)))
    core = sum(seconds[part] for part in PARTS)
    parts = ", ".join(f"{part} {1000 * seconds[part] / len(photos):.1f} ms" for part in PARTS)
    print(f"CPU time of a photo: {parts}; predict adds {(seconds['all'] - core) / core:.1%}")
    return 0


def write_photos(folder: Path, count: int) -> list[Path]:
    """JPEG files of 640x480: photos of people, shifted, scaled and mirrored; numbered."""
    originals = list(_load_originals())
    random = np.random.default_rng(0)
    paths = [folder / f"{number:04d}.jpg" for number in range(count)]
    for number, path in enumerate(tqdm(paths, desc="photos", leave=False)):
        original = originals[number % len(originals)]
        fit = min(WIDTH / original.shape[1], HEIGHT / original.shape[0]) * random.uniform(0.8, 1.2)
        shift = np.array([WIDTH, HEIGHT]) / 2 - fit * np.array(original.shape[1::-1]) / 2 + random.uniform(-40, 40, 2)
        warp = np.array([[fit, 0, shift[0]], [0, fit, shift[1]]])
        photo = cv2.warpAffine(original, warp, (WIDTH, HEIGHT), flags=cv2.INTER_AREA, borderMode=cv2.BORDER_REPLICATE)
        cv2.imwrite(str(path), photo[:, ::-1] if number % 2 else photo, [cv2.IMWRITE_JPEG_QUALITY, 90])
    return paths


def _load_originals() -> Iterator[np.ndarray]:
    for path in list_photos(Path(os.environ.get("FACIAL_EXPRESSION_PHOTOS") or SAMPLES)):
        original = cv2.imread(str(path))
        scale = min(1.0, 2 * WIDTH / max(original.shape))
        yield cv2.resize(original, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)


def measure(folder: Path, workers: int) -> dict[str, float]:
    """Wall and CPU seconds of the command, start included, and the faces that it finds."""
    output = folder / f"{workers}.csv"
    command = [sys.executable, "-m", "facial_expression", "predict", str(folder), "--workers", str(workers)]
    start = time.perf_counter()
    process = subprocess.Popen([*command, "--output", str(output)], stderr=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        sys.exit(f"predict failed: {' '.join(command)}")
    with open(output, newline="") as file:
        faces = sum(bool(row["person"]) for row in csv.DictReader(file))
    return {"wall": time.perf_counter() - start, "cpu": usage.ru_utime + usage.ru_stime, "faces": faces}


def measure_fer(python: Path, detector: str, photos: list[Path]) -> dict[str, float]:
    """The same of ``fer``, without its start."""
    found = run_fer(python, "photos", detector, *photos, threads=usable_cores())
    return {"wall": sum(found["wall_seconds"]), "cpu": sum(found["seconds"]), "faces": sum(found["faces"])}


def time_parts(folder: Path) -> dict[str, float]:
    """CPU seconds of the parts of a prediction in this process, and of all of it; for a process of its own."""
    seconds = dict.fromkeys(("all", *PARTS), 0.0)
    options = Options(None, model_sha256(None))
    request = Request(Sources([str(folder)]), options, folder / "parts.csv", "csv", workers=1)
    recognize_chunk(options, [])  # loads the models
    with ExitStack() as patches:
        for part, (owner, name) in PARTS.items():
            patches.enter_context(mock.patch.object(owner, name, _timed(getattr(owner, name), part, seconds)))
        _timed(predict, "all", seconds)(request, print)
    return seconds


def _timed(function: Callable, part: str, seconds: dict[str, float]) -> Callable:
    def call(*arguments: Any, **options: Any) -> Any:
        start = time.process_time()
        try:
            return function(*arguments, **options)
        finally:
            seconds[part] += time.process_time() - start

    return call


def tabulate(results: dict[str, dict[str, float]], photos: int) -> Table:
    """One row per method, with its time as a multiple of that of ``predict`` on all cores."""
    ours = [result["wall"] for title, result in results.items() if title.startswith("predict")][-1]
    table = Table(title=f"{photos:,} photos of {WIDTH}x{HEIGHT}")
    table.add_column("method", no_wrap=True)
    for column in ("faces", "photos/s", "times ours", "CPU ms per photo"):
        table.add_column(column, justify="right")
    for title, result in results.items():
        speed, cpu = photos / result["wall"], 1000 * result["cpu"] / photos
        table.add_row(title, str(result["faces"]), f"{speed:.1f}", f"{result['wall'] / ours:.2f}", f"{cpu:.0f}")
    return table


if __name__ == "__main__":
    sys.exit(main())
