"""A Dask scheduler and its workers, each a process of its own."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from helpers.project import ROOT, environment


@dataclass
class DaskCluster:
    """Its scheduler's address and the processes of its workers."""

    address: str
    workers: list[subprocess.Popen]
    start: Callable[..., subprocess.Popen]

    def start_worker(self, **variables: str) -> None:
        """Start another worker and wait until it has come.

        Args:
            variables: of its environment.
        """
        self.workers.append(self.start(*_worker(self.address), **variables))
        _wait_for_workers(self.address, len(self.workers))

    def kill_worker(self) -> None:
        """Kill the first worker, as if its machine failed."""
        os.kill(self.workers[0].pid, signal.SIGKILL)
        self.workers.pop(0).wait()


@contextmanager
def running_cluster(folder: Path, workers: int = 3, package: Path | None = ROOT) -> Iterator[DaskCluster]:
    """Start a scheduler and wait until its workers have come.

    Args:
        folder: to run in; it also holds the log.
        workers: processes of one thread each.
        package: where the workers find the package; None for nowhere.
    """
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    address = f"tcp://127.0.0.1:{port}"
    variables = environment() | {"PYTHONPATH": str(package or "")}
    scheduler = ("scheduler", "--host", "127.0.0.1", "--port", str(port), "--no-dashboard")
    processes = []

    def start(*words: str, **others: str) -> subprocess.Popen:
        command = [sys.executable, "-m", "dask", *words]
        process = subprocess.Popen(command, cwd=folder, env=variables | others, stdout=log, stderr=log)
        processes.append(process)
        return process

    with open(folder / "log", "w") as log:
        start(*scheduler)
        started = [start(*_worker(address)) for _ in range(workers)]
        try:
            _wait_for_workers(address, workers)
            yield DaskCluster(address, started, start)
        finally:
            for process in processes:
                process.kill()
                process.wait()


def _worker(address: str) -> tuple[str, ...]:
    return ("worker", address, "--nthreads", "1", "--no-nanny", "--no-dashboard")


def _wait_for_workers(address: str, workers: int) -> None:
    from distributed import Client

    end = time.monotonic() + 60
    while True:
        try:
            with Client(address, timeout=60) as client:
                if workers:
                    client.wait_for_workers(workers, timeout=60)
            return
        except OSError:  # the scheduler does not listen yet
            assert time.monotonic() < end, "the scheduler does not start"
            time.sleep(0.1)
