"""How time and memory of ``facial-expression predict`` grow with the number of pictures and of processes.

Run from the repository root, on Linux or macOS, with nothing else running::

    python -m benchmarks.scaling                    # 50, 500 and 5,000 synthetic faces
    python -m benchmarks.scaling --pictures 500     # ten times as many

Each row is a run of the command. Seconds are wall time without the start of the processes, which is that of a run with
few pictures; the peak memory is that of the largest process.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import cv2
import numpy as np
from rich.console import Console
from rich.table import Table
from tqdm import tqdm

from facial_expression.cores import usable_cores
from facial_expression.data.synthetic import draw_face
from facial_expression.emotions import NAMES

SIZES = (1, 10, 100)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pictures", type=int, default=50, help="in the smallest corpus (default: 50)")
    options = parser.parse_args()
    counts = [size * options.pictures for size in SIZES]
    workers = sorted({2**power for power in range(usable_cores().bit_length())} | {usable_cores()})
    table = Table(title="facial-expression predict, faces of 48x48")
    for column in ("pictures", "processes", "seconds", "pictures/s", "peak MB"):
        table.add_column(column, justify="right")
    with tempfile.TemporaryDirectory() as name:
        write_faces(Path(name), counts[-1])
        for number in workers:
            start = run(Path(name), 8 * number, number)[0]
            for count in counts:
                seconds, megabytes = run(Path(name), count, number)
                speed = count / (seconds - start) if seconds > start else float("nan")
                row = (f"{count:,}", str(number), f"{seconds - start:.1f}", f"{speed:.0f}", f"{megabytes:.0f}")
                table.add_row(*row)
    Console().print(table)
    return 0


def write_faces(folder: Path, count: int) -> None:
    """Synthetic faces as PNG files: a hundred ones, again and again."""
    faces = [draw_face(NAMES[number % len(NAMES)], np.random.default_rng(number)) for number in range(100)]
    encoded = [cv2.imencode(".png", face)[1].tobytes() for face in faces]
    for number in tqdm(range(count), desc="faces", leave=False):
        (folder / f"{number:08d}.png").write_bytes(encoded[number % len(encoded)])


def run(folder: Path, count: int, workers: int) -> tuple[float, float]:
    """Seconds and peak memory, in MB, of the command for the first so many faces."""
    names = "\n".join(str(folder / f"{number:08d}.png") for number in range(count))
    command = [sys.executable, "-m", "facial_expression", "predict", "-", "--workers", str(workers)]
    command += ["--output", str(folder / "faces.csv"), "--overwrite"]
    start = time.perf_counter()
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    assert process.stdin is not None
    process.stdin.write(names)
    process.stdin.close()
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        sys.exit(f"predict failed: {' '.join(command)}")
    unit = 1 if sys.platform == "darwin" else 1024  # ru_maxrss: bytes on macOS, KiB on Linux
    return time.perf_counter() - start, usage.ru_maxrss * unit / 1e6


if __name__ == "__main__":
    sys.exit(main())
