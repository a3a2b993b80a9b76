"""Train several runs at once, one process each, and record them with DVC.

    make train RUNS="small wide"

DVC allows one command at a time, which two `dvc repro` started together find out too late. So the runs train without
DVC here, and at the end a single `dvc repro` takes up the finished trainings. Ctrl-C stops all of them with a
checkpoint, from which the same command resumes.
"""

import argparse
import json
import os
import subprocess
import sys
import time
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

from rich.live import Live
from rich.table import Table

from facial_expression.cores import usable_cores
from facial_expression.params import Run, load_params

LOGS = Path(".checkpoints/logs")
DVC = [sys.executable, "-m", "dvc"]


def main() -> None:
    runs = load_params().all_runs
    parser = argparse.ArgumentParser(description="Train several runs at once, one process each, and record them")
    parser.add_argument("runs", nargs="+", choices=runs, metavar="run", help=f"one of {', '.join(runs)}")
    parser.add_argument("--jobs", type=int, default=usable_cores(), help="processes at a time; one per core by default")
    arguments = parser.parse_args()
    if arguments.jobs < 1:
        parser.error("--jobs must be 1 or more")
    if subprocess.run([*DVC, "repro", "filter_classes"]).returncode:  # what the trainings read
        sys.exit("train: the stages before training failed for the reason above")
    stages = _out_of_date({f"train_{runs[name].stage}@{name}": runs[name] for name in arguments.runs})
    try:
        codes = _train_all(list(stages.values()), arguments.jobs)
    except KeyboardInterrupt:
        print("train: interrupted; the same command resumes", file=sys.stderr)
        sys.exit(130)
    trained = [stage for stage, run in stages.items() if codes[run.name] == 0]
    recorded = not trained or subprocess.run([*DVC, "repro", *trained]).returncode == 0
    failed = [name for name, code in codes.items() if code]
    if failed:
        sys.exit(f"train: {', '.join(failed)} failed; {LOGS}/ says why")
    if not recorded:
        sys.exit("train: everything is trained, but not recorded for the reason above; the same command records it")


def _out_of_date(stages: dict[str, Run]) -> dict[str, Run]:
    status = subprocess.run([*DVC, "status", "--json", *stages], stdout=subprocess.PIPE)
    if status.returncode:
        sys.exit("train: `dvc status` failed for the reason above")
    changed = json.loads(status.stdout)
    for stage in sorted(stages.keys() - changed):
        print(f"{stage} is up to date")
    return {stage: run for stage, run in stages.items() if stage in changed}


def _train_all(runs: list[Run], jobs: int) -> dict[str, int]:
    """Exit codes of the training stages by run."""
    LOGS.mkdir(parents=True, exist_ok=True)
    pool = ThreadPoolExecutor(jobs)
    codes = {run.name: pool.submit(_train, run) for run in runs}
    try:
        with Live(refresh_per_second=1) as live:
            while not all(code.done() for code in codes.values()):
                live.update(_table(codes))
                time.sleep(1)
            live.update(_table(codes))
    finally:
        pool.shutdown(cancel_futures=True)  # Ctrl-C has reached the trainings too: wait for their checkpoints
    return {name: code.result() for name, code in codes.items()}


def _train(run: Run) -> int:
    with _log(run.name).open("w") as log:
        command = [sys.executable, "-m", f"stages.train_{run.stage}", run.name]
        environment = os.environ | {"TQDM_MININTERVAL": "2"}  # seconds; a log needs no ten updates a second
        return subprocess.run(command, env=environment, stdout=log, stderr=subprocess.STDOUT).returncode


def _log(run: str) -> Path:
    return LOGS / f"{run}.log"


def _table(codes: dict[str, Future[int]]) -> Table:
    """Each run with the last line of its log, which is the progress bar or the error."""
    table = Table("run", "progress")
    for name, code in codes.items():
        started = code.running() or code.done()
        table.add_row(name, (_last_line(_log(name)) or "starting") if started else "waiting")
    return table


def _last_line(path: Path) -> str:
    """The end of a log, which may be long."""
    if not path.exists():
        return ""
    with path.open("rb") as log:
        log.seek(max(0, path.stat().st_size - 1000))
        lines = log.read().decode(errors="replace").splitlines()
    return lines[-1] if lines else ""


if __name__ == "__main__":
    main()
