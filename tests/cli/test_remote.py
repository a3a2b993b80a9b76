"""Pictures behind HTTP and in storages that fsspec knows."""

import csv
import sys
import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

import pytest

from facial_expression.cli.sources import Sources
from facial_expression.errors import UserError

fsspec = pytest.importorskip("fsspec")


class Handler(SimpleHTTPRequestHandler):
    def log_message(self, *_):
        pass


@pytest.fixture
def address(photos):
    """The photos behind HTTP."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Handler, directory=str(photos)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


@pytest.fixture
def storage(photos):
    system = fsspec.filesystem("memory")
    for path in sorted(photos.rglob("*.*")):
        system.pipe_file(f"/bucket/{path.relative_to(photos).as_posix()}", path.read_bytes())
    yield "memory://bucket"
    system.rm("/bucket", recursive=True)


def rows_without_file(path):
    with open(path, newline="") as file:
        return sorted((row["file"].rpartition("/")[2], *list(row.values())[1:]) for row in csv.DictReader(file))


def test_folder_behind_http_gives_the_rows_of_the_folder(predict, photos, address, tmp_path):
    predict(photos, "-o", tmp_path / "here.csv", exit_code=3)
    result = predict(f"{address}/", "-o", tmp_path / "there.csv", exit_code=3)
    assert f"{address}/broken.jpg: Supported formats" in result.stderr
    assert rows_without_file(tmp_path / "there.csv") == rows_without_file(tmp_path / "here.csv")


def test_storage_is_searched_in_order_with_patterns(storage, photos):
    everything = list(Sources([storage]))
    assert everything == sorted(everything)
    assert len(everything) == len([path for path in photos.rglob("*.*") if path.suffix != ".txt"])
    assert list(Sources([f"{storage}/b*/*.jpg"])) == ["memory:///bucket/below/3.jpg"]


def test_file_that_is_missing_there_is_reported(predict, address, storage):
    result = predict(f"{address}/missing.jpg", f"{storage}/missing.jpg", exit_code=3)
    assert f"{address}/missing.jpg: there is no such file" in result.stderr
    assert "missing.jpg: there is no such file" in result.stderr.splitlines()[1]


def test_annotated_copies_of_remote_files_have_their_path(predict, storage, tmp_path):
    predict(f"{storage}/0.jpg", "--annotate", tmp_path / "shown")
    assert [path.name for path in (tmp_path / "shown").rglob("*.jpg")] == ["0.jpg"]


def test_video_that_lies_elsewhere_is_reported(predict, address):
    assert "copy it here first" in predict(f"{address}/film.mp4", exit_code=3).stderr


@pytest.mark.parametrize(
    ("address", "message"),
    [("nowhere://bucket/a.jpg", "nowhere"), ("s3://bucket/a.jpg", "s3fs"), ("http://127.0.0.1:1/", "127.0.0.1:1")],
)
def test_storage_that_cannot_be_reached_is_one_line(address, message, monkeypatch):
    monkeypatch.setitem(sys.modules, "s3fs", None)
    with pytest.raises(UserError, match=message):
        list(Sources([address]))
