"""What all stages share: every path of the project, and one way to start and to fail."""

import sys
from collections.abc import Callable
from pathlib import Path

from facial_expression.data.face_table import FaceTable, read_face_table
from facial_expression.errors import UserError

RAW = Path("data/raw/fer2013.csv")
DECODED, ALIGNED, CENTERED, FILTERED = (Path("data", name) for name in ("decoded", "aligned", "centered", "filtered"))
INPUTS = {"decoded": DECODED, "aligned": ALIGNED, "centered": CENTERED}
SERVING, VARIANTS = Path("models/serving"), Path("models/variants")
DATASET = Path("reports/dataset.json")
WORKSPACE = Path(".checkpoints")


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


def report_directory(report: str) -> Path:
    """Where the stage ``evaluate`` writes a report."""
    return Path("reports", report)


def read_input(name: str) -> FaceTable:
    """The filtered faces with the images that a network sees: ``aligned``, ``centered`` or ``decoded``."""
    return read_face_table(FILTERED).with_images_of(read_face_table(INPUTS[name], memory_map=True))


def run_stage(main: Callable[[], None]) -> None:
    """Run a stage. A `UserError` is printed without a traceback; any other exception keeps its traceback."""
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(errors="replace")  # a character that the terminal lacks must not fail a stage
    try:
        main()
    except UserError as error:
        sys.exit(f"{Path(sys.argv[0]).stem}: {error}")
