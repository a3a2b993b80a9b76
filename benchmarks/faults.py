"""Disturb the pipeline at random moments, and compare its bytes with those of an undisturbed run.

    python -m benchmarks.faults --trials 150 --flips 100

A copy of the project runs once on a few synthetic faces. Each trial then forgets one stage (its outputs, their objects
in the cache, its entry in dvc.lock), runs it, disturbs it up to three times, and completes it with `dvc repro`. That
must succeed at once and give the bytes of the undisturbed run in the outputs and in the cache, the same dvc.lock, and
nothing left behind. Before `dvc repro`, records that a killed DVC left half-written are mended, as `make repro` does.
Every validation writes a checkpoint, so that many disturbances fall into one.

A flip changes one bit of the archive that `download` reads, which must refuse it and write nothing, or of an object in
DVC's cache, which `make check` must name, and which must come back right when its advice is followed.

A trial takes about ten seconds of one core, a flip about five. Seeds fix stages, faults and moments; what a moment
hits depends on the machine. For Linux and macOS.
"""

import argparse
import hashlib
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
from rich.console import Console
from rich.table import Table
from ruamel.yaml import YAML
from tqdm import tqdm

from facial_expression.params import load_params
from tools.demo import ROOT, commit, make_copy
from tools.mend_records import mend

RECIPE = {"iterations": 12, "snapshot_every": 4, "validate_every": 2, "batch_size": 20}
RESULTS = ("data", "models", "reports")


@dataclass(frozen=True)
class Pipeline:
    """A copy of the project, and what an undisturbed run made of it.

    Attributes:
        seconds: how long ``dvc repro`` of each stage takes.
        outputs: paths and objects in the cache of each stage.
        files: digest of every file that must be there in the end.
    """

    root: Path
    seconds: dict[str, float]
    outputs: dict[str, list[Path]]
    files: dict[str, str]
    lock: str


def main() -> None:
    parser = argparse.ArgumentParser(description="Disturb the pipeline at random moments, and compare its bytes")
    parser.add_argument("--trials", type=int, default=150, help="of one to three disturbances each")
    parser.add_argument("--flips", type=int, default=100)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    signal.signal(
        signal.SIGINT, signal.default_int_handler
    )  # which a shell's background processes ignore, as do theirs
    outcomes: Counter[tuple[str, str]] = Counter()
    with tempfile.TemporaryDirectory(prefix="faults-") as folder:
        pipeline = run_undisturbed(Path(folder) / "project")
        try:
            for number in tqdm(range(arguments.trials), desc="faults", unit="trial"):
                run_trial(pipeline, number, random.Random(f"{arguments.seed} {number}"), outcomes)
            archive = write_archive(pipeline)
            for number in tqdm(range(arguments.flips), desc="flips", unit="flip"):
                run_flip(pipeline, archive, number, random.Random(f"{arguments.seed} flip {number}"), outcomes)
        except KeyboardInterrupt:
            print("stopped: the table is about the trials so far", file=sys.stderr)
    show(outcomes)


def run_trial(pipeline: Pipeline, number: int, choose: random.Random, outcomes: Counter[tuple[str, str]]) -> None:
    """Disturb one stage, and count how that ended by fault and by stage."""
    stage = choose.choice(list(pipeline.seconds))
    names = [choose.choice(list(FAULTS)) for _ in range(choose.randint(1, 3))]
    wrong = disturb(pipeline, stage, names, choose, outcomes)
    for name in names:
        outcomes[name, "disturbances"] += 1
        outcomes[stage, "disturbances"] += 1
    if wrong:
        outcomes.update((name, "wrong") for name in {*names, stage})
        tqdm.write(f"trial {number}, {stage}, {', '.join(names)}: {'; '.join(wrong)}")


def run_flip(
    pipeline: Pipeline, archive: Path, number: int, choose: random.Random, outcomes: Counter[tuple[str, str]]
) -> None:
    """Flip one bit, and count how that ended."""
    name = FLIPPED_ARCHIVE if number % 2 else FLIPPED_OBJECT
    wrong = flip_archive(pipeline, archive, choose) if number % 2 else flip_object(pipeline, choose)
    outcomes[name, "disturbances"] += 1
    if wrong:
        outcomes[name, "wrong"] += 1
        tqdm.write(f"flip {number}, {name}: {'; '.join(wrong)}")


def small_pipeline() -> dict[str, Any]:
    """Changes of params.yaml: few faces, short trainings, the exported report alone, and one run of each network."""
    params = load_params(ROOT / "params.yaml")
    exported = params.export.report
    kept = {run.stage: name for name, run in reversed(params.runs_of(params.evaluate[exported].protocol).items())}
    runs: dict[str, Any] = {stage: {} for stage in kept}
    for name, run in params.all_runs.items():
        if kept[run.stage] != name and not run.variant_of:  # no copy has variants
            runs[run.stage][name] = None
    others = dict.fromkeys(report for report in params.evaluate if report != exported)
    return {
        "download": {"dataset": "synthetic", "synthetic_faces": 600},
        "recipes": {"study": RECIPE, "short": RECIPE | {"warmup": 1}, "long": RECIPE | {"batch_size": 8, "warmup": 1}},
        "runs": runs,
        "evaluate": {exported: {"ensemble_last": 2, "bootstrap_samples": 100}, **others},
        "export": {"calibration_faces": 50, "runs": []},
    }


def run_undisturbed(root: Path) -> Pipeline:
    """Run every stage of a new copy, one at a time."""
    make_copy(root, small_pipeline())
    checkpoint = root / "facial_expression/training/checkpoint.py"
    checkpoint.write_text(checkpoint.read_text().replace("CHECKPOINT_SECONDS = 60", "CHECKPOINT_SECONDS = -1"))
    commit(root, "Copy")
    listing = subprocess.run(dvc("stage", "list", "--name-only"), cwd=root, check=True, capture_output=True, text=True)
    seconds = {}
    for stage in tqdm(listing.stdout.split(), desc="undisturbed", unit="stage"):  # dvc.yaml lists them in order
        started = time.monotonic()
        subprocess.run(repro(stage), cwd=root, check=True, capture_output=True)
        seconds[stage] = time.monotonic() - started
    lock = (root / "dvc.lock").read_text()
    commit(root, "Run")
    stages = YAML(typ="safe").load(lock)["stages"]
    outputs = {name: [path for out in stages[name]["outs"] for path in places_of(root, out)] for name in seconds}
    return Pipeline(root, seconds, outputs, digests(root), lock)


def dvc(*words: str) -> list[str]:
    return [sys.executable, "-m", "dvc", *words]


def repro(stage: str) -> list[str]:
    return dvc("repro", "--single-item", stage)


def places_of(root: Path, out: dict) -> list[Path]:
    """An output of dvc.lock in the workspace, and its objects in the cache."""
    objects = [root / ".dvc/cache/files/md5" / out["md5"][:2] / out["md5"][2:]]
    if objects[0].suffix == ".dir" and objects[0].exists():
        entries = YAML(typ="safe").load(objects[0].read_text())
        objects += [objects[0].parents[1] / entry["md5"][:2] / entry["md5"][2:] for entry in entries]
    return [root / out["path"], *objects]


def digests(root: Path) -> dict[str, str]:
    """Digest of every result, and of every object in the cache."""
    folders = [root / name for name in (*RESULTS, ".dvc/cache/files")]
    files = sorted(path for folder in folders for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(root)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def forget(pipeline: Pipeline, stage: str) -> None:
    """Bring the pipeline into the state before a stage ran."""
    for path in pipeline.outputs[stage]:
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)
    for path in (pipeline.root / ".checkpoints", pipeline.root / ".dvc/cache/runs"):
        shutil.rmtree(path, ignore_errors=True)
    yaml = YAML()
    lock = yaml.load(pipeline.lock)
    del lock["stages"][stage]
    yaml.dump(lock, pipeline.root / "dvc.lock")


def disturb(
    pipeline: Pipeline, stage: str, names: list[str], choose: random.Random, outcomes: Counter[tuple[str, str]]
) -> list[str]:
    """Disturb a stage by each of the faults, complete it, and list what is wrong."""
    forget(pipeline, stage)
    for name in names:
        outcomes[MENDED, "disturbances"] += len(mend(pipeline.root))
        moment = choose.uniform(0, 1.1 * pipeline.seconds[stage])
        process = subprocess.Popen(repro(stage), cwd=pipeline.root, start_new_session=True, **QUIET)
        try:
            time.sleep(moment)
            FAULTS[name](pipeline, stage, process)
            process.wait()
        finally:
            FAULTS["SIGKILL to all"](pipeline, stage, process)  # if Ctrl-C stops the benchmark
        if not wait_until_alone(pipeline.root):
            return ["a process of the stage outlives DVC"]
    outcomes[MENDED, "disturbances"] += len(mend(pipeline.root))
    completed = subprocess.run(repro(stage), cwd=pipeline.root, capture_output=True, text=True)
    if completed.returncode:
        return [f"not completed: {completed.stderr.strip()[-500:]}"]
    return differences(pipeline)


MENDED = "records of DVC to mend"


FLIPPED_OBJECT, FLIPPED_ARCHIVE = "a flipped bit in the cache", "a flipped bit in the download"


def flip_object(pipeline: Pipeline, choose: random.Random) -> list[str]:
    """Damage an object in the cache, do what `make check` advises, and list what is wrong."""
    objects = sorted({path for paths in pipeline.outputs.values() for path in paths if "files/md5" in str(path)})
    damaged = choose.choice([path for path in objects if path.exists() and path.stat().st_size])
    flip_bit(damaged, choose)
    check = [sys.executable, "-m", "tools.check_pins"]
    checked = subprocess.run(check, cwd=pipeline.root, capture_output=True, text=True)
    wrong = [] if checked.returncode == 1 and damaged.name in checked.stderr else ["not found by make check"]
    damaged.unlink()
    completed = subprocess.run(dvc("repro"), cwd=pipeline.root, capture_output=True, text=True)
    if completed.returncode:
        wrong.append(f"not completed: {completed.stderr.strip()[-500:]}")
    return wrong + differences(pipeline)


def write_archive(pipeline: Pipeline) -> Path:
    """The data of the pipeline as an archive, beside it."""
    return Path(shutil.make_archive(str(pipeline.root.parent / "fer2013"), "gztar", pipeline.root / "data/raw"))


def flip_archive(pipeline: Pipeline, archive: Path, choose: random.Random) -> list[str]:
    """Damage the archive that `download` reads, and list what is wrong."""
    csv = pipeline.root / "data/raw/fer2013.csv"
    with tempfile.TemporaryDirectory(dir=pipeline.root.parent) as folder:
        damaged = Path(shutil.copy2(archive, folder))
        flip_bit(damaged, choose)
        copy = Path(folder) / "project"
        shutil.copytree(pipeline.root / "stages", copy / "stages")
        params = YAML().load(pipeline.root / "params.yaml")
        md5 = hashlib.md5(csv.read_bytes(), usedforsecurity=False).hexdigest()
        params["download"] |= {"dataset": "fer2013", "archive": str(damaged), "md5": md5}
        YAML().dump(params, copy / "params.yaml")
        command = [sys.executable, "-m", "stages.download"]
        environment = os.environ | {"PYTHONPATH": str(pipeline.root)}
        finished = subprocess.run(command, cwd=copy, env=environment, capture_output=True, text=True)
        written = sorted(path for path in copy.rglob("data/**/*") if path.is_file())
        if finished.returncode == 0:  # the bit stands for nothing, such as a time
            return [] if [path.read_bytes() for path in written] == [csv.read_bytes()] else ["wrong bytes accepted"]
        wrong = [f"left behind: {path.name}" for path in written]
        return wrong + ([] if len(finished.stderr.splitlines()) == 1 else [f"not one line: {finished.stderr[-500:]}"])


def flip_bit(path: Path, choose: random.Random) -> None:
    content = bytearray(path.read_bytes())
    content[choose.randrange(len(content))] ^= 1 << choose.randrange(8)
    path.chmod(0o644)  # DVC's objects are read-only
    path.write_bytes(content)


QUIET = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}


def wait_until_alone(root: Path, seconds: float = 60) -> bool:
    """Whether every stage in a folder ends soon. Idle worker processes of joblib end later, and write nothing."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if not stages_in(root):
            return True
        time.sleep(0.1)
    return False


def stages_in(root: Path) -> list[psutil.Process]:
    found = []
    for process in psutil.process_iter():
        try:
            if process.cwd() == str(root) and any(word.startswith("stages.") for word in process.cmdline()):
                found.append(process)
        except psutil.Error:
            continue  # it has ended, or belongs to another user
    return found


def differences(pipeline: Pipeline) -> list[str]:
    """What differs from the undisturbed run."""
    files = digests(pipeline.root)
    faults = [f"wrong bytes: {name}" for name in files.keys() & pipeline.files if files[name] != pipeline.files[name]]
    faults += [f"missing: {name}" for name in pipeline.files.keys() - files]
    faults += [f"left behind: {name}" for name in files.keys() - pipeline.files]
    before, after = (YAML(typ="safe").load(text) for text in (pipeline.lock, (pipeline.root / "dvc.lock").read_text()))
    if before != after:  # whatever the order of the stages
        faults.append("another dvc.lock")
    return faults


def send(number: signal.Signals, everyone: bool) -> Callable[[Pipeline, str, subprocess.Popen], None]:
    """A fault that sends a signal to DVC, or to DVC and all that it started."""

    def fault(pipeline: Pipeline, stage: str, process: subprocess.Popen) -> None:
        if process.poll() is None:
            (os.killpg if everyone else os.kill)(process.pid, number)

    return fault


def kill_stage(pipeline: Pipeline, stage: str, process: subprocess.Popen) -> None:
    for running in stages_in(pipeline.root):
        running.kill()


def run_twice(pipeline: Pipeline, stage: str, process: subprocess.Popen) -> None:
    subprocess.run(repro(stage), cwd=pipeline.root, **QUIET)


def train_by_hand_too(pipeline: Pipeline, stage: str, process: subprocess.Popen) -> None:
    """Start a training beside that of DVC; for other stages the same as :func:`run_twice`."""
    name, _, run = stage.partition("@")
    if not name.startswith("train_"):
        return run_twice(pipeline, stage, process)
    subprocess.run([sys.executable, "-m", f"stages.{name}", run], cwd=pipeline.root, **QUIET)


def damage_checkpoint(pipeline: Pipeline, stage: str, process: subprocess.Popen) -> None:
    """Kill everything, and flip a bit in the middle of the checkpoint."""
    send(signal.SIGKILL, everyone=True)(pipeline, stage, process)
    for path in (pipeline.root / ".checkpoints").glob("*/*/checkpoint.npz"):
        content = bytearray(path.read_bytes())
        content[len(content) // 2] ^= 1
        path.write_bytes(content)


FAULTS = {
    "SIGKILL to all": send(signal.SIGKILL, everyone=True),
    "SIGKILL to DVC": send(signal.SIGKILL, everyone=False),
    "SIGKILL to the stage": kill_stage,
    "SIGTERM to all": send(signal.SIGTERM, everyone=True),
    "SIGTERM to DVC": send(signal.SIGTERM, everyone=False),
    "Ctrl-C": send(signal.SIGINT, everyone=True),
    "a second dvc repro": run_twice,
    "a second training": train_by_hand_too,
    "a damaged checkpoint": damage_checkpoint,
}


def show(outcomes: Counter[tuple[str, str]]) -> None:
    table = Table("fault or stage", "disturbances", "trials that went wrong")
    for name in dict.fromkeys(
        [*FAULTS, MENDED, FLIPPED_OBJECT, FLIPPED_ARCHIVE, *sorted(name for name, _ in outcomes)]
    ):
        table.add_row(name, *(str(outcomes[name, column]) for column in ("disturbances", "wrong")))
    Console().print(table)


if __name__ == "__main__":
    main()
