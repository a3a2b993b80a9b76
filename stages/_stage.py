"""What all stages share: every path of the project, and one way to start, to stop and to fail."""

import argparse
import os
import select
import shutil
import signal
import sys
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path

from facial_expression.errors import UserError
from facial_expression.files import atomic_write
from facial_expression.params import Download, Params, Run, load_params

RAW, PICTURES = Path("data/raw/fer2013.csv"), Path("data/raw/pictures.csv")
DECODED, ALIGNED, CENTERED, FILTERED = (Path("data", name) for name in ("decoded", "aligned", "centered", "filtered"))
SERVING, VARIANTS = Path("models/serving"), Path("models/variants")
DATASET = Path("reports/dataset.json")
SERVED_PREDICTIONS = Path("data/predictions/served.npz")
PROBES, ANALYSIS, CROWD = Path("reports/probes"), Path("reports/analysis"), Path("reports/crowd")
REPORT, REPORT_WITH_FACES = Path("reports/report.html"), Path("reports/report-with-faces.html")
FIGURES, FONT = Path("reports/figures"), Path("app/static/fonts/bricolage-grotesque.woff2")
NEAR_DUPLICATES = Path("data/near_duplicates.csv")
WORKSPACE = Path(".checkpoints")
LOCK, LOCK_COPY = Path("dvc.lock"), Path(".dvc/tmp/dvc.lock.copy")


def pictures_source(download: Download) -> Path:
    """The folder of pictures, or the CSV that lists them.

    Raises:
        UserError: there is none.
    """
    source = os.environ.get("FACES_FOLDER") or download.folder
    if not source:
        raise UserError("download.dataset is folder: name it by download.folder in params.yaml or by FACES_FOLDER")
    return Path(source).expanduser()


def model_directory(protocol: str, run: str) -> Path:
    """Where the stage ``train_<stage>`` writes a trained network."""
    return Path("models", protocol, run)


def predictions_path(protocol: str, run: str) -> Path:
    """Where the stage ``predict`` writes the predictions of a run."""
    return Path("data/predictions", protocol, f"{run}.npz")


def history_path(protocol: str, run: str) -> Path:
    """Where the stage ``train_<stage>`` writes the history of a run."""
    return Path("reports/history", protocol, f"{run}.csv")


def validation_path(run: str) -> Path:
    """Where the stage ``train_<stage>`` writes the best validation accuracy of a run."""
    return Path("reports/validation", f"{run}.json")


def probe_directory(run: str) -> Path:
    """Where the stage ``probe`` writes what it found about a trained network."""
    return PROBES / run


def report_directory(report: str) -> Path:
    """Where the stage ``evaluate`` writes a report."""
    return Path("reports", report)


def parse_report(description: str) -> tuple[Params, str]:
    """The parameters, and the report that the command line names.

    Raises:
        UserError: params.yaml has no such report.
    """
    return _parse_name("report", description, "evaluate in params.yaml", lambda params: params.evaluate)


def parse_run(description: str) -> tuple[Params, Run]:
    """The parameters, and the run that the command line names.

    Raises:
        UserError: params.yaml has no such run.
    """
    params, name = _parse_name("run", description, "params.yaml", lambda params: params.all_runs)
    return params, params.all_runs[name]


def _parse_name(
    what: str, description: str, where: str, choices_of: Callable[[Params], Mapping[str, object]]
) -> tuple[Params, str]:
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument(what)
    name = getattr(parser.parse_args(), what)
    params = load_params()
    choices = choices_of(params)
    if name not in choices:
        raise UserError(f"{where} has no {what} {name!r}, but {', '.join(choices)}")
    return params, name


def run_stage(main: Callable[[], None]) -> None:
    """Run a stage, and end it as shells expect.

    A `UserError`, an `OSError` that names its file, Ctrl-C (exit code 130) and SIGTERM (143) are printed in one line;
    any other exception is a bug and keeps its traceback.
    """
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(errors="replace")  # a character that the terminal lacks must not fail a stage
    signal.signal(signal.SIGTERM, _terminate)
    _stop_with_dvc()
    _copy_lock()
    stage = Path(sys.argv[0]).stem
    try:
        main()
    except UserError as error:
        sys.exit(f"{stage}: {error}")
    except OSError as error:
        if error.filename is None:
            raise
        sys.exit(f"{stage}: {error.filename}: {error.strerror}")
    except KeyboardInterrupt as interruption:
        print(": ".join([stage, "interrupted", *interruption.args]), file=sys.stderr)
        sys.exit(128 + (signal.SIGTERM if isinstance(interruption, _Terminated) else signal.SIGINT))


class _Terminated(KeyboardInterrupt):
    """SIGTERM, which ends a stage in the same way as Ctrl-C."""


def _terminate(number: int, _frame: object) -> None:
    signal.signal(number, signal.SIG_IGN)  # a second one follows when DVC, which got the first one too, is gone
    raise _Terminated


def _copy_lock() -> None:
    """Keep what DVC has just read: it is cut off if DVC is killed while it records this stage (tools.mend_records)."""
    if "DVC_STAGE" in os.environ and LOCK.exists() and LOCK_COPY.parent.exists():
        with suppress(OSError), atomic_write(LOCK_COPY) as temporary:
            shutil.copyfile(LOCK, temporary)


def _stop_with_dvc() -> None:
    """On Linux, end this process with SIGTERM when the DVC that started it dies, so that no stage outlives its DVC."""
    if sys.platform == "linux" and "DVC_STAGE" in os.environ:
        with suppress(OSError):  # it is dead already, or the kernel is too old
            dvc = os.pidfd_open(_dvc_process())
            threading.Thread(target=_terminate_after, args=(dvc,), daemon=True).start()


def _dvc_process() -> int:
    """The parent, or the parent of the shell in between: some shells replace themselves by their last command."""
    parent = os.getppid()
    shell = Path(os.environ.get("SHELL") or "/bin/sh").resolve()
    if Path(f"/proc/{parent}/exe").resolve() == shell:
        return int(Path(f"/proc/{parent}/stat").read_text().rpartition(")")[2].split()[1])
    return parent


def _terminate_after(process: int) -> None:
    select.select([process], [], [])
    os.kill(os.getpid(), signal.SIGTERM)
