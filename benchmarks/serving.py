"""How fast photos are recognized, compared with the package ``fer``, and what the server bears.

Run from the repository root, on Linux or macOS, with nothing else running::

    python -m benchmarks.serving                  # needs models/serving
    python -m benchmarks.serving --seconds 10     # a shorter load
    python -m benchmarks.serving --fer-python /tmp/fer/bin/python    # and the peer, from an environment that has it

Four tables. *One photo*: from the bytes of a JPEG to its faces' expressions, in this process on one core, and ``fer``
in a process of its own, with its Haar detector. *Classifier*: cropped faces to probabilities, against ONNX Runtime
alone on the same pixels. *Load*: clients on this machine send one photo after the other to a server of two workers, so
that server and clients share the cores. *Footprint*: start, memory and size.

Times are medians. Exit status 1 if a request failed that should not have.
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

import cv2
import httpx2
import numpy as np
import onnxruntime
import psutil
from PIL import Image
from rich.console import Console
from rich.table import Table

from app.images import decode_gray
from benchmarks.ask_peer import ask_peer
from facial_expression.recognizer import Recognizer
from facial_expression.synthetic import draw_face

CLIENTS, WORKERS, EARLY = 32, 2, 10
BATCHES = (1, 32)
REPETITIONS = 15
ENVIRONMENT = Path(".venv-serve")

console = Console()


def make_photo(width: int, height: int) -> bytes:
    """A JPEG of one drawn face, a third as high as the photo."""
    photo = np.full((height, width), 150, np.uint8)
    side = height // 2
    top, left = (height - side) // 2, (width - side) // 2
    face = draw_face("happy", np.random.default_rng([100, 0]))
    photo[top : top + side, left : left + side] = cv2.resize(face, (side, side), interpolation=cv2.INTER_CUBIC)
    file = io.BytesIO()
    Image.fromarray(photo).convert("RGB").save(file, "JPEG", quality=90)
    return file.getvalue()


def seconds_of(job: Callable[[], object]) -> float:
    """Median time of a job in seconds, after a first run that does not count."""
    job()
    times = []
    for _ in range(REPETITIONS):
        start = time.perf_counter()
        job()
        times.append(time.perf_counter() - start)
    return statistics.median(times)


def time_fer(python: Path, photo: bytes) -> dict[str, dict]:
    """Median seconds that ``fer`` takes for a photo and how many faces it finds, by form of its network."""
    with tempfile.NamedTemporaryFile(suffix=".jpg") as file:
        file.write(photo)
        file.flush()
        return ask_peer(python, "photo", file.name, str(REPETITIONS))


def compare_photos(recognizer: Recognizer, fer_python: Path | None) -> None:
    def recognize(data: bytes) -> list:
        return recognizer.recognize(decode_gray(data, max_pixels=50_000_000))

    small, large = make_photo(640, 480), make_photo(4000, 3000)
    own = seconds_of(lambda: recognize(small))
    table = Table("one photo, one face", title="One photo, on one core")
    for column in ("ms", "times ours", "faces"):
        table.add_column(column, justify="right")
    table.add_row("ours, 640 x 480", f"{1000 * own:.1f}", "1.0", str(len(recognize(small))))
    if fer_python:
        for form, theirs in time_fer(fer_python, small).items():
            cells = f"{1000 * theirs['seconds']:.1f}", f"{theirs['seconds'] / own:.1f}", str(theirs["faces"])
            table.add_row(f"fer, Haar and {form}, 640 x 480", *cells)
    biggest = seconds_of(lambda: recognize(large))
    table.add_row("ours, 4000 x 3000", f"{1000 * biggest:.1f}", f"{biggest / own:.1f}", str(len(recognize(large))))
    console.print(table)


def compare_classifiers(recognizer: Recognizer, directory: Path) -> None:
    card = recognizer.card
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    path = directory / card["model"]["file"]
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    size, name = card["preprocessing"]["size"], card["preprocessing"]["input"]["name"]
    table = Table("faces", title=f"Classifier {card['family']}, {card['model']['variant']}, on one core")
    for column in ("ONNX Runtime alone, ms", "classify, ms", "ratio"):
        table.add_column(column, justify="right")
    for count in BATCHES:
        crops = np.random.default_rng(0).integers(0, 256, (count, size, size)).astype(np.uint8)
        views = [crops, crops[:, :, ::-1]] if card["flip"] else [crops]
        pixels = np.concatenate(views)[..., None].astype(np.float32)
        bare = seconds_of(lambda pixels=pixels: session.run(None, {name: pixels}))
        ours = seconds_of(lambda crops=crops: recognizer.classify(crops))
        table.add_row(str(count), f"{1000 * bare:.2f}", f"{1000 * ours:.2f}", f"{ours / bare:.2f}")
    console.print(table)


@contextmanager
def running_server(directory: Path) -> Iterator[tuple[str, psutil.Process, float]]:
    """A server process: its address, the process, and how many seconds it took to be ready."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    python = ENVIRONMENT / "bin" / "python"
    command = [python if python.exists() else sys.executable, "-m", "uvicorn", "--factory", "app.main:create_app"]
    variables = {"FACIAL_EXPRESSION_MODEL": str(directory), "FACIAL_EXPRESSION_WORKERS": str(WORKERS)}
    start = time.perf_counter()
    server = subprocess.Popen(
        [*command, "--port", str(port), "--log-level", "warning"], env=os.environ | variables, text=True
    )
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
    sys.exit("serving: the server did not start; its message stands above")


async def put_under_load(address: str, process: psutil.Process, seconds: float) -> tuple[dict, list, list]:
    """Answers by status, latencies of the good ones in seconds, and memory in MB after ten seconds and at the end."""
    photo, statuses, latencies, memory = make_photo(640, 480), collections.Counter(), [], []
    end = time.perf_counter() + seconds
    limits = httpx2.Limits(max_connections=CLIENTS)
    async with httpx2.AsyncClient(base_url=address, timeout=60, limits=limits) as client:

        async def send_photos() -> None:
            while time.perf_counter() < end:
                start = time.perf_counter()
                try:
                    response = await client.post("/api/recognize", content=photo)
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
    return statuses, latencies, memory


def measure_server(directory: Path, seconds: float) -> bool:
    """Print what the server bears and takes; whether all requests were answered."""
    with running_server(directory) as (address, process, start):
        idle = process.memory_info().rss / 1e6
        statuses, latencies, memory = asyncio.run(put_under_load(address, process, seconds))
    load = Table("answers", title=f"Load: {CLIENTS} clients for {seconds:g} s, 640 x 480, {WORKERS} workers")
    for column in ("per second", "p50 ms", "p99 ms"):
        load.add_column(column, justify="right")
    p50, p99 = (1000 * np.quantile(latencies, share) if latencies else np.nan for share in (0.5, 0.99))
    counts = ", ".join(f"{count:,} with {status}" for status, count in sorted(statuses.items()))
    load.add_row(counts, f"{len(latencies) / seconds:.1f}", f"{p50:.0f}", f"{p99:.0f}")
    console.print(load)
    table = Table("footprint")
    table.add_column("", justify="right")
    table.add_row("start to ready, s", f"{start:.2f}")
    table.add_row("memory at rest, MB", f"{idle:.0f}")
    table.add_row(f"memory after {min(EARLY, seconds / 2):g} s of load, MB", f"{memory[0]:.0f}")
    table.add_row("memory at the end, MB", f"{memory[1]:.0f}")
    table.add_row("installed environment, MB", installed_size())
    console.print(table)
    return set(statuses) == {"200"}


def installed_size() -> str:
    if not ENVIRONMENT.exists():
        return f"no {ENVIRONMENT}: make serve"
    files = [path.lstat() for path in ENVIRONMENT.rglob("*") if path.is_file() and not path.is_symlink()]
    return f"{sum(file.st_blocks for file in files) * 512 / 1e6:.0f}"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", type=Path, default=Path("models/serving"), help="directory with card.json")
    parser.add_argument("--fer-python", type=Path, help="python of an environment in which fer is installed")
    parser.add_argument("--seconds", type=float, default=60, help="how long the load lasts")
    options = parser.parse_args()
    try:
        recognizer = Recognizer.load(options.model)
    except (FileNotFoundError, ValueError) as error:
        sys.exit(f"serving: {error}")
    cv2.setNumThreads(1)
    compare_photos(recognizer, options.fer_python)
    compare_classifiers(recognizer, options.model)
    return 0 if measure_server(options.model, options.seconds) else 1


if __name__ == "__main__":
    sys.exit(main())
