"""What keeps the server answering: bodies are counted as they stream in, work is bounded in number and in time."""

import asyncio
import gc
import os
import subprocess
import sys
import threading
import weakref
from pathlib import Path

import httpx2
import pytest
from pictures import encode
from PIL import Image

from app.main import STUCK_AFTER
from app.problems import Problem
from app.workers import Workers

ROOT = Path(__file__).parents[2]

PICTURE = encode(Image.new("L", (20, 20)))


class Slow:
    """A recognizer that is at work until it is let go."""

    def __init__(self, stand_in):
        self.stand_in, self.go = stand_in, threading.Event()
        self.running, self.most_running, self.lock = 0, 0, threading.Lock()

    def recognize(self, image, most_faces=None):
        with self.lock:
            self.running += 1
            self.most_running = max(self.most_running, self.running)
        assert self.go.wait(30)
        with self.lock:
            self.running -= 1
        return self.stand_in.recognize(image)


@pytest.fixture
def slow(stand_in):
    slow = Slow(stand_in)
    yield slow
    slow.go.set()


def connect(app) -> httpx2.AsyncClient:
    return httpx2.AsyncClient(transport=httpx2.ASGITransport(app), base_url="http://test", timeout=30)


async def post(client):
    return await client.post("/api/recognize", content=PICTURE)


async def until(condition) -> None:
    for _ in range(3000):
        if condition():
            return
        await asyncio.sleep(0.01)
    pytest.fail("it never happened")


async def send(app, chunks, headers=()) -> tuple[int, dict, int]:
    """Post a body chunk by chunk without saying how long it is: status, headers and the number of chunks taken."""
    taken, messages = 0, []

    async def receive():
        nonlocal taken
        chunk = next(chunks, None)
        if chunk is None:
            return {"type": "http.request", "body": b"", "more_body": False}
        if chunk == "silence":
            await asyncio.sleep(30)
        if chunk == "gone":
            return {"type": "http.disconnect"}
        taken += 1
        return {"type": "http.request", "body": chunk, "more_body": True}

    async def keep(message):
        messages.append(message)

    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": "POST",
        "scheme": "http",
        "path": "/api/recognize",
        "raw_path": b"/api/recognize",
        "query_string": b"",
        "root_path": "",
        "headers": list(({b"content-type": b"image/png"} | dict(headers)).items()),
        "client": ("127.0.0.1", 1),
        "server": ("127.0.0.1", 80),
    }
    await app(scope, receive, keep)
    start = messages[0]
    return start["status"], dict(start["headers"]), taken


def endless(chunk: bytes):
    while True:
        yield chunk


@pytest.mark.parametrize("media_type", [b"image/png", b"multipart/form-data; boundary=b"])
def test_an_endless_body_is_refused_after_the_first_byte_too_many(limited, media_type):
    chunk = b"--b\r\nContent-Disposition: form-data; name=image\r\n\r\n" + b"x" * 10_000
    chunks = iter([chunk, *[b"x" * 10_000] * 1000])
    status, _, taken = asyncio.run(send(limited(max_bytes=100_000), chunks, [(b"content-type", media_type)]))
    assert status == 413
    assert taken <= 13


def test_a_body_that_says_that_it_is_too_large_is_not_read(limited):
    headers = [(b"content-length", b"1000001")]
    status, _, taken = asyncio.run(send(limited(max_bytes=1_000_000), endless(b"x"), headers))
    assert (status, taken) == (413, 0)


@pytest.mark.parametrize("length", [b"-5", b"many", b"\xb2", b"1e3"])
def test_a_content_length_that_is_no_number_is_not_trusted(limited, length):
    status, *_ = asyncio.run(send(limited(max_bytes=1000), endless(b"x" * 100), [(b"content-length", length)]))
    assert status == 413


def test_a_body_that_does_not_arrive(limited):
    app = limited(upload_seconds=0.1)
    status, *_ = asyncio.run(send(app, iter([PICTURE[:50], "silence"])))
    assert status == 408


def test_a_client_that_goes_away_leaves_its_place(limited):
    app = limited(workers=1, waiting=0)

    async def scenario():
        status, *_ = await send(app, iter([PICTURE[:50], "gone"]))
        assert status == 400
        async with connect(app) as client:
            assert (await post(client)).status_code == 200

    asyncio.run(scenario())


def test_a_full_queue_turns_away_and_recovers(limited, slow):
    app = limited(slow, workers=2, waiting=3)

    async def scenario():
        async with connect(app) as client:
            admitted = [asyncio.create_task(post(client)) for _ in range(5)]
            await until(lambda: slow.running == 2)
            refused = await post(client)
            assert refused.status_code == 503
            assert refused.json()["type"] == "/docs#busy"
            assert int(refused.headers["retry-after"]) >= 1
            assert (await client.get("/readyz")).status_code == 503
            assert (await client.get("/healthz")).status_code == 200
            assert "facial_expression_admitted 5.0" in (await client.get("/metrics")).text
            slow.go.set()
            assert [response.status_code for response in await asyncio.gather(*admitted)] == [200] * 5
            assert (await post(client)).status_code == 200
            assert (await client.get("/readyz")).status_code == 200
        assert slow.most_running == 2

    asyncio.run(scenario())


def test_too_long_work_is_given_up_and_what_waits_behind_it_never_begins(limited, slow):
    app = limited(slow, workers=1, waiting=5, answer_seconds=0.3)

    async def scenario():
        async with connect(app) as client:
            responses = await asyncio.gather(*(post(client) for _ in range(3)))
            for response in responses:
                assert response.status_code == 504
                assert response.json()["type"] == "/docs#timeout"
            assert slow.running == 1
            slow.go.set()
            await until(lambda: slow.running == 0)
            assert (await post(client)).status_code == 200
        assert slow.most_running == 1

    asyncio.run(scenario())


def test_work_that_was_given_up_keeps_its_place_until_it_ends(limited, slow):
    app = limited(slow, workers=1, waiting=0, answer_seconds=0.2)

    async def scenario():
        async with connect(app) as client:
            assert (await post(client)).status_code == 504
            assert (await post(client)).status_code == 503
            assert (await client.get("/readyz")).status_code == 503
            slow.go.set()
            await until(lambda: slow.running == 0)
            await asyncio.sleep(0.05)
            assert (await post(client)).status_code == 200
            assert "facial_expression_admitted 0.0" in (await client.get("/metrics")).text

    asyncio.run(scenario())


def test_a_thread_that_is_lost_to_a_picture_is_told(limited, slow):
    app = limited(slow, workers=1, waiting=1, answer_seconds=0.05)

    async def scenario():
        async with connect(app) as client:
            assert (await client.get("/healthz")).status_code == 200
            assert (await post(client)).status_code == 504
            await asyncio.sleep(0.05 * STUCK_AFTER)
            response = await client.get("/healthz")
            assert response.status_code == 503
            assert "Start the server anew" in response.json()["detail"]
            slow.go.set()
            await until(lambda: slow.running == 0)
            await asyncio.sleep(0.05)
            assert (await client.get("/healthz")).status_code == 200

    asyncio.run(scenario())


def test_the_picture_of_an_abandoned_job_is_forgotten():
    """The executor keeps cancelled jobs until a thread comes by."""

    class Body:
        pass

    async def scenario():
        workers, go = Workers(threads=1, waiting=5), threading.Event()
        running = asyncio.create_task(workers.run(go.wait, 30, seconds=30))
        await until(lambda: workers.longest > 0)
        body = Body()
        reference = weakref.ref(body)
        with pytest.raises(Problem):
            await workers.run(lambda body: body, body, seconds=0.05)
        del body
        gc.collect()
        assert reference() is None
        go.set()
        assert await running
        workers.close()

    asyncio.run(scenario())


@pytest.mark.parametrize(("parts", "status"), [(16, 200), (17, 400)])
def test_a_form_has_few_fields(limited, parts, status):
    part = b"--b\r\nContent-Disposition: form-data; name=%s\r\n\r\n%s\r\n"
    body = part % (b"image", PICTURE) + b"".join(part % (b"other", b"x") for _ in range(parts - 1)) + b"--b--\r\n"
    answer = asyncio.run(send(limited(), iter([body]), [(b"content-type", b"multipart/form-data; boundary=b")]))
    assert answer[0] == status


def test_there_are_as_many_workers_as_usable_cores():
    code = "import os; os.sched_setaffinity(0, [min(os.sched_getaffinity(0))]); from app.settings import Settings; "
    code += "print(Settings().workers)"
    if not hasattr(os, "sched_setaffinity"):
        pytest.skip("this system does not bind processes to cores")
    shown = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert shown.strip() == "1"


def test_many_clients_at_once_are_all_answered(limited):
    app = limited(workers=2, waiting=40)

    async def scenario():
        async with connect(app) as client:
            return await asyncio.gather(*(post(client) for _ in range(40)))

    assert {response.status_code for response in asyncio.run(scenario())} == {200}
