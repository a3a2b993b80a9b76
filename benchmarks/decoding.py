"""Measure time and memory of decoding FER2013's CSV, compared with common ways of splitting it row by row.

Run from the repository root, on Linux or macOS::

    python -m benchmarks.decoding                      # a temporary file of random rows
    python -m benchmarks.decoding --csv fer2013.csv    # the real file

Each method decodes the same file in a process of its own, which reports its wall time and its peak memory (resident
set, imports included). The file is read once beforehand, so that it is in the system's cache. If the images differ
between methods, the exit status is 1.
"""

import argparse
import hashlib
import resource
import sys
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import pandas as pd
from rich.console import Console
from rich.table import Table
from tqdm import tqdm

from facial_expression.data.face_table import USAGES
from facial_expression.data.pixel_csv import read_pixel_csv
from facial_expression.emotions import EMOTIONS

SIZE = 48
RANDOM_ROWS = 3000


def split_with_python(path: Path) -> np.ndarray:
    with path.open() as file:
        column = [name.strip() for name in next(file).split(",")].index("pixels")
        return np.stack([np.array(line.split(",")[column].strip('"\n ').split(), np.uint8) for line in file])


def split_with_pandas(path: Path) -> np.ndarray:
    pixels = pd.read_csv(path, skipinitialspace=True)["pixels"]
    return np.stack([np.array(text.split(), np.uint8) for text in pixels])


def parse_rows_with_numpy(path: Path) -> np.ndarray:
    with path.open() as file:
        column = [name.strip() for name in next(file).split(",")].index("pixels")
        return np.stack([np.fromstring(line.split(",")[column].strip('"\n '), np.uint8, sep=" ") for line in file])


def read_here(path: Path) -> np.ndarray:
    return read_pixel_csv(path, SIZE, progress=False).images


METHODS = {
    "split and np.array, row by row": split_with_python,
    "pandas.read_csv, then the same": split_with_pandas,
    "np.fromstring, row by row, unchecked": parse_rows_with_numpy,
    "read_pixel_csv, checked": read_here,
}


def measure(method: str, path: Path) -> tuple[float, float, str]:
    """Seconds, peak memory of this process in MB, and a digest of the images."""
    start = time.perf_counter()
    images = METHODS[method](path)
    seconds = time.perf_counter() - start
    unit = 1 if sys.platform == "darwin" else 1024  # ru_maxrss: bytes on macOS, KiB on Linux
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e6
    return seconds, peak, hashlib.sha256(images.tobytes()).hexdigest()


def write_random_csv(path: Path) -> None:
    random = np.random.default_rng(0)
    with path.open("w") as file:
        print("emotion,pixels,Usage", file=file)
        for _ in range(RANDOM_ROWS):
            pixels = " ".join(map(str, random.integers(0, 256, SIZE * SIZE)))
            print(random.integers(len(EMOTIONS)), pixels, random.choice(USAGES), sep=",", file=file)


def warm_cache(path: Path) -> None:
    # In pieces, because a child's peak memory starts from its parent's.
    with path.open("rb") as file:
        while file.read(1 << 20):
            pass


def compare(path: Path) -> int:
    """Measure all methods on the file, print the table and return the exit status."""
    warm_cache(path)
    results = {}
    for method in tqdm(METHODS, desc="Decoding", leave=False):
        with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as fresh_process:
            results[method] = fresh_process.submit(measure, method, path).result()
    own_seconds = results["read_pixel_csv, checked"][0]
    table = Table("method", title=f"{path.name}, {path.stat().st_size / 1e6:.0f} MB")
    for column in ("seconds", "times ours", "peak MB"):
        table.add_column(column, justify="right")
    for method, (seconds, peak, _) in results.items():
        table.add_row(method, f"{seconds:.2f}", f"{seconds / own_seconds:.1f}", f"{peak:.0f}")
    Console().print(table)
    equal = len({digest for _, _, digest in results.values()}) == 1
    print("All images are equal." if equal else "The images DIFFER.")
    return 0 if equal else 1


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--csv", type=Path, help="a CSV file of FER2013 with 48 x 48 pixels; default: random rows")
    path = parser.parse_args().csv
    if path:
        return compare(path)
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "random.csv"
        write_random_csv(path)
        return compare(path)


if __name__ == "__main__":
    sys.exit(main())
