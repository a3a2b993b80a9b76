"""What normal clients see while others attack the server.

Run from the repository root, on Linux or macOS::

    python -m benchmarks.attacks                  # needs models/serving
    python -m benchmarks.attacks --seconds 5      # for each attack

Four normal clients send photos of 640 x 480 pixels, one after the other, to a server with two workers, first alone and
then during each attack. All clients run on this machine and share its cores with the server. Prints one row for each
attack: responses to the normal clients, their latency relative to that without an attack, and the server's memory and
log. Exits with status 1 if a normal client got no response, or another one than 200 or 503.
"""

import argparse
import asyncio
import collections
import contextlib
import io
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit

import httpx2
import numpy as np
from PIL import Image
from rich.console import Console
from rich.table import Table

from benchmarks.serving import make_photo, running_server

NORMAL_CLIENTS = 4
POST = "POST /api/v1/recognize HTTP/1.1\r\nHost: x\r\nContent-Type: image/png\r\nContent-Length: {length}\r\n\r\n"

Attack = Callable[[str, int], Awaitable[None]]


class Seen(NamedTuple):
    """What the normal clients saw: responses by status, seconds of each successful one, and of all together."""

    statuses: collections.Counter[str]
    latencies: list[float]
    seconds: float


async def upload_slowly(host: str, port: int) -> None:
    """Send a body of a megabyte at ten bytes a second."""
    _, writer = await asyncio.open_connection(host, port)
    writer.write(POST.format(length=1_000_000).encode())
    while True:
        writer.write(b"x")
        await writer.drain()
        await asyncio.sleep(0.1)


async def send_half_of_headers(host: str, port: int) -> None:
    """Begin a request and leave it at that."""
    reader, writer = await asyncio.open_connection(host, port)
    writer.write(b"GET / HTTP/1.1\r\nHost: x\r\nX-Half: ")
    await reader.read()


async def fill_memory(host: str, port: int) -> None:
    """Send almost all of a large body, then stall."""
    reader, writer = await asyncio.open_connection(host, port)
    writer.write(POST.format(length=25_000_000).encode())
    for _ in range(24):
        writer.write(bytes(1_000_000))
        await writer.drain()
    await reader.read()


async def send_costly_images(host: str, port: int) -> None:
    """Send images that are small as files and large as pixels."""
    file = io.BytesIO()
    Image.new("RGB", (5000, 5000), (10, 20, 30)).save(file, "PNG")
    async with httpx2.AsyncClient(base_url=f"http://{host}:{port}", timeout=60) as client:
        while True:
            response = await client.post("/api/v1/recognize", content=file.getvalue())
            if response.status_code == 503:
                await asyncio.sleep(0.1)


async def read_nothing(host: str, port: int) -> None:
    """Ask for a large file again and again, and never read it."""
    _, writer = await asyncio.open_connection(host, port, limit=1)
    while True:
        writer.write(b"GET /swagger/swagger-ui-bundle.js HTTP/1.1\r\nHost: x\r\n\r\n")
        await writer.drain()
        await asyncio.sleep(0.1)


ATTACKS: dict[str, tuple[int, Attack]] = {
    "slow uploads": (40, upload_slowly),
    "half-sent headers": (300, send_half_of_headers),
    "large stalled bodies": (20, fill_memory),
    "costly images": (4, send_costly_images),
    "unread responses": (40, read_nothing),
}


async def repeat(attack: Attack, host: str, port: int) -> None:
    """Attack again whenever the server ends the connection."""
    while True:
        with contextlib.suppress(OSError, httpx2.TransportError):
            await attack(host, port)
        await asyncio.sleep(0.05)


async def send_photos(address: str, seconds: float) -> Seen:
    """Send photos as normal clients do, each waiting a moment after a refusal."""
    photo, statuses, latencies = make_photo(640, 480), collections.Counter[str](), list[float]()
    begin = time.perf_counter()
    end = begin + seconds

    async def send(client: httpx2.AsyncClient) -> None:
        while time.perf_counter() < end:
            start = time.perf_counter()
            try:
                status = str((await client.post("/api/v1/recognize", content=photo)).status_code)
            except httpx2.TransportError as error:
                status = type(error).__name__
            statuses[status] += 1
            if status == "200":
                latencies.append(time.perf_counter() - start)
            else:
                await asyncio.sleep(0.1)

    async with httpx2.AsyncClient(base_url=address, timeout=30) as client:
        await asyncio.gather(*(send(client) for _ in range(NORMAL_CLIENTS)))
    return Seen(statuses, latencies, time.perf_counter() - begin)


async def measure(address: str, seconds: float, attackers: int, attack: Attack | None) -> Seen:
    parts = urlsplit(address)
    tasks = [asyncio.create_task(repeat(attack, parts.hostname, parts.port)) for _ in range(attackers) if attack]
    await asyncio.sleep(1)  # until all are there
    try:
        return await send_photos(address, seconds)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def compare(directory: Path, seconds: float) -> bool:
    """Print the table; return whether every normal client was answered."""
    columns = ("responses", "per second", "p50", "p99", "memory, MB", "log, kB")
    table = Table("attack", *columns, title=f"{NORMAL_CLIENTS} normal clients, {seconds:g} s each; latency relative")
    answered, usual = True, 1.0
    rows: dict[str, tuple[int, Attack | None]] = {"none": (0, None), **ATTACKS}
    for name, (count, attack) in rows.items():
        with tempfile.TemporaryFile() as log, running_server(directory, log) as (address, process, _):
            seen = asyncio.run(measure(address, seconds, count, attack))
            memory = process.memory_info().rss / 1e6
            log_size = log.seek(0, io.SEEK_END) / 1e3
        p50, p99 = (np.quantile(seen.latencies, share) if seen.latencies else np.nan for share in (0.5, 0.99))
        usual = p50 if attack is None else usual
        counts = ", ".join(f"{number} with {status}" for status, number in sorted(seen.statuses.items()))
        rate = f"{len(seen.latencies) / seen.seconds:.1f}"
        figures = rate, f"{p50 / usual:.1f}", f"{p99 / usual:.1f}", f"{memory:.0f}", f"{log_size:.1f}"
        table.add_row(f"{count} x {name}" if count else name, counts, *figures)
        answered &= bool(seen.latencies) and set(seen.statuses) <= {"200", "503"}
    Console().print(table)
    return answered


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", type=Path, default=Path("models/serving"), help="directory with card.json")
    parser.add_argument("--seconds", type=float, default=10, help="duration of each attack")
    options = parser.parse_args()
    return 0 if compare(options.model, options.seconds) else 1


if __name__ == "__main__":
    sys.exit(main())
