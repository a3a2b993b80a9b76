"""A server in a process of its own, and clients that misbehave."""

import os
import resource
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from helpers.project import ROOT

PREFIX = "FACIAL_EXPRESSION_"


def environment(**settings) -> dict[str, str]:
    """This process's environment with these settings and no others."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(PREFIX) and name != "PORT"}
    return kept | {PREFIX + name.upper(): str(value) for name, value in settings.items()}


class Server:
    """A running ``python -m app``."""

    def __init__(self, process: subprocess.Popen, log: Path, port: int):
        self.process, self.log, self.port = process, log, port
        self.address = f"http://127.0.0.1:{port}"

    def connect(self, data: bytes = b"") -> socket.socket:
        """A connection on which the data has been sent."""
        connection = socket.create_connection(("127.0.0.1", self.port), timeout=30)
        connection.sendall(data)
        return connection

    def get(self, path: str) -> int:
        """The status of a GET."""
        return self._status(urllib.request.Request(self.address + path))

    def post(self, data: bytes) -> int:
        """The status of a recognition."""
        headers = {"Content-Type": "image/png"}
        return self._status(urllib.request.Request(f"{self.address}/api/v1/recognize", data, headers))

    def pause(self, seconds: float) -> None:
        """Let the process do nothing for a while, as on a busy machine."""
        self.process.send_signal(signal.SIGSTOP)
        time.sleep(seconds)
        self.process.send_signal(signal.SIGCONT)
        time.sleep(0.002)

    def stop(self) -> None:
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        self.process.wait(30)

    def _status(self, request: urllib.request.Request) -> int:
        try:
            with urllib.request.urlopen(request, timeout=30) as response:
                return response.status
        except urllib.error.HTTPError as error:
            return error.code


@contextmanager
def running_server(log: Path, open_files: int = 1024, **settings) -> Iterator[Server]:
    """Start a server at a free port.

    Args:
        log: the file for its output.
        open_files: how many files it may have open.
        settings: its settings, in lower case.
    """
    port = free_port()
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "app"],
            cwd=ROOT,
            env=environment(**{"port": port, "response_timeout": 60} | settings),  # machines may be slow
            stdout=output,
            stderr=output,
            preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (open_files, open_files)),
        )
    server = Server(process, log, port)
    try:
        wait_until_ready(server)
        yield server
    finally:
        server.stop()


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


def wait_until_ready(server: Server) -> None:
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        assert server.process.poll() is None, server.log.read_text()
        try:
            assert server.get("/healthz") == 200
            return
        except urllib.error.URLError:
            time.sleep(0.05)
    raise TimeoutError(server.log.read_text())


def is_closed(connection: socket.socket) -> bool:
    """Wait until the other side closes a connection, and skip what it sends before; False after 30 seconds."""
    connection.settimeout(30)
    try:
        while connection.recv(65536):
            pass
    except ConnectionError:
        return True
    except TimeoutError:
        return False
    return True
