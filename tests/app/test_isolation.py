"""Serving writes nothing to the home directory and makes no connection."""

import os
import subprocess
import sys

import pytest

from helpers.photos import draw, encode, photograph
from helpers.project import ROOT

# In a network namespace of its own, whose counters show every attempt to reach anything, also from C++.
SCRIPT = """
import fcntl, socket, struct, sys
from pathlib import Path

SIOCSIFFLAGS, IFF_UP = 0x8914, 1
with socket.socket() as control:
    fcntl.ioctl(control, SIOCSIFFLAGS, struct.pack("16sH14s", b"lo", IFF_UP, b""))

def counters():
    lines = [line.split() for line in Path("/proc/self/net/snmp").read_text().splitlines()]
    pairs = zip(lines[::2], lines[1::2])
    found = {names[0] + name: int(value) for names, values in pairs for name, value in zip(names[1:], values[1:])}
    return {name: found[name] for name in ("Ip:OutNoRoutes", "Udp:OutDatagrams", "Tcp:ActiveOpens")}

from helpers.server import running_server
model, image, log = map(Path, sys.argv[1:])
with running_server(log, model=model) as server:
    before = counters()
    for _ in range(3):
        assert server.post(image.read_bytes()) == 200
    after = counters()
print({name: after[name] - before[name] for name in after}, before["Ip:OutNoRoutes"], before["Udp:OutDatagrams"])
"""


@pytest.fixture
def isolated():
    """Runs Python in a network namespace without any connection."""
    command = ["unshare", "--net", "--map-root-user"]
    try:
        subprocess.run([*command, "true"], check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("network namespaces are not available")
    return lambda code, *arguments, **options: subprocess.run(
        [*command, sys.executable, "-c", code, *map(str, arguments)], capture_output=True, text=True, **options
    )


def test_serving_leaves_home_empty_and_connects_nowhere(isolated, model_directory, tmp_path):
    home, image = tmp_path / "home", tmp_path / "photo.png"
    home.mkdir()
    image.write_bytes(encode(photograph(draw())))
    kept = {name: value for name, value in os.environ.items() if name != "CI" and not name.startswith("ORT_")}
    paths = os.pathsep.join([str(ROOT / "tests"), str(ROOT)])
    variables = kept | {"HOME": str(home), "XDG_CACHE_HOME": str(home / ".cache"), "PYTHONPATH": paths}
    finished = isolated(SCRIPT, model_directory, image, tmp_path / "log", env=variables, cwd=tmp_path)
    assert finished.returncode == 0, finished.stderr
    assert finished.stdout.strip() == "{'Ip:OutNoRoutes': 0, 'Udp:OutDatagrams': 0, 'Tcp:ActiveOpens': 3} 0 0"
    assert list(home.iterdir()) == []
