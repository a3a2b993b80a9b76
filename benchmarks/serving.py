"""Speed of recognition, optionally compared with the package ``fer``, and throughput and memory of the server.

Run from the repository root, on Linux or macOS, with nothing else running::

    python -m benchmarks.serving                  # needs models/serving
    python -m benchmarks.serving --seconds 10     # a shorter load test
    python -m benchmarks.serving --fer-python /tmp/fer/bin/python    # with fer: see benchmarks/fer_runner.py

Prints four tables. *Photo*: from the bytes of a JPEG to the expressions of its faces, on one core; ``fer`` runs in its
own process with its Haar detector. *Classifier*: from crops to probabilities, compared with ONNX Runtime alone on the
same pixels. *Load test*: clients on this machine send photos to a server with two workers, so both share the cores.
*Footprint*: startup time, memory and disk space.

Times are medians. Exits with status 1 if a request in the load test failed.
"""

import argparse
import asyncio
import collections
import io
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import cv2
import httpx2
import numpy as np
import onnxruntime
import psutil
from PIL import Image
from rich.console import Console
from rich.table import Table

from benchmarks.fer_runner import run_fer
from facial_expression.data.synthetic import draw_face
from facial_expression.errors import UserError
from facial_expression.images import decode_gray
from facial_expression.recognizer import Recognizer
from facial_expression.views import Views

CLIENTS, WORKERS = 32, 2
EARLY = 10  # seconds into the load test at which memory is first measured
BATCHES = (1, 32)
ROUNDS = 15
ENVIRONMENT = Path(".venv-serve")

console = Console()


def make_photo(width: int, height: int) -> bytes:
    """A JPEG of one synthetic face at the center."""
    photo = np.full((height, width), 150, np.uint8)
    side = height // 2
    top, left = (height - side) // 2, (width - side) // 2
    face = draw_face("happy", np.random.default_rng([100, 0]))
    photo[top : top + side, left : left + side] = cv2.resize(face, (side, side), interpolation=cv2.INTER_CUBIC)
    file = io.BytesIO()
    Image.fromarray(photo).convert("RGB").save(file, "JPEG", quality=90)
    return file.getvalue()


def median_seconds(job: Callable[[], object]) -> float:
    """Median time of a job in seconds, after a warm-up."""
    job()
    times = []
    for _ in range(ROUNDS):
        start = time.perf_counter()
        job()
        times.append(time.perf_counter() - start)
    return statistics.median(times)


def time_fer(python: Path, photo: bytes) -> dict[str, dict]:
    """Median seconds and number of faces, by format of the network in ``fer``."""
    with tempfile.NamedTemporaryFile(suffix=".jpg") as file:
        file.write(photo)
        file.flush()
        return run_fer(python, "photo", file.name, str(ROUNDS))


def compare_photos(recognizer: Recognizer, fer_python: Path | None) -> None:
    def recognize(data: bytes) -> list:
        return recognizer.recognize(decode_gray(data, max_pixels=50_000_000))

    small, large = make_photo(640, 480), make_photo(4000, 3000)
    own = median_seconds(lambda: recognize(small))
    table = Table("one face", title="Photo, on one core")
    for column in ("ms", "relative", "faces found"):
        table.add_column(column, justify="right")
    table.add_row("ours, 640 x 480", f"{1000 * own:.1f}", "1.0", str(len(recognize(small))))
    if fer_python:
        for network, theirs in time_fer(fer_python, small).items():
            cells = f"{1000 * theirs['seconds']:.1f}", f"{theirs['seconds'] / own:.1f}", str(theirs["faces"])
            table.add_row(f"fer, Haar and {network}, 640 x 480", *cells)
    seconds = median_seconds(lambda: recognize(large))
    table.add_row("ours, 4000 x 3000", f"{1000 * seconds:.1f}", f"{seconds / own:.1f}", str(len(recognize(large))))
    console.print(table)


def compare_classifiers(recognizer: Recognizer, directory: Path) -> None:
    card = recognizer.card
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    path = directory / card["model"]["file"]
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    size, name = card["preprocessing"]["size"], card["preprocessing"]["input"]["name"]
    table = Table("faces", title=f"Classifier {card['run']}, {card['model']['variant']}, on one core")
    for column in ("ONNX Runtime alone, ms", "classify, ms", "ratio"):
        table.add_column(column, justify="right")
    for count in BATCHES:
        crops = np.random.default_rng(0).integers(0, 256, (count, size, size)).astype(np.uint8)
        pixels = np.concatenate(Views(**card["views"]).of(crops))[..., None].astype(np.float32)
        runtime = median_seconds(lambda pixels=pixels: session.run(None, {name: pixels}))
        ours = median_seconds(lambda crops=crops: recognizer.classify(crops))
        table.add_row(str(count), f"{1000 * runtime:.2f}", f"{1000 * ours:.2f}", f"{ours / runtime:.2f}")
    console.print(table)


@contextmanager
def running_server(directory: Path, log: IO[bytes] | None = None) -> Iterator[tuple[str, psutil.Process, float]]:
    """Start a server; yield its address, its process, and the seconds until it was ready.

    Args:
        directory: with the model.
        log: for what it prints; by default, only its errors are shown.
    """
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    python = ENVIRONMENT / "bin" / "python"
    command = [python if python.exists() else sys.executable, "-m", "app"]
    settings = {"MODEL": directory, "WORKERS": WORKERS, "PORT": port}
    variables = {f"FACIAL_EXPRESSION_{name}": str(value) for name, value in settings.items()}
    start = time.perf_counter()
    server = subprocess.Popen(command, env=os.environ | variables, stdout=log or subprocess.DEVNULL, stderr=log)
    try:
        address = f"http://127.0.0.1:{port}"
        wait_until_ready(f"{address}/readyz", server)
        yield address, psutil.Process(server.pid), time.perf_counter() - start
    finally:
        server.terminate()
        server.wait()


def wait_until_ready(url: str, server: subprocess.Popen, limit: float = 60) -> None:
    deadline = time.monotonic() + limit
    while server.poll() is None and time.monotonic() < deadline:
        try:
            if httpx2.get(url).status_code == 200:
                return
        except httpx2.TransportError:
            time.sleep(0.02)
    sys.exit("serving: the server did not start; see its message above")


async def run_load_test(address: str, process: psutil.Process, seconds: float) -> tuple[dict, list, list, float]:
    """Number of responses by status, seconds per successful response, memory in MB early and at the end, and seconds
    until the last response."""
    photo, statuses, latencies, memory = make_photo(640, 480), collections.Counter(), [], []
    begin = time.perf_counter()
    end = begin + seconds
    limits = httpx2.Limits(max_connections=CLIENTS)
    async with httpx2.AsyncClient(base_url=address, timeout=60, limits=limits) as client:

        async def send_photos() -> None:
            while time.perf_counter() < end:
                start = time.perf_counter()
                try:
                    response = await client.post("/api/v1/recognize", content=photo)
                    status = str(response.status_code)
                except httpx2.TransportError as error:
                    status = type(error).__name__
                statuses[status] += 1
                if status == "200":
                    latencies.append(time.perf_counter() - start)

        async def measure_memory() -> None:
            await asyncio.sleep(min(EARLY, seconds / 2))
            memory.append(process.memory_info().rss / 1e6)
            await asyncio.sleep(max(0, end - time.perf_counter()))
            memory.append(process.memory_info().rss / 1e6)

        await asyncio.gather(measure_memory(), *(send_photos() for _ in range(CLIENTS)))
        elapsed = time.perf_counter() - begin
    return statuses, latencies, memory, elapsed


def measure_server(directory: Path, seconds: float) -> bool:
    """Print the results of the load test and the footprint; return whether all requests succeeded."""
    with running_server(directory) as (address, process, start):
        idle = process.memory_info().rss / 1e6
        statuses, latencies, memory, elapsed = asyncio.run(run_load_test(address, process, seconds))
    load = Table("responses", title=f"Load test: {CLIENTS} clients for {seconds:g} s, 640 x 480, {WORKERS} workers")
    for column in ("per second", "p50 ms", "p99 ms"):
        load.add_column(column, justify="right")
    p50, p99 = (1000 * np.quantile(latencies, share) if latencies else np.nan for share in (0.5, 0.99))
    counts = ", ".join(f"{count:,} with {status}" for status, count in sorted(statuses.items()))
    load.add_row(counts, f"{len(latencies) / elapsed:.1f}", f"{p50:.0f}", f"{p99:.0f}")
    console.print(load)
    table = Table("", title="Footprint")
    table.add_column("value", justify="right")
    table.add_row("startup, s", f"{start:.2f}")
    table.add_row("memory when idle, MB", f"{idle:.0f}")
    table.add_row(f"memory after {min(EARLY, seconds / 2):g} s of load, MB", f"{memory[0]:.0f}")
    table.add_row("memory at the end, MB", f"{memory[1]:.0f}")
    table.add_row("installed environment, MB", installed_size())
    console.print(table)
    return set(statuses) == {"200"}


def installed_size() -> str:
    if not ENVIRONMENT.exists():
        return f"no {ENVIRONMENT}: run make serve"
    files = [path.lstat() for path in ENVIRONMENT.rglob("*") if path.is_file() and not path.is_symlink()]
    return f"{sum(file.st_blocks for file in files) * 512 / 1e6:.0f}"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", type=Path, default=Path("models/serving"), help="directory with card.json")
    parser.add_argument("--fer-python", type=Path, help="Python of an environment with fer")
    parser.add_argument("--seconds", type=float, default=60, help="duration of the load test")
    options = parser.parse_args()
    try:
        recognizer = Recognizer.load(options.model)
    except UserError as error:
        sys.exit(f"serving: {error}")
    cv2.setNumThreads(1)
    compare_photos(recognizer, options.fer_python)
    compare_classifiers(recognizer, options.model)
    return 0 if measure_server(options.model, options.seconds) else 1


if __name__ == "__main__":
    sys.exit(main())
