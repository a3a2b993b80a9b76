"""A small stand-in for Kaggle on this machine: the part of its protocol that downloading a data set needs.

As on Kaggle, the programming interface (POST) redirects to a storage (GET) that knows byte ranges and announces an MD5.
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
    """What the server answers, and what it was asked.

    Attributes:
        bundle: bytes of the data set's archive.
        handle: the one data set that exists, ``owner/name``.
        refusal: HTTP status that the programming interface answers instead, or None.
        cut_after: number of bytes after which the storage breaks the connection, or None; it does so once.
        announced_md5: MD5 that the storage announces, as hexadecimal digits, or None to announce nothing.
        url: where it listens.
        seen: every request as (method, path, range header or None).
    """

    bundle: bytes
    handle: str = "owner/faces"
    refusal: int | None = None
    cut_after: int | None = None
    announced_md5: str | None = None
    url: str = ""
    seen: list[tuple[str, str, str | None]] = field(default_factory=list)

    @property
    def ranges(self) -> list[str]:
        """Range headers of all requests that had one."""
        return [header for _, _, header in self.seen if header]


@contextmanager
def serving(bundle: bytes, **behaviour) -> Iterator[KaggleServer]:
    """Serve ``bundle`` on a free port of the loopback interface while the block runs."""
    kaggle = KaggleServer(bundle, **behaviour)
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
        self._note()
        known = f"{body.get('ownerSlug')}/{body.get('datasetSlug')}" == self.kaggle.handle
        if self.kaggle.refusal or not known:
            status = self.kaggle.refusal or 404
            self._answer_json(status, {"code": status, "message": "refused"})
        elif self.path == f"{SERVICE}/GetDataset":
            self._answer_json(200, {"currentVersionNumber": 3})
        elif self.path == f"{SERVICE}/DownloadDataset":
            self.send_response(302)
            self.send_header("Location", self.kaggle.url + STORAGE)
            self.send_header("Content-Length", "0")
            self.end_headers()

    def do_GET(self):
        self._note()
        bundle = self.kaggle.bundle
        match = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", ""))
        start = int(match[1]) if match else 0
        self.send_response(206 if match else 200)
        self.send_header("Accept-Ranges", "bytes")
        self.send_header("Content-Length", str(len(bundle) - start))
        if match:
            self.send_header("Content-Range", f"bytes {start}-{len(bundle) - 1}/{len(bundle)}")
        if self.kaggle.announced_md5:
            digest = base64.b64encode(bytes.fromhex(self.kaggle.announced_md5)).decode()
            self.send_header("X-Goog-Hash", f"md5={digest}")
        self.end_headers()
        stop, self.kaggle.cut_after = self.kaggle.cut_after, None
        self.wfile.write(bundle[start:stop])

    def _answer_json(self, status: int, content: dict) -> None:
        body = json.dumps(content).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def _note(self) -> None:
        self.kaggle.seen.append((self.command, self.path, self.headers.get("Range")))

    def log_message(self, *_):
        """Say nothing: what was asked is in ``seen``."""


def md5_of(data: bytes) -> str:
    return hashlib.md5(data, usedforsecurity=False).hexdigest()
