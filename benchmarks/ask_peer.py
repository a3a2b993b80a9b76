"""Run :mod:`benchmarks.peer` in the environment that has the package ``fer``."""

import json
import os
import subprocess
import sys
from pathlib import Path


def ask_peer(python: Path, *words: str | Path) -> dict | list:
    """What ``benchmarks/peer.py WORDS`` prints, run by ``python`` on one core; ends this process if it fails."""
    one_core = {"OMP_NUM_THREADS": "1", "TF_CPP_MIN_LOG_LEVEL": "3"}
    command = [python, "benchmarks/peer.py", *words]
    finished = subprocess.run(command, capture_output=True, text=True, env=os.environ | one_core)
    if finished.returncode:
        sys.exit(f"{python} does not run fer: {finished.stderr[-500:]}")
    return json.loads(finished.stdout.splitlines()[-1])
