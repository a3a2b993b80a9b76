"""How many CPU cores this process may use."""

import math
import os
from collections.abc import Iterator
from pathlib import Path


def usable_cores(root: Path = Path("/")) -> int:
    """The number of cores allowed by CPU affinity and by the CPU quota of the container, at least 1.

    Args:
        root: where ``proc`` and ``sys`` are mounted.
    """
    affinity = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, math.ceil(min([affinity, *_quotas(root)])))


def _quotas(root: Path) -> Iterator[float]:
    """CPU quotas, in cores, of this process's control group and of those that contain it."""
    try:
        lines = (root / "proc/self/cgroup").read_text().splitlines()
    except OSError:  # not on Linux
        return
    for _, controllers, path in (line.split(":", 2) for line in lines):
        mount = root / "sys/fs/cgroup" / ("cpu" if "cpu" in controllers.split(",") else "")
        group = mount / path.lstrip("/")
        for folder in (group, *group.parents[: len(group.parts) - len(mount.parts)], mount):
            yield from _quota(folder)


def _quota(folder: Path) -> Iterator[float]:
    """The quota of one control group: ``cpu.max`` in version 2, two files in version 1."""
    try:
        if (folder / "cpu.max").exists():
            quota, period = (folder / "cpu.max").read_text().split()
        else:
            quota, period = ((folder / f"cpu.cfs_{name}_us").read_text() for name in ("quota", "period"))
        if quota != "max" and float(quota) > 0:
            yield float(quota) / float(period)
    except (OSError, ValueError):  # no limit on the CPU, or an unknown format
        return
