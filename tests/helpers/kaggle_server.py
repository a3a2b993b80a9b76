"""A small local stand-in for Kaggle: the part of its protocol that downloads a data set.

As on Kaggle, the API (POST) redirects to a storage (GET) that supports byte ranges and sends an MD5.
"""

import base64
import hashlib
import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

SERVICE = "/v1/datasets.DatasetApiService"
STORAGE = "/storage/bundle.zip"


@dataclass
class KaggleServer:
    """How the server responds, and the requests that it received.

    Attributes:
        bundle: bytes of the data set's archive.
        handle: the one data set that exists, ``owner/name``.
        error_status: HTTP status of every response of the API, or None for no error.
        disconnect_after: number of bytes after which the storage breaks the connection once, or None.
        sent_md5: MD5 that the storage sends, as hexadecimal digits, or None to send none.
        url: address of the server.
        requests: every request as (method, path, range header or None).
    """

    bundle: bytes
    handle: str = "owner/faces"
    error_status: int | None = None
    disconnect_after: int | None = None
    sent_md5: str | None = None
    url: str = ""
    requests: list[tuple[str, str, str | None]] = field(default_factory=list)

    @property
    def ranges(self) -> list[str]:
        """Range headers of all requests that had one."""
        return [header for _, _, header in self.requests if header]


@contextmanager
def serve(bundle: bytes, **behavior) -> Iterator[KaggleServer]:
    """Serve ``bundle`` on a free port of the loopback interface while the block runs."""
    kaggle = KaggleServer(bundle, **behavior)
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Handler,), {"kaggle": kaggle}))
    kaggle.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield kaggle
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class _Handler(BaseHTTPRequestHandler):
    kaggle: KaggleServer

    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self._record()
        known = f"{body.get('ownerSlug')}/{body.get('datasetSlug')}" == self.kaggle.handle
        if self.kaggle.error_status or not known:
            status = self.kaggle.error_status or 404
            self._send_json(status, {"code": status, "message": "error"})
        elif self.path == f"{SERVICE}/GetDataset":
            self._send_json(200, {"currentVersionNumber": 3})
        elif self.path == f"{SERVICE}/DownloadDataset":
            self.send_response(302)
            self.send_header("Location", self.kaggle.url + STORAGE)
            self.send_header("Content-Length", "0")
            self.end_headers()

    def do_GET(self):
        self._record()
        bundle = self.kaggle.bundle
        match = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", ""))
        start = int(match[1]) if match else 0
        self.send_response(206 if match else 200)
        self.send_header("Accept-Ranges", "bytes")
        self.send_header("Content-Length", str(len(bundle) - start))
        if match:
            self.send_header("Content-Range", f"bytes {start}-{len(bundle) - 1}/{len(bundle)}")
        if self.kaggle.sent_md5:
            digest = base64.b64encode(bytes.fromhex(self.kaggle.sent_md5)).decode()
            self.send_header("X-Goog-Hash", f"md5={digest}")
        self.end_headers()
        stop, self.kaggle.disconnect_after = self.kaggle.disconnect_after, None
        self.wfile.write(bundle[start:stop])

    def _send_json(self, status: int, content: dict) -> None:
        body = json.dumps(content).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def _record(self) -> None:
        self.kaggle.requests.append((self.command, self.path, self.headers.get("Range")))

    def log_message(self, *_):
        """Log nothing: ``requests`` has it all."""


def md5_of(data: bytes) -> str:
    """MD5 as hexadecimal digits."""
    return hashlib.md5(data, usedforsecurity=False).hexdigest()
