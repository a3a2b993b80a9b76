"""Limits on request bodies, concurrent requests and processing time."""

import asyncio
import gc
import threading
import tracemalloc
import weakref

import httpx2
import pytest
from PIL import Image

from app.forms import make_body
from app.problems import Problem
from app.routes.operations import STUCK_AFTER
from app.workers import Workers
from helpers.photos import encode
from helpers.served_model import StandIn

IMAGE = encode(Image.new("L", (20, 20)))


class Slow(StandIn):
    """A recognizer that blocks until ``go`` is set."""

    def __init__(self):
        self.go = threading.Event()
        self.running, self.max_running, self.lock = 0, 0, threading.Lock()

    def recognize(self, image, **options):
        with self.lock:
            self.running += 1
            self.max_running = max(self.max_running, self.running)
        assert self.go.wait(30)
        with self.lock:
            self.running -= 1
        return super().recognize(image)


@pytest.fixture
def slow():
    slow = Slow()
    yield slow
    slow.go.set()


def connect(app) -> httpx2.AsyncClient:
    return httpx2.AsyncClient(transport=httpx2.ASGITransport(app), base_url="http://test", timeout=30)


async def post(client):
    return await client.post("/api/recognize", content=IMAGE)


async def until(condition) -> None:
    for _ in range(3000):
        if condition():
            return
        await asyncio.sleep(0.01)
    pytest.fail("the condition never became true")


async def until_arriving(client, number: int) -> None:
    """Wait until this many bodies are arriving."""
    for _ in range(3000):
        await asyncio.sleep(0.01)
        if f"facial_expression_uploads_in_progress {number:.1f}" in (await client.get("/metrics")).text:
            return
    pytest.fail(f"{number} bodies were never arriving at the same time")


async def send(app, chunks, headers=()) -> tuple[int, dict, int]:
    """Post a body in chunks without declaring its length; return status, headers and the number of chunks read."""
    read, messages = 0, []

    async def receive():
        nonlocal read
        chunk = next(chunks, None)
        if chunk is None:
            return {"type": "http.request", "body": b"", "more_body": False}
        if chunk == "silence":
            await asyncio.sleep(30)
        if chunk == "pause":
            await asyncio.sleep(0.3)
            chunk = next(chunks)
        if chunk == "gone":
            return {"type": "http.disconnect"}
        read += 1
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
    return start["status"], dict(start["headers"]), read


def endless(chunk: bytes):
    while True:
        yield chunk


@pytest.mark.parametrize("media_type", [b"image/png", b"multipart/form-data; boundary=b"])
def test_stops_reading_endless_body(make_app, media_type):
    chunk = b"--b\r\nContent-Disposition: form-data; name=image\r\n\r\n" + b"x" * 10_000
    chunks = iter([chunk, *[b"x" * 10_000] * 1000])
    status, _, read = asyncio.run(send(make_app(max_bytes=100_000), chunks, [(b"content-type", media_type)]))
    assert status == 413
    assert read <= 13


def test_does_not_read_body_declared_too_large(make_app):
    headers = [(b"content-length", b"1000001")]
    status, _, read = asyncio.run(send(make_app(max_bytes=1_000_000), endless(b"x"), headers))
    assert (status, read) == (413, 0)


@pytest.mark.parametrize("length", [b"-5", b"many", b"\xb2", b"1e3"])
def test_does_not_trust_invalid_content_length(make_app, length):
    status, *_ = asyncio.run(send(make_app(max_bytes=1000), endless(b"x" * 100), [(b"content-length", length)]))
    assert status == 413


def test_upload_times_out(make_app):
    app = make_app(upload_timeout=0.1)
    status, *_ = asyncio.run(send(app, iter([IMAGE[:50], "silence"])))
    assert status == 408


def test_upload_below_minimum_rate_ends(make_app, monkeypatch):
    monkeypatch.setattr("app.uploads.GRACE", 0.1)
    app = make_app(min_upload_rate=100)
    status, *_ = asyncio.run(send(app, iter([IMAGE[:10], "silence"])))
    assert status == 408


def test_upload_at_minimum_rate_may_take_its_time(make_app, monkeypatch):
    monkeypatch.setattr("app.uploads.GRACE", 0.1)
    app = make_app(min_upload_rate=100)
    status, *_ = asyncio.run(send(app, iter([IMAGE[:60], "pause", IMAGE[60:]])))
    assert status == 200


def test_arriving_body_occupies_no_slot(make_app):
    app = make_app(workers=1, queue_size=0)

    async def scenario():
        uploads = [asyncio.create_task(send(app, iter([IMAGE[:50], "silence"]))) for _ in range(5)]
        async with connect(app) as client:
            await until_arriving(client, 5)
            assert (await post(client)).status_code == 200
        for upload in uploads:
            upload.cancel()

    asyncio.run(scenario())


def test_oldest_upload_of_address_gives_way(make_app):
    app = make_app(max_client_uploads=2)

    async def scenario():
        uploads = []
        async with connect(app) as client:
            for number in (1, 2, 2):
                uploads.append(asyncio.create_task(send(app, iter([IMAGE[:50], "silence"]))))
                await until_arriving(client, number)
            status, *_ = await uploads[0]
            assert status == 503
            assert (await post(client)).status_code == 200  # and the second upload gives way
        await asyncio.wait(uploads[:2], timeout=5)
        assert [upload.done() for upload in uploads] == [True, True, False]
        uploads[2].cancel()

    asyncio.run(scenario())


def test_bodies_together_are_bounded_in_bytes(make_app):
    app = make_app(max_bytes=100_000, max_upload_memory=150_000)

    async def scenario():
        first = asyncio.create_task(send(app, iter([bytes(90_000), "silence"])))
        async with connect(app) as client:
            await until_arriving(client, 1)
            assert (await post(client)).status_code == 200
            second = asyncio.create_task(send(app, iter([bytes(90_000), "silence"])))
            status, *_ = await first
            assert status == 503
            assert (await post(client)).status_code == 200
        second.cancel()

    asyncio.run(scenario())


@pytest.mark.parametrize("media_type", [None, "multipart/form-data; boundary=x"])
def test_image_is_held_once(media_type):
    """While a job waits, which ``max_upload_memory`` relies on."""
    chunk = bytes(2_000_000)
    if media_type:
        chunk = b'--x\r\nContent-Disposition: form-data; name="image"\r\n\r\n' + chunk + b"\r\n--x--\r\n"
    tracemalloc.start()
    body = make_body(media_type, 3_000_000)
    body.write(chunk)
    (file,) = body.files()
    held, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert len(file.data) == 2_000_000
    assert held < 3_000_000


def test_bytes_of_answered_requests_are_free_again(make_app):
    app = make_app(max_bytes=1000, max_upload_memory=1000)

    async def scenario():
        async with connect(app) as client:
            for _ in range(100):
                assert (await post(client)).status_code == 200
                assert (await client.post("/api/recognize", content=b"x" * 900)).status_code == 415
                assert (await client.post("/api/recognize", content=b"x" * 2000)).status_code == 413

    asyncio.run(scenario())


def test_batch_gives_problems_to_images_without_time(make_app, slow):
    app = make_app(slow, response_timeout=0.3)

    async def scenario():
        async with connect(app) as client:
            files = [("image", (name, IMAGE)) for name in ("a", "b", "c")]
            response = await client.post("/api/v1/recognize-batch", files=files)
            assert response.status_code == 200
            problems = [item["problem"]["type"] for item in response.json()["results"]]
            assert problems == ["/errors#timeout"] * 3
            assert slow.running == 1
            slow.go.set()

    asyncio.run(scenario())


def test_disconnected_client_frees_its_slot(make_app):
    app = make_app(workers=1, queue_size=0)

    async def scenario():
        status, *_ = await send(app, iter([IMAGE[:50], "gone"]))
        assert status == 400
        async with connect(app) as client:
            assert (await post(client)).status_code == 200

    asyncio.run(scenario())


def test_full_queue_rejects_requests_and_recovers(make_app, slow):
    app = make_app(slow, workers=2, queue_size=3)

    async def scenario():
        async with connect(app) as client:
            accepted = [asyncio.create_task(post(client)) for _ in range(5)]
            await until(lambda: slow.running == 2)
            rejected = await post(client)
            assert rejected.status_code == 503
            assert rejected.json()["type"] == "/errors#busy"
            assert int(rejected.headers["retry-after"]) >= 1
            assert (await client.get("/readyz")).status_code == 503
            assert (await client.get("/healthz")).status_code == 200
            assert "facial_expression_requests_in_progress 5.0" in (await client.get("/metrics")).text
            slow.go.set()
            assert [response.status_code for response in await asyncio.gather(*accepted)] == [200] * 5
            assert (await post(client)).status_code == 200
            assert (await client.get("/readyz")).status_code == 200
        assert slow.max_running == 2

    asyncio.run(scenario())


def test_timed_out_jobs_in_queue_never_start(make_app, slow):
    app = make_app(slow, workers=1, queue_size=5, response_timeout=0.3)

    async def scenario():
        async with connect(app) as client:
            responses = await asyncio.gather(*(post(client) for _ in range(3)))
            for response in responses:
                assert response.status_code == 504
                assert response.json()["type"] == "/errors#timeout"
            assert slow.running == 1
            slow.go.set()
            await until(lambda: slow.running == 0)
            assert (await post(client)).status_code == 200
        assert slow.max_running == 1

    asyncio.run(scenario())


def test_timed_out_job_keeps_its_slot_until_it_ends(make_app, slow):
    app = make_app(slow, workers=1, queue_size=0, response_timeout=0.2)

    async def scenario():
        async with connect(app) as client:
            assert (await post(client)).status_code == 504
            assert (await post(client)).status_code == 503
            assert (await client.get("/readyz")).status_code == 503
            slow.go.set()
            await until(lambda: slow.running == 0)
            await asyncio.sleep(0.05)
            assert (await post(client)).status_code == 200
            assert "facial_expression_requests_in_progress 0.0" in (await client.get("/metrics")).text

    asyncio.run(scenario())


def test_stuck_thread_fails_health_check(make_app, slow):
    app = make_app(slow, workers=1, queue_size=1, response_timeout=0.05)

    async def scenario():
        async with connect(app) as client:
            assert (await client.get("/healthz")).status_code == 200
            assert (await post(client)).status_code == 504
            await asyncio.sleep(0.05 * STUCK_AFTER)
            response = await client.get("/healthz")
            assert response.status_code == 503
            assert "Restart the server" in response.json()["detail"]
            slow.go.set()
            await until(lambda: slow.running == 0)
            await asyncio.sleep(0.05)
            assert (await client.get("/healthz")).status_code == 200

    asyncio.run(scenario())


def test_forgets_image_of_timed_out_job():
    """The executor's queue keeps cancelled jobs, but not their arguments."""

    class Body:
        pass

    async def scenario():
        workers, go = Workers(threads=1, queue_size=5), threading.Event()
        running = asyncio.create_task(workers.run(go.wait, 30, timeout=30))
        await until(lambda: workers.longest_runtime > 0)
        body = Body()
        reference = weakref.ref(body)
        with pytest.raises(Problem):
            await workers.run(lambda body: body, body, timeout=0.05)
        del body
        gc.collect()
        assert reference() is None
        go.set()
        assert await running
        workers.close()

    asyncio.run(scenario())


@pytest.mark.parametrize(("parts", "status"), [(32, 200), (33, 400)])
def test_limits_number_of_form_fields(make_app, parts, status):
    part = b"--b\r\nContent-Disposition: form-data; name=%s\r\n\r\n%s\r\n"
    body = part % (b"image", IMAGE) + b"".join(part % (b"other", b"x") for _ in range(parts - 1)) + b"--b--\r\n"
    received, *_ = asyncio.run(send(make_app(), iter([body]), [(b"content-type", b"multipart/form-data; boundary=b")]))
    assert received == status


@pytest.mark.parametrize(("parts", "status"), [(32, 200), (33, 400)])
def test_limits_number_of_form_fields_without_a_name(make_app, parts, status):
    image = b'--b\r\nContent-Disposition: form-data; name="image"\r\n\r\n' + IMAGE + b"\r\n"
    body = image + (parts - 1) * b"--b\r\na: b\r\n\r\nx\r\n" + b"--b--\r\n"
    received, *_ = asyncio.run(send(make_app(), iter([body]), [(b"content-type", b"multipart/form-data; boundary=b")]))
    assert received == status


def test_serves_many_concurrent_clients(make_app):
    app = make_app(workers=2, queue_size=40)

    async def scenario():
        async with connect(app) as client:
            return await asyncio.gather(*(post(client) for _ in range(40)))

    assert {response.status_code for response in asyncio.run(scenario())} == {200}
