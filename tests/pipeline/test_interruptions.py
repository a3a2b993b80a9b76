"""Stages that are stopped, whose disk is full or read-only, or whose DVC dies: one line, and nothing half-written."""

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest
from ruamel.yaml import YAML

from helpers.disks import remount, small_disk
from helpers.project import ROOT, environment
from helpers.stage_project import run_stage
from tools.demo import make_copy

DOWNLOAD = [sys.executable, "-m", "stages.download"]


def write_params(directory: Path, faces: int, workers: int = 1) -> None:
    yaml = YAML()
    params = yaml.load(ROOT / "params.yaml")
    params["download"].update(dataset="synthetic", synthetic_faces=faces)
    params["runtime"]["workers"] = workers
    yaml.dump(params, directory / "params.yaml")


def start(command: list[str], directory: Path, **variables: str) -> subprocess.Popen:
    variables = environment() | {"PYTHONPATH": str(ROOT)} | variables
    pipe = subprocess.PIPE
    return subprocess.Popen(
        command, cwd=directory, env=variables, stdout=pipe, stderr=pipe, text=True, preexec_fn=_heed_interrupts
    )


def _heed_interrupts() -> None:
    """What runs in a shell's background ignores SIGINT, and its children would inherit that."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def wait_for(sign, seconds: float = 120):
    """What ``sign`` returns as soon as it is true."""
    end = time.monotonic() + seconds
    while not (found := sign()):
        assert time.monotonic() < end, "nothing happened"
        time.sleep(0.05)
    return found


def files_in(directory: Path) -> list[str]:
    return sorted(str(path.relative_to(directory)) for path in directory.rglob("*") if path.is_file())


# Signals


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)], ids=["SIGINT", "SIGTERM"])
def test_stopped_stage_says_so_and_leaves_nothing(tmp_path, number, code):
    write_params(tmp_path, faces=50_000, workers=2)
    process = start(DOWNLOAD, tmp_path)
    workers = psutil.Process(process.pid)
    wait_for((tmp_path / "data/raw/.fer2013.csv.partial").exists)
    children = wait_for(lambda: workers.children(recursive=True))
    process.send_signal(number)
    _, shown = process.communicate(timeout=120)
    assert process.returncode == code
    assert "download: interrupted" in shown.splitlines()  # joblib may warn about what its workers left
    assert "Traceback" not in shown
    assert files_in(tmp_path) == ["params.yaml"]
    assert not psutil.wait_procs(children, timeout=60)[1]


def test_interruption_says_what_the_next_run_does(tmp_path):
    script = "raise KeyboardInterrupt('the next run resumes after iteration 500')"
    process = start([sys.executable, "-c", wrap(script)], tmp_path)
    assert process.communicate()[1] == "-c: interrupted: the next run resumes after iteration 500\n"
    assert process.returncode == 130


def test_interrupted_import_shows_no_traceback(tmp_path):
    process = start([sys.executable, "-c", "import stages; raise KeyboardInterrupt"], tmp_path)
    assert process.communicate()[1] == "interrupted\n"
    assert process.returncode == -signal.SIGINT


def wrap(body: str) -> str:
    """A script that runs one line of Python as a stage."""
    return f"from stages._stage import run_stage\ndef main():\n    {body}\nrun_stage(main)"


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells a process that its parent has died")
@pytest.mark.parametrize("shell", ["/bin/sh", "/bin/bash"])
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL], ids=["SIGTERM", "SIGKILL"])
def test_no_stage_outlives_its_dvc(tmp_path, number, shell):
    copy = tmp_path / "project"
    make_copy(copy, {"download": {"dataset": "synthetic", "synthetic_faces": 50_000}, "runtime": {"workers": 2}})
    process = start([sys.executable, "-m", "dvc", "repro", "download"], copy, SHELL=shell)
    wait_for((copy / "data/raw/.fer2013.csv.partial").exists)
    stages = psutil.Process(process.pid).children(recursive=True)
    process.send_signal(number)
    process.communicate(timeout=120)
    assert not psutil.wait_procs(stages, timeout=60)[1]
    assert not (copy / "data/raw/.fer2013.csv.partial").exists()


def test_stage_run_by_hand_outlives_its_shell(tmp_path):
    """As with nohup."""
    body = "import time; time.sleep(3); open('done', 'w').close()"
    command = [sys.executable, "-c", wrap(body)]
    shell = f"import subprocess, time; subprocess.Popen({command!r}); time.sleep(2)"
    start([sys.executable, "-c", shell], tmp_path).communicate()
    wait_for((tmp_path / "done").exists)


# Disks


def test_full_disk_is_named_and_completed_later(tmp_path):
    with small_disk(tmp_path / "project", megabytes=1) as project:
        write_params(project, faces=200)
        failed = run_stage(project, "download")
        assert failed.returncode == 1
        assert failed.stderr.splitlines()[-1] == "download: data/raw/fer2013.csv: No space left on device"
        assert "Traceback" not in failed.stderr
        assert files_in(project) == ["params.yaml"]

        remount(project, "size=9m")
        assert run_stage(project, "download").returncode == 0
        used = shutil.disk_usage(project).used
        remount(project, f"size={used // 1024 + 100}k")
        failed = run_stage(project, "decode")
        assert (failed.returncode, failed.stderr) == (1, "decode: data/decoded: No space left on device\n")
        assert files_in(project) == ["data/raw/fer2013.csv", "params.yaml"]

        remount(project, "ro,size=9m")
        failed = run_stage(project, "decode")
        assert (failed.returncode, failed.stderr) == (1, "decode: data/decoded: Read-only file system\n")
        remount(project, "rw")
        assert run_stage(project, "decode").returncode == 0


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may read and write everything")
def test_denied_files_are_named(tmp_path):
    write_params(tmp_path, faces=50)
    assert run_stage(tmp_path, "download").returncode == 0
    (tmp_path / "data").chmod(0o555)
    failed = run_stage(tmp_path, "decode")
    (tmp_path / "data").chmod(0o755)
    assert (failed.returncode, failed.stderr) == (1, "decode: data/decoded: Permission denied\n")
    (tmp_path / "data/raw/fer2013.csv").chmod(0o000)
    failed = run_stage(tmp_path, "decode")
    assert (failed.returncode, failed.stderr) == (
        1,
        "decode: data/raw/fer2013.csv: cannot be read (Permission denied)\n",
    )


def test_unreadable_input_is_named(tmp_path):
    write_params(tmp_path, faces=50)
    assert run_stage(tmp_path, "download").returncode == 0
    assert run_stage(tmp_path, "decode").returncode == 0
    for name in ("images.npy", "faces.csv"):
        path = tmp_path / "data/decoded" / name
        content = path.read_bytes()
        path.unlink()
        path.symlink_to("/proc/self/mem")  # reading it is an error of input and output
        failed = run_stage(tmp_path, "align")
        assert (failed.returncode, len(failed.stderr.splitlines())) == (1, 1), failed.stderr
        assert failed.stderr.startswith("align: data/decoded: Input/output error")
        path.unlink()
        path.write_bytes(content)
