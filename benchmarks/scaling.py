"""How time and memory of ``facial-expression predict`` grow with the number of pictures and of processes.

Run from the repository root, on Linux or macOS, with nothing else running::

    python -m benchmarks.scaling                    # 50, 500 and 5,000 synthetic faces
    python -m benchmarks.scaling --pictures 500     # ten times as many

Each row is a run of the command, with so many processes of its own, or with as many workers of a Dask scheduler on this
machine. Seconds and CPU time are those beyond a run with few pictures, so without the start of the processes. *CPU*
is the processor time that a picture takes in the command and in all of its processes, *scheduler* the same in Dask's
scheduler, whose workers are counted in neither; *peak* is the memory of the largest process of the command.
"""

import argparse
import contextlib
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

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
    table = Table("workers", title="facial-expression predict, faces of 48x48")
    for column in ("pictures", "seconds", "pictures/s", "CPU, ms", "scheduler, ms", "peak, MB"):
        table.add_column(column, justify="right")
    with tempfile.TemporaryDirectory() as name:
        write_faces(Path(name), counts[-1])
        for number in workers:
            measure(table, f"{number} processes", Path(name), [8 * number, *counts], ["--workers", str(number)])
        for number in workers:
            with dask_workers(number) as words:
                measure(table, f"{number} of Dask", Path(name), [8 * number, *counts], words)
    Console().print(table)
    return 0


@contextlib.contextmanager
def dask_workers(number: int) -> Iterator[list[str]]:
    """The words that make the command use so many workers of a Dask scheduler."""
    from distributed import LocalCluster  # late: it is large, and a process starts with the memory of its parent

    options: dict[str, Any] = {"threads_per_worker": 1, "dashboard_address": None, "env": {"OPENCV_IPP": "avx2"}}
    with LocalCluster(n_workers=number, **options) as cluster:
        yield ["--scheduler", cluster.scheduler_address]


def measure(table: Table, where: str, folder: Path, counts: Sequence[int], words: Sequence[str]) -> None:
    """Add a row for every number of pictures but the first, which only starts everything."""
    start = run(folder, counts[0], words)
    for count in counts[1:]:
        cost = run(folder, count, words)
        seconds, more = cost.seconds - start.seconds, count - counts[0]
        if seconds > 0 and more > 0:
            cpu, scheduler = (cost.cpu - start.cpu) / more, (cost.scheduler - start.scheduler) / more
            shown = f"{seconds:.1f}", f"{more / seconds:.0f}", f"{1000 * cpu:.1f}", f"{1000 * scheduler:.2f}"
            table.add_row(where, f"{count:,}", *shown, f"{cost.megabytes:.0f}")


def write_faces(folder: Path, count: int) -> None:
    """Synthetic faces as PNG files: a hundred ones, again and again."""
    faces = [draw_face(NAMES[number % len(NAMES)], np.random.default_rng(number)) for number in range(100)]
    encoded = [cv2.imencode(".png", face)[1].tobytes() for face in faces]
    for number in tqdm(range(count), desc="faces", leave=False):
        (folder / f"{number:08d}.png").write_bytes(encoded[number % len(encoded)])


class Cost(NamedTuple):
    """Of a run: wall time, processor time of the command and of this process, in seconds, and its peak memory."""

    seconds: float
    cpu: float
    scheduler: float
    megabytes: float


def run(folder: Path, count: int, words: Sequence[str]) -> Cost:
    """Run the command on the first so many faces."""
    names = "\n".join(str(folder / f"{number:08d}.png") for number in range(count))
    command = [sys.executable, "-m", "facial_expression", "predict", "-", *words]
    command += ["--output", str(folder / "faces.csv"), "--overwrite"]
    start, here = time.perf_counter(), time.process_time()
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stdin is not None
    process.stdin.write(names)
    process.stdin.close()
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        assert process.stderr is not None
        sys.exit(f"predict failed: {process.stderr.read()}")
    unit = 1 if sys.platform == "darwin" else 1024  # ru_maxrss: bytes on macOS, KiB on Linux
    cpu, scheduler = usage.ru_utime + usage.ru_stime, time.process_time() - here
    return Cost(time.perf_counter() - start, cpu, scheduler, usage.ru_maxrss * unit / 1e6)


if __name__ == "__main__":
    sys.exit(main())
