"""Where the rows go: to standard output, or to a file that an interrupted command continues.

Until it is complete, the file ``NAME`` is called ``NAME.partial``. After each chunk, ``NAME.journal`` says how many of
its bytes are complete and for which files they stand; a command that goes on cuts off what follows them.
"""

import hashlib
import json
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from itertools import islice
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

from zc.lockfile import LockError, LockFile

from facial_expression.cli.tables import LineFormat, Row
from facial_expression.errors import UserError
from facial_expression.files import name_in_errors, remove

_START_ANEW = "add --overwrite to start anew"


class Unreadable(NamedTuple):
    """A file that could not be read, and why."""

    file: str
    reason: str


class Stream:
    """Rows go to a binary stream, such as standard output, at once; methods as those of :class:`ResumableFile`."""

    def __init__(self, stream: BinaryIO, lines: LineFormat):
        self.done, self.unreadable = 0, list[Unreadable]()
        self._stream, self._lines = stream, lines
        stream.write(lines.header)

    def skip_done(self, files: Iterable[str]) -> Iterator[str]:
        """All files."""
        return iter(files)

    def write(self, rows: Iterable[Row]) -> None:
        """Write some rows."""
        self._stream.writelines(map(self._lines.line, rows))

    def finish(self, files: Sequence[str], unreadable: Sequence[Unreadable]) -> None:
        """Everything about these files is written."""
        self.unreadable += unreadable
        self._stream.flush()


class _State(NamedTuple):
    """What an entry of the journal says of all files so far."""

    done: int = 0
    bytes: int = 0
    names: str = hashlib.sha256().hexdigest()


class ResumableFile:
    """Rows go to a partial file beside a journal; :func:`open_resumable` makes it.

    Attributes:
        done: number of files whose rows are written.
        unreadable: those of them that could not be read.

    Raises:
        UserError: an interrupted command left the files, with other settings or damaged.
    """

    def __init__(self, table: BinaryIO, journal: BinaryIO, lines: LineFormat, settings: dict[str, Any]):
        self._table, self._journal, self._lines = table, journal, lines
        self._names = hashlib.sha256()
        self._left = _State()
        self.unreadable: list[Unreadable] = []
        entries = _read_journal(journal)
        if len(entries) < 2:
            self._begin(settings)
        elif entries[0] != {"settings": settings}:
            raise UserError(f"{table.name} was begun with other options or another model: {_START_ANEW}")
        else:
            self._go_on(entries[1:])
        self.done = self._left.done

    def _begin(self, settings: dict[str, Any]) -> None:
        self._journal.seek(0)
        self._journal.truncate()
        self._table.truncate(0)
        self._table.write(self._lines.header)
        self._table.flush()
        self._note({"settings": settings})
        self._note({"state": self._left._replace(bytes=self._table.tell()), "unreadable": []})

    def _go_on(self, entries: list[dict[str, Any]]) -> None:
        self._left = _State(*entries[-1]["state"])
        self.unreadable = [Unreadable(*item) for entry in entries for item in entry["unreadable"]]
        if os.fstat(self._table.fileno()).st_size < self._left.bytes:
            raise UserError(f"{self._table.name} is shorter than its journal says: {_START_ANEW}")
        self._table.truncate(self._left.bytes)
        self._table.seek(self._left.bytes)

    def skip_done(self, files: Iterable[str]) -> Iterator[str]:
        """The files whose rows are still missing.

        Raises:
            UserError: the files before them are not those whose rows are written.
        """
        remaining = iter(files)
        self._add_names(islice(remaining, self.done))
        if self._names.hexdigest() != self._left.names:
            raise UserError(f"{self._table.name} was begun with other files: {_START_ANEW}")
        return remaining

    def write(self, rows: Iterable[Row]) -> None:
        """Write some rows."""
        self._table.writelines(map(self._lines.line, rows))

    def finish(self, files: Sequence[str], unreadable: Sequence[Unreadable]) -> None:
        """Everything about these files is written."""
        if files:
            self.done += len(files)
            self.unreadable += unreadable
            self._add_names(files)
            self._table.flush()
            state = _State(self.done, self._table.tell(), self._names.hexdigest())
            self._note({"state": state, "unreadable": unreadable})

    def _add_names(self, files: Iterable[str]) -> None:
        for file in files:
            self._names.update(os.fsencode(file) + b"\0")

    def _note(self, entry: dict[str, Any]) -> None:
        self._journal.write(json.dumps(entry).encode() + b"\n")
        self._journal.flush()


@contextmanager
def open_resumable(
    path: Path, lines: LineFormat, settings: dict[str, Any], overwrite: bool, complete: Callable[[Path, Path], Any]
) -> Iterator[ResumableFile]:
    """A file that is written completely or continued later.

    Args:
        path: of the complete file.
        lines: how rows are written.
        settings: what the rows depend on besides the files.
        overwrite: replace the file, and forget what an interrupted command left.
        complete: called with the paths of the partial and of the complete file when the block succeeds.

    Raises:
        UserError: the file exists, another command writes it, or it was begun with other settings.
    """
    partial, journal, lock = (path.with_name(path.name + suffix) for suffix in (".partial", ".journal", ".lock"))
    path.parent.mkdir(parents=True, exist_ok=True)
    with _locked(lock):
        if path.exists() and not overwrite:
            raise UserError(f"{path} exists: choose another name, or add --overwrite")
        if overwrite:
            remove(journal)
        with name_in_errors(path), ExitStack() as files:
            table, notes = (files.enter_context(_open(name)) for name in (partial, journal))
            yield ResumableFile(table, notes, lines, settings)
        complete(partial, path)
        remove(partial)
        remove(journal)


def _open(path: Path) -> BinaryIO:
    """Open a file for reading and writing, and keep what it holds."""
    path.touch()
    return path.open("r+b")


@contextmanager
def _locked(lock: Path) -> Iterator[None]:
    try:
        held = LockFile(str(lock))
        if not _names_this_process(lock):  # the command before removed its file while this one locked it
            held.close()
            raise LockError
    except LockError:
        raise UserError(f"another command is writing {lock.with_suffix('')}: wait for it, or end it") from None
    try:
        yield
    finally:
        with suppress(OSError):  # some systems keep open files
            remove(lock)  # before another command can lock it
        held.close()


def _names_this_process(lock: Path) -> bool:
    try:
        return lock.read_text().strip() == str(os.getpid())
    except OSError:
        return False


def _read_journal(journal: BinaryIO) -> list[dict[str, Any]]:
    """The complete entries; what follows them is cut off."""
    entries, end = [], 0
    for line in journal:
        if not line.endswith(b"\n"):
            break
        entries.append(json.loads(line))
        end += len(line)
    journal.truncate(end)
    journal.seek(end)
    return entries
