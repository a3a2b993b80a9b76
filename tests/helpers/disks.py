"""Small disks, to fill up."""

import contextlib
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest


@contextlib.contextmanager
def small_disk(directory: Path, megabytes: int) -> Iterator[Path]:
    """A disk of the given size at ``directory`` while the block runs. The test is skipped where mounting is denied."""
    directory.mkdir()
    options = ["-t", "tmpfs", "-o", f"size={megabytes}m", "tmpfs"]
    try:
        mounted = subprocess.run(["mount", *options, str(directory)], capture_output=True, text=True)
    except FileNotFoundError:
        pytest.skip("no command `mount`")
    if mounted.returncode:
        pytest.skip(f"only root may mount a small disk: {mounted.stderr.strip()}")
    try:
        yield directory
    finally:
        subprocess.run(["umount", "--lazy", str(directory)], check=True)


def remount(directory: Path, options: str) -> None:
    """Change a disk from :func:`small_disk`: ``size=9m``, or ``ro`` to make it read-only."""
    subprocess.run(["mount", "-o", f"remount,{options}", str(directory)], check=True)
