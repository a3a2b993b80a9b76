"""The served application: what a process of its own withstands, and how it starts and stops."""

import contextlib
import http.client
import signal
import socket
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
import uvicorn
from PIL import Image

from app.connections import bounded_connections
from helpers.photos import encode
from helpers.project import ROOT
from helpers.server import environment, is_closed, running_server

IMAGE = encode(Image.new("L", (20, 20)))
HEADERS = b"POST /api/v1/recognize HTTP/1.1\r\nHost: x\r\nContent-Type: image/png\r\nContent-Length: 1000000\r\n\r\n"
HALF = b"GET / HTTP/1.1\r\nHost: x\r\nX-Half: "


@pytest.fixture(scope="module")
def server(model_directory, tmp_path_factory):
    """A server that gives up on headers soon, and has one slot."""
    log = tmp_path_factory.mktemp("server") / "log"
    settings = {"model": model_directory, "workers": 1, "queue_size": 0, "header_timeout": 1, "max_client_uploads": 32}
    with running_server(log, **settings) as server:
        yield server


@pytest.fixture
def connections():
    """Connections to close at the end."""
    opened = []
    yield opened
    for connection in opened:
        connection.close()


@pytest.fixture
def trickle(connections):
    """Sends a byte on each of ``connections`` ten times a second, until the test ends."""
    ended = threading.Event()

    def send():
        while not ended.wait(0.1):
            for connection in list(connections):
                with contextlib.suppress(OSError):  # closed by the server
                    connection.send(b"x")

    thread = threading.Thread(target=send)
    thread.start()
    yield
    ended.set()
    thread.join()


@pytest.mark.usefixtures("trickle")
def test_answers_others_during_40_trickling_uploads(server, connections):
    connections += [server.connect(HEADERS) for _ in range(40)]
    assert [server.post(IMAGE) for _ in range(20)] == [200] * 20
    assert server.get("/readyz") == 200


def test_withstands_bursts_of_half_sent_headers_with_few_files(model_directory, tmp_path, connections):
    with running_server(tmp_path / "log", open_files=320, model=model_directory) as server:
        with ThreadPoolExecutor(20) as clients:
            opened = clients.map(server.connect, 700 * [HALF])
            for _ in range(20):  # what arrives meanwhile is accepted at once
                server.pause(0.03)
            connections += opened
        assert server.get("/healthz") == 200
        assert server.post(IMAGE) == 200
    assert len(server.log.read_bytes()) < 1000


@pytest.mark.usefixtures("trickle")
def test_closes_connection_whose_headers_trickle(server, connections):
    connections.append(server.connect(HALF))
    assert is_closed(connections[0])


def test_closes_idle_connection(server, connections):
    connections.append(server.connect())
    assert is_closed(connections[0])


@pytest.mark.usefixtures("trickle")
def test_closes_connection_that_sends_on_after_its_answer(server, connections):
    too_large = HEADERS.replace(b"1000000", b"100000000")
    connections.append(server.connect(too_large))
    assert is_closed(connections[0])


@contextlib.contextmanager
def running(app, **limits):
    """A server in a thread, and its port."""
    protocol = bounded_connections(**({"max_connections": 10, "header_timeout": 60} | limits))
    config = uvicorn.Config(app, http=protocol, ws="none", lifespan="off", port=0, log_level="error")
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        assert until(lambda: server.started)
        yield server, server.servers[0].sockets[0].getsockname()[1]
    finally:
        server.should_exit = server.force_exit = True
        thread.join()


def test_closes_connection_that_reads_no_response(make_app, monkeypatch):
    monkeypatch.setattr("app.connections.WRITE_TIMEOUT", 0.2)
    with running(make_app()) as (server, port), socket.create_connection(("127.0.0.1", port)) as connection:
        connection.sendall(20 * b"GET /swagger/swagger-ui-bundle.js HTTP/1.1\r\nHost: x\r\n\r\n")
        assert until(lambda: server.server_state.total_requests)
        assert until(lambda: not server.server_state.connections)


def test_keeps_connection_that_reads_its_response_slowly(monkeypatch):
    """However long it takes, as long as something is read between two deadlines."""
    size = 8_000_000

    async def app(scope, receive, send):
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"%d" % size)]})
        await send({"type": "http.response.body", "body": bytes(size)})

    monkeypatch.setattr("app.connections.WRITE_TIMEOUT", 0.3)
    with running(app, header_timeout=0.3) as (_, port), socket.socket() as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 50_000)
        connection.connect(("127.0.0.1", port))
        connection.sendall(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        received = 0
        while chunk := connection.recv(50_000):
            received += len(chunk)
            time.sleep(0.01)
    assert received > size


def until(condition) -> bool:
    """Wait until the condition is true; False after 30 seconds."""
    deadline = time.monotonic() + 30
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.01)
    return bool(condition())


def test_malformed_requests_leave_no_log(server):
    before = len(server.log.read_bytes())
    for _ in range(20):
        with server.connect(b"\x16\x03\x01 nonsense\r\n\r\n") as connection:
            assert is_closed(connection)
    assert len(server.log.read_bytes()) == before


def test_keeps_connection_for_further_requests(server):
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=30)
    sockets = set()
    for _ in range(3):
        connection.request("GET", "/healthz")
        assert connection.getresponse().read() == b'{"status":"alive"}'
        sockets.add(connection.sock)
    connection.close()
    assert len(sockets) == 1


def test_ends_on_sigterm_during_upload(model_directory, tmp_path, connections):
    with running_server(tmp_path / "log", model=model_directory, min_upload_rate=0) as server:
        connections.append(server.connect(HEADERS + b"x" * 1000))
        assert server.get("/healthz") == 200
        server.process.send_signal(signal.SIGTERM)
        server.process.wait(20)  # an upload may take a minute
    assert "Traceback" not in server.log.read_text()


def start(**settings) -> subprocess.CompletedProcess:
    command = [sys.executable, "-m", "app"]
    return subprocess.run(command, cwd=ROOT, env=environment(**settings), capture_output=True, text=True, timeout=120)


def test_reports_taken_port_before_model_is_loaded(tmp_path):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        finished = start(port=port, model=tmp_path / "missing")
    assert finished.returncode == 1
    (line,) = finished.stderr.splitlines()
    assert line.startswith(f"app: cannot listen on 127.0.0.1, port {port}: address already in use.")


def test_names_unknown_variable_and_the_closest_one(tmp_path):
    finished = start(max_pixel=1, model=tmp_path / "missing")
    assert finished.returncode == 1
    (line,) = finished.stderr.splitlines()
    assert line == ("app: unknown variable FACIAL_EXPRESSION_MAX_PIXEL: did you mean FACIAL_EXPRESSION_MAX_PIXELS?")


def test_reports_missing_model_in_one_line(tmp_path):
    finished = start(model=tmp_path / "missing", port=0)
    assert finished.returncode == 1
    (line,) = finished.stderr.splitlines()
    assert "card.json is missing" in line
