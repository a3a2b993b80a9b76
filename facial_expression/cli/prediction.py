"""From files to rows: what ``facial-expression predict`` does."""

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from tqdm import tqdm

from facial_expression.cli import tables
from facial_expression.cli.output import ResumableFile, Stream, Unreadable, open_resumable
from facial_expression.cli.pictures import CHUNK, Chunk, Picture, read_chunks
from facial_expression.cli.sources import Sources, is_video
from facial_expression.cli.tables import COLUMNS, LineFormat, make_rows
from facial_expression.cli.tracks import Tracks
from facial_expression.cli.videos import count_frames
from facial_expression.cli.work import Faces, Options, recognize_in_order
from facial_expression.cores import usable_cores
from facial_expression.served_model import read_card

Output = Stream | ResumableFile


@dataclass(frozen=True)
class Request:
    """What to predict, how, and where the rows go.

    Attributes:
        files: images and videos.
        options: how to recognize.
        output: the file to write; None for standard output.
        format: csv, jsonl, parquet or text.
        every: take the first of so many frames of a video.
        workers: number of processes; None for one per core.
        overwrite: replace the output, and forget what an interrupted command left.
    """

    files: Sources
    options: Options
    output: Path | None
    format: str
    every: int = 1
    workers: int | None = None
    overwrite: bool = False


@dataclass
class Summary:
    """What was done: how many pictures and faces, and which files could not be read."""

    pictures: int = 0
    faces: int = 0
    unreadable: tuple[Unreadable, ...] = ()


def predict(request: Request, report: Callable[[str], None]) -> Summary:
    """Write the rows of all faces.

    Args:
        request: what to do.
        report: called with each message for people.

    Raises:
        UserError: the output exists, an option does not fit, or the model cannot be loaded.
    """
    card = read_card(request.options.model)
    with _open_output(request, card) as output:
        if output.done:
            report(f"going on after the first {output.done:,} files")
        pictures = _count_pictures(request.files, output.done, request.every)
        workers = min(request.workers or usable_cores(), max(1, -(-pictures // CHUNK)))
        chunks = read_chunks(output.skip_done(request.files), request.every)
        writer = _Writer(output, card["classes"], report)
        shown = None if request.format != "text" else True  # rows in the terminal show the progress themselves
        with tqdm(total=pictures, unit="picture", delay=2, disable=shown, leave=False) as progress:
            for chunk, results in recognize_in_order(request.options, chunks, workers):
                writer.add(chunk, results)
                progress.update(len(chunk.pictures))
    return Summary(writer.pictures, writer.faces, tuple(output.unreadable))


class _Writer:
    """Writes the rows of pictures as their faces become known, in order."""

    def __init__(self, output: Output, classes: Sequence[str], report: Callable[[str], None]):
        self._output, self._classes, self._report = output, classes, report
        self._tracks = Tracks()
        self.pictures = self.faces = 0

    def add(self, chunk: Chunk, results: Sequence[Faces | str]) -> None:
        unreadable = [Unreadable(file, chunk.unreadable) for file in chunk.finished if chunk.unreadable]
        for picture, result in zip(chunk.pictures, results, strict=True):
            if isinstance(result, str):
                unreadable.append(Unreadable(picture.file, result))
            else:
                self._write(picture, result)
        if chunk.finished:
            self._tracks = Tracks()
        self._output.finish(chunk.finished, unreadable)
        for file, reason in unreadable:
            self._report(f"{file}: {reason}")

    def _write(self, picture: Picture, faces: Faces) -> None:
        if picture.time is None:
            people = list(range(1, len(faces) + 1))
        else:
            people = self._tracks.number([face.box for face in faces], picture.time)
        self._output.write(make_rows(picture, faces, people, self._classes))
        self.pictures += 1
        self.faces += len(faces)


@contextmanager
def _open_output(request: Request, card: dict[str, Any]) -> Iterator[Output]:
    columns = [*COLUMNS, *card["classes"]]
    formats: dict[str, Callable[[Sequence[str]], LineFormat]] = {"csv": tables.csv_lines, "text": tables.text_lines}
    lines = formats.get(request.format, tables.json_lines)(columns)
    if request.output is None:
        yield Stream(sys.stdout.buffer, lines)
        return
    settings = asdict(request.options) | {
        "model": card["model"]["sha256"],
        "format": request.format,
        "every": request.every,
    }
    complete = Path.replace if request.format != "parquet" else _parquet_writer(columns)
    with open_resumable(request.output, lines, settings, request.overwrite, complete) as output:
        yield output


def _parquet_writer(columns: Sequence[str]) -> Callable[[Path, Path], None]:
    from facial_expression.cli.parquet import write_parquet

    return lambda lines, path: write_parquet(lines, path, columns)


def _count_pictures(files: Sources, done: int, every: int) -> int:
    """About how many pictures the files hold after the first ``done`` files."""
    return sum(count_frames(file, every) if is_video(file) else 1 for file in islice(files, done, None))
