"""DVC remotes on this machine: a folder, SSH, WebDAV, S3 and read-only HTTP, with right and with wrong credentials."""

import contextlib
import getpass
import hmac
import shutil
import socket
import subprocess
import threading
import time
from base64 import b64encode
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Protocol

import pytest

from helpers.proxy import Proxy

USER, PASSWORD = "reader", "secret"
REFUSED_AS_MISSING = "Missing cache files"
"""What DVC says over HTTP and WebDAV, where it takes a file that it may not read for one that is not there."""


class Store(Protocol):
    """The objects behind a remote, to damage them behind DVC's back."""

    def names(self) -> list[str]: ...
    def read(self, name: str) -> bytes: ...
    def write(self, name: str, content: bytes) -> None: ...
    def delete(self, name: str) -> None: ...


@dataclass
class Folder:
    path: Path

    def names(self) -> list[str]:
        return sorted(path.relative_to(self.path).as_posix() for path in self.path.rglob("*") if path.is_file())

    def read(self, name: str) -> bytes:
        return (self.path / name).read_bytes()

    def write(self, name: str, content: bytes) -> None:
        self.delete(name)  # DVC writes its objects without permission to change them
        (self.path / name).write_bytes(content)

    def delete(self, name: str) -> None:
        (self.path / name).unlink(missing_ok=True)


@dataclass
class Bucket:
    client: Any
    name: str

    def names(self) -> list[str]:
        return sorted(item["Key"] for item in self.client.list_objects_v2(Bucket=self.name).get("Contents", ()))

    def read(self, name: str) -> bytes:
        return self.client.get_object(Bucket=self.name, Key=name)["Body"].read()

    def write(self, name: str, content: bytes) -> None:
        self.client.put_object(Bucket=self.name, Key=name, Body=content)

    def delete(self, name: str) -> None:
        self.client.delete_object(Bucket=self.name, Key=name)


@dataclass
class Remote:
    """A remote, and how a clone reaches it.

    Attributes:
        settings: of DVC's configuration, with the right credentials.
        wrong: settings that replace some of them, with wrong credentials; empty for a remote without any.
        refusal: what DVC says about wrong credentials, as a pattern.
        store: its objects.
        proxy: stands before the server; None for a remote without a server.
        is_read_only: `dvc push` goes to its folder instead.
    """

    settings: dict[str, str]
    store: Store
    wrong: dict[str, str] = field(default_factory=dict)
    refusal: str = ""
    proxy: Proxy | None = None
    is_read_only: bool = False

    def configure(self, clone: Path, wrong: bool = False) -> None:
        """Make it the default remote of a clone, as `dvc remote add --local` and `dvc remote modify --local` do."""
        settings = self.settings | (self.wrong if wrong else {})
        lines = ["[core]", "    remote = storage", "['remote \"storage\"']", "    verify = true"]
        lines += [f"    {key} = {value}" for key, value in settings.items()]
        (clone / ".dvc" / "config.local").write_text("\n".join(lines) + "\n")


@contextlib.contextmanager
def folder(directory: Path) -> Iterator[Remote]:
    yield Remote({"url": str(directory)}, Folder(directory))


@contextlib.contextmanager
def ssh(directory: Path) -> Iterator[Remote]:
    """OpenSSH's server as this user, with keys of its own."""
    pytest.importorskip("dvc_ssh", reason="dvc-ssh is not installed")
    server = shutil.which("sshd", path="/usr/sbin:/usr/local/sbin:/usr/bin")
    if server is None:
        pytest.skip("openssh-server is not installed")
    keys = directory.with_name(f"{directory.name}-keys")
    keys.mkdir(mode=0o700)
    for name in ("host", "right", "wrong"):
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", keys / name], check=True)
    port = free_port()
    options = {
        "ListenAddress": f"127.0.0.1:{port}",
        "HostKey": keys / "host",
        "AuthorizedKeysFile": keys / "right.pub",
        "PidFile": "none",
        "StrictModes": "no",
        "UsePAM": "no",
        "PasswordAuthentication": "no",
        "KbdInteractiveAuthentication": "no",
        "Subsystem": "sftp internal-sftp",
    }
    (keys / "sshd_config").write_text("".join(f"{key} {value}\n" for key, value in options.items()))
    with contextlib.suppress(OSError):
        Path("/run/sshd").mkdir(exist_ok=True)  # which it needs as root
    command = [server, "-D", "-e", "-f", str(keys / "sshd_config")]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    try:
        if not wait_for(port, process):
            pytest.skip(f"sshd does not start: {process.stderr.read().strip()}")
        proxy = Proxy(port)
        url = f"ssh://{getpass.getuser()}@127.0.0.1:{proxy.port}{directory}"
        wrong = {"keyfile": str(keys / "wrong")}
        yield Remote({"url": url, "keyfile": str(keys / "right")}, Folder(directory), wrong, "Permission denied", proxy)
        proxy.close()
    finally:
        process.terminate()
        process.wait()
        process.stderr.close()


@contextlib.contextmanager
def webdav(directory: Path) -> Iterator[Remote]:
    pytest.importorskip("dvc_webdav", reason="dvc-webdav is not installed")
    application = pytest.importorskip("wsgidav.wsgidav_app", reason="wsgidav is not installed")
    wsgi = pytest.importorskip("cheroot.wsgi", reason="cheroot is not installed")
    config = {
        "provider_mapping": {"/": str(directory)},
        "simple_dc": {"user_mapping": {"*": {USER: {"password": PASSWORD}}}},
        "http_authenticator": {"accept_basic": True, "accept_digest": False, "default_to_digest": False},
        "logging": {"enable": False},
        "verbose": 0,
    }
    directory.mkdir(exist_ok=True)
    server = wsgi.Server(("127.0.0.1", 0), application.WsgiDAVApp(config))
    server.prepare()
    thread = threading.Thread(target=server.serve, daemon=True)
    thread.start()
    proxy = Proxy(server.bind_addr[1])
    settings = {"url": f"webdav://127.0.0.1:{proxy.port}/", "user": USER, "password": PASSWORD}
    yield Remote(settings, Folder(directory), {"password": "wrong"}, REFUSED_AS_MISSING, proxy)
    proxy.close()
    server.stop()
    thread.join()


@contextlib.contextmanager
def s3(directory: Path) -> Iterator[Remote]:
    """Moto's server, which checks credentials after the user is made."""
    pytest.importorskip("dvc_s3", reason="dvc-s3 is not installed")
    moto = pytest.importorskip("moto.server", reason="moto is not installed")
    boto3 = pytest.importorskip("boto3", reason="boto3 is not installed")
    requests = pytest.importorskip("requests")
    server = moto.ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    port = server.get_host_and_port()[1]
    address = f"http://127.0.0.1:{port}"
    first = {"endpoint_url": address, "region_name": "us-east-1"}
    first |= {"aws_access_key_id": "first", "aws_secret_access_key": "first"}
    checks_after = f"{address}/moto-api/reset-auth"  # so many requests
    requests.post(checks_after, data=b"inf", timeout=10)  # servers of one process share this and everything else
    requests.post(f"{address}/moto-api/reset", timeout=10)
    boto3.client("s3", **first).create_bucket(Bucket="pins")
    users = boto3.client("iam", **first)
    users.create_user(UserName=USER)
    policy = '{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "s3:*", "Resource": "*"}]}'
    users.put_user_policy(UserName=USER, PolicyName="pins", PolicyDocument=policy)
    key = users.create_access_key(UserName=USER)["AccessKey"]
    right = {"aws_access_key_id": key["AccessKeyId"], "aws_secret_access_key": key["SecretAccessKey"]}
    requests.post(checks_after, data=b"0", timeout=10)
    proxy = Proxy(port)
    settings = {
        "url": "s3://pins/store",
        "endpointurl": f"http://127.0.0.1:{proxy.port}",
        "region": "us-east-1",
        "access_key_id": key["AccessKeyId"],
        "secret_access_key": key["SecretAccessKey"],
    }
    client = boto3.client("s3", **first | right)
    yield Remote(settings, Bucket(client, "pins"), {"secret_access_key": "wrong"}, "Forbidden", proxy)
    proxy.close()
    server.stop()


@contextlib.contextmanager
def http(directory: Path) -> Iterator[Remote]:
    """Read-only, as a web server gives out a folder."""
    directory.mkdir(exist_ok=True)
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(_Handler, directory=str(directory)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    proxy = Proxy(server.server_port)
    settings = {"url": f"http://127.0.0.1:{proxy.port}", "auth": "basic", "user": USER, "password": PASSWORD}
    yield Remote(settings, Folder(directory), {"password": "wrong"}, REFUSED_AS_MISSING, proxy, is_read_only=True)
    proxy.close()
    server.shutdown()
    server.server_close()


class _Handler(SimpleHTTPRequestHandler):
    def send_head(self):
        expected = "Basic " + b64encode(f"{USER}:{PASSWORD}".encode()).decode()
        if hmac.compare_digest(self.headers.get("Authorization", ""), expected):
            return super().send_head()
        self.send_response(401)
        self.send_header("WWW-Authenticate", "Basic")
        self.send_header("Content-Length", "0")
        self.end_headers()
        return None

    def log_message(self, *_: object) -> None:
        pass


KINDS = {"folder": folder, "ssh": ssh, "webdav": webdav, "s3": s3, "http": http}


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return listener.getsockname()[1]


def wait_for(port: int, process: subprocess.Popen) -> bool:
    """Wait until a server accepts connections; False if its process ends."""
    while process.poll() is None:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
            return True
        time.sleep(0.05)
    return False
