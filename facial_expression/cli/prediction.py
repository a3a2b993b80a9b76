"""From files to rows: what ``facial-expression predict`` does."""

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tqdm import tqdm

from facial_expression.cli import tables
from facial_expression.cli.annotation import AnnotatedVideo, draw_faces
from facial_expression.cli.copies import check_copies, copy_of, timeline_of
from facial_expression.cli.execution import recognize_here, recognize_in_processes, recognize_on_cluster
from facial_expression.cli.output import ResumableFile, Stream, Unreadable, open_resumable
from facial_expression.cli.pictures import CHUNK, CLUSTER_CHUNK, Chunk, Picture, read_chunks, shown_name
from facial_expression.cli.sources import Sources, is_video
from facial_expression.cli.tables import COLUMNS, LineFormat, make_rows
from facial_expression.cli.tracks import Tracks
from facial_expression.cli.videos import count_frames, frame_rate
from facial_expression.cli.work import Faces, Options, Results
from facial_expression.cores import usable_cores
from facial_expression.served_model import find_model, read_card

if TYPE_CHECKING:  # it needs an extra
    from facial_expression.cli.timeline import Timeline

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
        scheduler: address of a Dask scheduler whose workers do the work; None for this machine.
        overwrite: replace the output, and forget what an interrupted command left.
        timelines: folder for a plot of each video; None for no plots.
    """

    files: Sources
    options: Options
    output: Path | None
    format: str
    every: int = 1
    workers: int | None = None
    scheduler: str | None = None
    overwrite: bool = False
    timelines: Path | None = None


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
    check_copies(request.files, request.options.annotated, request.timelines)
    card = read_card(request.options.model or find_model())
    with _open_output(request, card) as output:
        if output.done:
            report(f"going on after the first {output.done:,} files")
        pictures = _count_pictures(request.files, output.done, request.every)
        files, colors = output.skip_done(request.files), request.options.annotated is not None
        chunks = read_chunks(files, request.every, colors, CLUSTER_CHUNK if request.scheduler else CHUNK)
        shown = None if request.format != "text" else True  # rows in the terminal show the progress themselves
        with (
            _Writer(request, output, card["classes"], report) as writer,
            tqdm(total=pictures, unit="picture", delay=2, disable=shown, leave=False) as progress,
        ):
            for chunk, results in _recognize(request, chunks, pictures):
                writer.add(chunk, results)
                progress.update(len(chunk.pictures))
    return Summary(writer.pictures, writer.faces, tuple(output.unreadable))


def _recognize(request: Request, chunks: Iterator[Chunk], pictures: int) -> Iterator[tuple[Chunk, Results]]:
    """Each chunk with the faces of its pictures, in order; the same wherever the work is done."""
    if request.scheduler:
        return recognize_on_cluster(request.options, chunks, request.scheduler)
    workers = min(request.workers or usable_cores(), -(-pictures // CHUNK))
    if workers > 1:
        return recognize_in_processes(request.options, chunks, workers)
    return recognize_here(request.options, chunks)


class _Writer:
    """Writes the rows of pictures as their faces become known, in order, and what else is made of videos."""

    def __init__(self, request: Request, output: Output, classes: Sequence[str], report: Callable[[str], None]):
        self._request, self._output, self._classes, self._report = request, output, classes, report
        self._video: _Video | None = None
        self.pictures = self.faces = 0

    def __enter__(self) -> "_Writer":
        return self

    def __exit__(self, *_: object) -> None:
        if self._video:
            self._video.discard()

    def add(self, chunk: Chunk, results: Sequence[Faces | str]) -> None:
        unreadable = [Unreadable(file, chunk.unreadable) for file in chunk.finished if chunk.unreadable]
        for picture, result in zip(chunk.pictures, results, strict=True):
            if isinstance(result, str):
                unreadable.append(Unreadable(picture.file, result))
            else:
                self._write(picture, result)
        if chunk.finished and self._video:
            self._video.finish()
            self._video = None
        self._output.finish(chunk.finished, unreadable)
        for file, reason in unreadable:
            self._report(f"{file}: {reason}")

    def _write(self, picture: Picture, faces: Faces) -> None:
        if picture.time is None:
            people = list(range(1, len(faces) + 1))
        else:
            self._video = self._video or _Video(picture.file, self._request, self._classes)
            people = self._video.add(picture, picture.time, faces)
        self._output.write(make_rows(picture, faces, people, self._classes))
        self.pictures += 1
        self.faces += len(faces)


class _Video:
    """What belongs to one video: the numbers of its people, its annotated copy and its timeline."""

    def __init__(self, file: str, request: Request, classes: Sequence[str]):
        self._tracks = Tracks()
        self._file, self._timelines = file, request.timelines
        self._timeline = _make_timeline(classes) if request.timelines else None
        self._copy = None
        if request.options.annotated:
            path = copy_of(file, request.options.annotated)
            self._copy = AnnotatedVideo(path, frame_rate(file) / request.every)

    def add(self, picture: Picture, time: float, faces: Faces) -> list[int]:
        """Add a frame; returns the numbers of its people."""
        people = self._tracks.number([face.box for face in faces], time)
        if self._timeline:
            self._timeline.add(time, faces, people)
        if self._copy and picture.colors is not None:
            self._copy.add(draw_faces(picture.colors, faces, people))
        return people

    def finish(self) -> None:
        """Write what is complete now."""
        if self._copy:
            self._copy.finish()
        if self._timeline and self._timelines:
            self._timeline.save(timeline_of(self._file, self._timelines), shown_name(self._file))

    def discard(self) -> None:
        """Remove what is incomplete."""
        if self._copy:
            self._copy.discard()


def _make_timeline(classes: Sequence[str]) -> "Timeline":
    from facial_expression.cli.timeline import Timeline

    return Timeline(classes)


@contextmanager
def _open_output(request: Request, card: dict[str, Any]) -> Iterator[Output]:
    columns = [*COLUMNS, *card["classes"]]
    formats: dict[str, Callable[[Sequence[str]], LineFormat]] = {"csv": tables.csv_lines, "text": tables.text_lines}
    lines = formats.get(request.format, tables.json_lines)(columns)
    if request.output is None:
        yield Stream(sys.stdout.buffer, lines)
        return
    settings = asdict(request.options) | {
        "model": None,  # the same file may lie elsewhere
        "format": request.format,
        "every": request.every,
        "timelines": request.timelines and str(request.timelines),
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
