"""The command ``facial-expression``: its subcommands and their options."""

import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import click
from click.shell_completion import get_completion_class

from facial_expression.errors import UserError
from facial_expression.served_model import find_model

COMMAND = "facial-expression"
UNREADABLE = 3
"""Exit code if some files could not be read."""

_FORMATS = ("csv", "jsonl", "parquet")

_model_option = click.option(
    "--model",
    type=click.Path(path_type=Path),
    envvar="FACIAL_EXPRESSION_MODEL",
    help="Directory with card.json and its ONNX file; by default, the model that comes with the package.",
)


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(package_name=COMMAND)
def command() -> None:
    """Recognize facial expressions in photos and videos. Nothing is sent anywhere."""


@command.command()
@click.argument("paths", nargs=-1, required=True, type=click.Path())
@click.option("-o", "--output", type=click.Path(path_type=Path), help="Table to write: .csv, .jsonl or .parquet.")
@click.option("--format", "given_format", type=click.Choice(_FORMATS), help="Format, if the name does not say it.")
@click.option("--whole-picture", is_flag=True, help="Take each picture as one face, such as a cropped one.")
@click.option("--min-score", type=float, metavar="SCORE", help="Leave out faces with a lower detector score.")
@click.option("--largest", is_flag=True, help="Keep only the largest face of each picture.")
@click.option("--every", type=click.IntRange(1), default=1, metavar="N", help="Take every Nth frame of a video.")
@click.option("--annotate", metavar="FOLDER", help="Also write copies of the pictures and videos with their faces.")
@click.option("--timeline", metavar="FOLDER", type=click.Path(path_type=Path), help="Also plot each video over time.")
@click.option("--workers", type=click.IntRange(1), metavar="N", help="Processes; by default, one per core.")
@click.option("--scheduler", metavar="ADDRESS", help="Dask scheduler whose workers do the work: tcp://host:8786.")
@click.option("--overwrite", is_flag=True, help="Replace the output, and discard what an interrupted command left.")
@_model_option
def predict(
    paths: tuple[str, ...],
    output: Path | None,
    given_format: str | None,
    whole_picture: bool,
    min_score: float | None,
    largest: bool,
    every: int,
    annotate: str | None,
    timeline: Path | None,
    workers: int | None,
    scheduler: str | None,
    overwrite: bool,
    model: Path | None,
) -> None:
    """Write a table of the faces in images and videos, with their expressions.

    PATHS are images, videos, folders, patterns in quotes, addresses such as s3://bucket/photos, camera:NUMBER until
    Ctrl-C, or - for a list of files on standard input. A face is a row; so is a picture without one. In a video, a
    person keeps a number while the face is seen.

    An interrupted command goes on where it ended when it is run again, and gives the same bytes. Files that cannot be
    read are reported and left out; the exit code is then 3.

    \b
    Examples:
      facial-expression predict photo.jpg
      facial-expression predict photos/ -o faces.csv
      facial-expression predict 'photos/**/*.jpg' --largest -o faces.parquet
      facial-expression predict crops/ --whole-picture -o faces.jsonl
      facial-expression predict talk.mp4 --every 5 --annotate shown --timeline plots -o talk.csv
      facial-expression predict camera:0
      find . -name '*.png' | facial-expression predict - -o faces.csv
    """
    from facial_expression.cli.prediction import Request, predict
    from facial_expression.cli.sources import LIST, Sources
    from facial_expression.cli.work import Options, model_sha256

    if scheduler and workers:
        raise UserError("--workers are processes of this machine, --scheduler has workers of its own: choose one")
    rows = _format(output, given_format)
    listed = map(os.fsdecode, sys.stdin.buffer) if LIST in paths else ()
    files = Sources(paths, listed, filter(None, (annotate, timeline)))
    options = Options(str(model) if model else None, model_sha256(model), whole_picture, min_score, largest, annotate)
    request = Request(files, options, output, rows, every, workers, scheduler, overwrite, timeline)
    with _interruptible("The same command goes on where this one ended." if output else ""):
        summary = predict(request, _say)
    if output:
        _say(f"{output}: {_count(summary.faces, 'face')} in {_count(summary.pictures, 'picture')}")
    if summary.unreadable:
        _say(f"{_count(len(summary.unreadable), 'file')} could not be read")
        sys.exit(UNREADABLE)


@command.command()
@_model_option
def info(model: Path | None) -> None:
    """Show the model: its classes, its accuracy, its file and its license."""
    from facial_expression.cli.info import describe_model

    for name, value in describe_model(model or find_model()).items():
        click.echo(f"{name:<12}{value}")


@command.command()
@click.option("--host", help="Address to listen on; by default, this machine alone: 127.0.0.1.")
@click.option("--port", type=click.IntRange(0, 65535), help="Port; by default, 8000.")
@_model_option
def serve(host: str | None, port: int | None, model: Path | None) -> None:
    """Serve the web app; needs the extra "serve".

    All settings are environment variables, listed in app/README.md; these options take precedence.
    """
    chosen = {"HOST": host, "PORT": port, "MODEL": model or find_model()}
    os.environ |= {f"FACIAL_EXPRESSION_{name}": str(value) for name, value in chosen.items() if value is not None}
    try:
        application = "facial_expression.app" if find_spec("facial_expression.app") else "app"  # installed; in a clone
        start = import_module(f"{application}.__main__").main
    except ModuleNotFoundError as error:
        raise UserError(
            f"serving needs more packages, {error.name} is missing: pip install 'facial-expression[serve]'"
        ) from None
    start()


@command.command()
@click.argument("page", type=click.Path(path_type=Path), default=Path("reports/report.html"))
def report(page: Path) -> None:
    """Open the page with the results of the pipeline, reports/report.html in a clone."""
    if not page.exists():
        raise UserError(f"{page} is missing: run this command in a clone, after `dvc repro`")
    click.echo(page)
    click.launch(str(page))


@command.command()
@click.argument("shell", type=click.Choice(("bash", "zsh", "fish")))
def completion(shell: str) -> None:
    """Print the script that completes options in a shell.

    \b
    Examples:
      facial-expression completion bash >> ~/.bashrc
      facial-expression completion zsh >> ~/.zshrc
      facial-expression completion fish > ~/.config/fish/completions/facial-expression.fish
    """
    script = get_completion_class(shell)
    assert script is not None
    click.echo(script(command, {}, COMMAND, "_FACIAL_EXPRESSION_COMPLETE").source())


def _format(output: Path | None, given: str | None) -> str:
    """The format that is given, that the name of the output says, or that fits standard output."""
    if output is None:
        if given == "parquet":
            raise UserError("Parquet needs a file: add --output NAME.parquet")
        return given or ("text" if sys.stdout.isatty() else "csv")
    known = given or output.suffix[1:].lower()
    if known not in _FORMATS:
        raise UserError(f"{output}: choose a name that ends in .csv, .jsonl or .parquet, or add --format")
    return known


def _count(number: int, thing: str) -> str:
    return f"{number:,} {thing}{'' if number == 1 else 's'}"


def _say(message: str) -> None:
    from tqdm import tqdm

    tqdm.write(message, file=sys.stderr)


@contextmanager
def _interruptible(hint: str) -> Iterator[None]:
    """End with one line on Ctrl-C (exit code 130) and SIGTERM (143)."""
    received: list[int] = []

    def interrupt(number: int, frame: Any) -> None:
        received.append(number)
        raise KeyboardInterrupt

    previous = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    except KeyboardInterrupt:
        _say(f"interrupted. {hint}".rstrip())
        sys.exit(128 + (received[0] if received else signal.SIGINT))
    finally:
        signal.signal(signal.SIGTERM, previous)


def main() -> None:
    """Run the command; errors that the user can fix are one line."""
    try:
        command(prog_name=COMMAND)
    except UserError as error:
        sys.exit(f"{COMMAND}: {error}")
    except OSError as error:
        if error.filename is None:
            raise
        sys.exit(f"{COMMAND}: {error.filename}: {error.strerror}")
