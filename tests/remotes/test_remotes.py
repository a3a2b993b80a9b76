"""Real remotes: push, clone and pull, and what goes wrong there: `make test-remotes`."""

import hashlib
import re
import subprocess
from pathlib import Path

import pytest

from helpers.pinned_project import make_clone, make_project
from helpers.project import dvc, try_dvc
from helpers.remotes import KINDS, Remote

pytestmark = pytest.mark.remotes

FACES = "data/faces"
HALF = 1_000_000
"""Bytes: half of the outputs."""


@pytest.fixture(scope="module")
def project(tmp_path_factory) -> Path:
    """The pinned project, with a home folder of its own, so that no setting of this machine counts."""
    directory = tmp_path_factory.mktemp("remotes")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HOME", str(directory))
        for variable in ("AWS_PROFILE", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "SSH_AUTH_SOCK"):
            patch.delenv(variable, raising=False)
        patch.setenv("AWS_MAX_ATTEMPTS", "1")  # waiting for a dead server takes minutes otherwise
        yield make_project(directory / "project")


@pytest.fixture(scope="module", params=KINDS)
def remote(request, project, tmp_path_factory) -> Remote:
    """A remote that holds what the project pins."""
    with KINDS[request.param](tmp_path_factory.mktemp(request.param) / "store") as remote:
        writer = Remote({"url": str(remote.store.path)}, remote.store) if remote.is_read_only else remote
        writer.configure(project)
        dvc(project, "push")
        yield remote


@pytest.fixture
def clone(project, remote, tmp_path) -> Path:
    """A fresh clone that knows the remote."""
    clone = make_clone(project, tmp_path / "clone")
    remote.configure(clone)
    return clone


def digests(directory: Path) -> dict[str, str]:
    files = (path for path in directory.rglob("*") if path.is_file())
    return {path.relative_to(directory).as_posix(): hashlib.md5(path.read_bytes()).hexdigest() for path in files}


def assert_failed(clone: Path, result: subprocess.CompletedProcess) -> None:
    """In a few lines without a traceback, with every object right that DVC trusts: it hashes what can be written."""
    assert result.returncode != 0
    assert "ERROR" in result.stderr
    assert "Traceback" not in result.stderr
    cache = clone / ".dvc" / "cache" / "files" / "md5"
    for name, digest in digests(cache).items():
        if not (cache / name).stat().st_mode & 0o222:
            assert name.replace("/", "").removesuffix(".dir") == digest


def assert_pulls(project: Path, clone: Path) -> None:
    dvc(clone, "pull")
    assert digests(clone / FACES) == digests(project / FACES)


def is_complete(name: str, content: bytes) -> bool:
    """Whether a file is the object of its name, or none at all, such as what an interrupted upload left."""
    is_object = re.fullmatch(r".*/[0-9a-f]{2}/[0-9a-f]{30}(\.dir)?", name)
    return not is_object or "".join(name.split("/")[-2:]).removesuffix(".dir") == hashlib.md5(content).hexdigest()


def largest(remote: Remote) -> str:
    return max(remote.store.names(), key=lambda name: (len(remote.store.read(name)), name))


def test_clone_pulls_what_was_pushed(project, remote, clone):
    assert_pulls(project, clone)


def test_wrong_credentials_are_named(project, remote, clone):
    if not remote.wrong:
        pytest.skip("a folder has no credentials")
    remote.configure(clone, wrong=True)
    result = try_dvc(clone, "pull")
    assert_failed(clone, result)
    assert re.search(remote.refusal, result.stderr)
    assert not (clone / FACES).exists()
    remote.configure(clone)
    assert_pulls(project, clone)


def test_missing_object_is_named(project, remote, clone):
    name = largest(remote)
    content = remote.store.read(name)
    remote.store.delete(name)
    try:
        result = try_dvc(clone, "pull")
    finally:
        remote.store.write(name, content)
    assert_failed(clone, result)
    assert FACES in result.stderr or name[-30:] in result.stderr.replace("/", "")
    assert_pulls(project, clone)


def test_corrupted_object_is_refused(project, remote, clone):
    name = largest(remote)
    content = remote.store.read(name)
    remote.store.write(name, content[:-1] + bytes([content[-1] ^ 1]))
    try:
        result = try_dvc(clone, "pull")
    finally:
        remote.store.write(name, content)
    assert_failed(clone, result)
    assert_pulls(project, clone)


def test_pull_from_a_server_that_dies(project, remote, clone):
    if remote.proxy is None:
        pytest.skip("a folder has no server")
    with remote.proxy.dying_after(HALF):
        result = try_dvc(clone, "pull")
    assert_failed(clone, result)
    assert_pulls(project, clone)


def test_push_to_a_server_that_dies(project, remote, clone):
    if remote.proxy is None or remote.is_read_only:
        pytest.skip("no server to push to")
    for name in remote.store.names():
        remote.store.delete(name)
    remote.configure(project)
    with remote.proxy.dying_after(HALF):
        result = try_dvc(project, "push")
    assert_failed(project, result)
    dvc(project, "push")
    incomplete = [name for name in remote.store.names() if not is_complete(name, remote.store.read(name))]
    if incomplete:  # a WebDAV server keeps what it got, and DVC takes it for the object: docs/pins.md
        assert_failed(clone, try_dvc(clone, "pull"))
        for name in remote.store.names():
            if name in incomplete or name.endswith(".dir"):
                remote.store.delete(name)
        dvc(project, "push")
    assert_pulls(project, clone)


def test_full_disk_loses_nothing(project, remote, clone):
    cache = clone / ".dvc" / "cache"
    cache.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(cache)]
    if subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("no permission to mount a small disk")
    try:
        result = try_dvc(clone, "pull")
        assert_failed(clone, result)
        assert "No space left on device" in result.stderr
    finally:
        subprocess.run(["umount", str(cache)], check=True)
    assert_pulls(project, clone)
