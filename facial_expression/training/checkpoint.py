"""The state of a training on disk, from which an interrupted training resumes.

The checkpoint of a finished training stays, so that nothing is lost if its caller cannot keep the model. It is replaced
when the workspace is used for another training.
"""

import hashlib
import json
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import cv2
import keras
import numpy as np
from zc.lockfile import LockError, LockFile

from facial_expression.data.face_table import LabeledImages
from facial_expression.errors import UserError
from facial_expression.files import atomic_write, remove, sha256
from facial_expression.params import Recipe
from facial_expression.training.snapshots import architecture, snapshot_path

CHECKPOINT_SECONDS = 60


@contextmanager
def lock(workspace: Path) -> Iterator[None]:
    """Hold a workspace during the block. The lock ends with its process, however that ends.

    Raises:
        UserError: another process holds it.
    """
    path = workspace.with_name(f"{workspace.name}.lock")  # beside the workspace, which a new training empties
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        held = LockFile(path)
    except LockError:
        process = path.read_text().strip()
        raise UserError(
            f"process {process} is training in {workspace}: wait for it, or end it with `kill {process}`, "
            "after which the next training resumes"
        ) from None
    try:
        yield
    finally:
        held.close()


class Checkpoint:
    """The state of one training: every variable of network and optimizer, the history and the time spent.

    Args:
        workspace: directory of the checkpoint and of the snapshots written so far.
        network: compiled, with its optimizer built.
        recipe: of the training.
        fingerprint: identifies the training (:func:`fingerprint`).

    Attributes:
        history: rows as :func:`facial_expression.training.loop.train` returns them.
        written: the iteration of the checkpoint on disk, 0 without one.
        snapshots: directory of the snapshots written so far.
    """

    def __init__(self, workspace: Path, network: keras.Model, recipe: Recipe, fingerprint: str):
        self.workspace, self.network, self.recipe = workspace, network, recipe
        self.fingerprint = fingerprint
        self.history: list[dict[str, Any]] = []
        self.snapshots = workspace / "snapshots"
        self._written_at = self._started_at = time.monotonic()
        self._seconds_before = 0.0
        self.written = 0
        self._kept: dict[str, Any] = {}

    @property
    def iteration(self) -> int:
        """Weight updates up to the last validation."""
        return self.history[-1]["iteration"] if self.history else 0

    @property
    def seconds(self) -> float:
        """Time spent on training, including interrupted processes up to their last checkpoint."""
        return self._seconds_before + time.monotonic() - self._started_at

    @property
    def is_due(self) -> bool:
        return time.monotonic() - self._written_at > CHECKPOINT_SECONDS

    @property
    def is_out_of_time(self) -> bool:
        return 0 < self.recipe.time_budget * 60 <= self.seconds

    @property
    def is_finished(self) -> bool:
        """Whether nothing is left to train: all iterations, or out of time with a snapshot of the last one."""
        has_snapshot = snapshot_path(self.snapshots, self.iteration).exists()
        return self.iteration == self.recipe.iterations or (self.is_out_of_time and has_snapshot)

    def resume(self) -> None:
        """Restore the checkpoint of the same training, or start with an empty workspace."""
        path = self.workspace / "checkpoint.npz"
        if path.exists():
            fault = self._restore_from(path)
            if not fault:
                self.written = self.iteration
                self._remove_stray_snapshots()
                print(self._resumption())
                return
            print(f"starting over: the checkpoint in {self.workspace} {fault}")
        remove(self.workspace)
        self.snapshots.mkdir(parents=True)

    def _restore_from(self, path: Path) -> str | None:
        """Restore a checkpoint, or say what is wrong with it."""
        try:
            with np.load(path) as saved:
                if str(saved["fingerprint"]) != self.fingerprint:
                    return "belongs to another network, recipe, data or code"
                variables = [saved[f"variable_{number}"] for number in range(len(self._variables()))]
                history, seconds = json.loads(str(saved["history"])), float(saved["seconds"])
        except (BadZipFile, EOFError, KeyError, ValueError) as error:
            return f"is damaged ({error})"
        self.restore(variables)
        self.history, self._seconds_before = history, seconds
        return None

    def keep(self) -> None:
        """Keep the present state in memory, for :meth:`write`."""
        variables = {f"variable_{number}": value for number, value in enumerate(self.values())}
        history = json.dumps(self.history)
        self._kept = {"fingerprint": self.fingerprint, "history": history, "seconds": self.seconds, **variables}

    def write(self) -> None:
        """Write the state kept last, if there is one, replacing the previous checkpoint."""
        if not self._kept:
            return
        with atomic_write(self.workspace / "checkpoint.npz") as temporary, temporary.open("wb") as file:
            np.savez(file, **self._kept)
        self.written = json.loads(self._kept["history"])[-1]["iteration"]
        self._written_at = time.monotonic()

    def values(self) -> list[np.ndarray]:
        """Copies of all variables of network and optimizer."""
        return [keras.ops.convert_to_numpy(variable) for variable in self._variables()]

    def restore(self, values: Sequence[np.ndarray]) -> None:
        """Assign what :meth:`values` returned."""
        for variable, value in zip(self._variables(), values, strict=True):
            variable.assign(value)

    def _resumption(self) -> str:
        if self.iteration == self.recipe.iterations:
            return f"trained already: to train again, delete {self.workspace} first"
        return f"resuming after iteration {self.iteration:,} of {self.recipe.iterations:,}"

    def _variables(self) -> list[keras.Variable]:
        return [*self.network.variables, *self.network.optimizer.variables]

    def _remove_stray_snapshots(self) -> None:
        """Remove the last snapshot of a smaller time budget, and snapshots newer than the checkpoint."""
        for path in self.snapshots.iterdir():
            iteration = int(path.name.split(".")[0])
            is_last = iteration == self.iteration and self.is_out_of_time
            if iteration > self.iteration or (iteration % self.recipe.snapshot_every and not is_last):
                path.unlink()


def fingerprint(network: keras.Model, description: dict[str, Any], *parts: LabeledImages) -> str:
    """Identifies a training by network, description (except the time budget), data, and the code that trains."""
    recipe = {key: value for key, value in description["recipe"].items() if key != "time_budget"}
    code = {path.name: sha256(path) for path in sorted(Path(__file__).parent.glob("*.py"))}
    libraries = {"numpy": np.__version__, "opencv": cv2.__version__}
    content = [architecture(network), description | {"recipe": recipe}, code, libraries]
    digest = hashlib.sha256(json.dumps(content, sort_keys=True).encode())
    for part in parts:
        digest.update(np.ascontiguousarray(part.images).data)
        digest.update(np.ascontiguousarray(part.labels).data)
    return digest.hexdigest()
