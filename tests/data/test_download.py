"""FER2013's CSV from archives and from a local stand-in for Kaggle; no test connects to the internet."""

import gzip
import io
import os
import random
import socket
import tarfile
import zipfile
from pathlib import Path

import pytest
from kagglesdk import kaggle_env

from facial_expression.data.download import CSV_NAME, DownloadError, csv_md5, fetch_from_kaggle, unpack_csv
from helpers.kaggle_server import SERVICE, STORAGE, md5_of, serve

HANDLE = "owner/faces"
CSV = b"emotion,pixels,Usage\n" + b"0,70 80 82 72 58,Training\n" * 200
NOISE = random.Random(0).randbytes(3 * 2**20)
"""Larger than what is read, written or downloaded at once."""
FER2013_MD5 = "f8428a1edbd21e88f42c73edd2a14f95"


# --- Archives on disk ---


def pack_tar(*members: tuple[tarfile.TarInfo | str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for member, content in members:
            info = tarfile.TarInfo(member) if isinstance(member, str) else member
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    return gzip.compress(buffer.getvalue(), mtime=0)


def pack_zip(*members: tuple[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members:
            archive.writestr(zipfile.ZipInfo(name), content, zipfile.ZIP_DEFLATED)
    return buffer.getvalue()


PACKERS = {".tar.gz": pack_tar, ".tgz": pack_tar, ".zip": pack_zip}


def flip(content: bytes, position: int) -> bytes:
    altered = bytearray(content)
    altered[position] ^= 0xFF
    return bytes(altered)


@pytest.fixture
def folder(tmp_path) -> Path:
    """An empty folder for the destination, where leftovers show."""
    folder = tmp_path / "data" / "raw"
    folder.mkdir(parents=True)
    return folder


def write_archive(folder: Path, suffix: str, content: bytes) -> Path:
    path = folder / f"archive{suffix}"
    path.write_bytes(content)
    return path


def assert_rejected(archive: Path, folder: Path, message: str, md5: str | None = None) -> None:
    """Unpacking fails with a message that names the archive, and neither creates nor changes a file."""
    for before in (None, b"old"):
        destination = folder / CSV_NAME
        if before is not None:
            destination.write_bytes(before)
        with pytest.raises(DownloadError, match=message) as caught:
            unpack_csv(archive, destination, md5)
        assert str(archive) in str(caught.value)
        assert [path.name for path in folder.iterdir()] == ([] if before is None else [CSV_NAME])
        assert before is None or destination.read_bytes() == before
        destination.unlink(missing_ok=True)


@pytest.mark.parametrize("suffix", PACKERS)
@pytest.mark.parametrize("name", [CSV_NAME, f"fer2013/{CSV_NAME}", f"a/b/{CSV_NAME}"])
def test_finds_csv_in_any_folder_of_archive(tmp_path, folder, suffix, name):
    content = PACKERS[suffix](("README", b"hello"), (name, CSV), ("__MACOSX/._fer2013.csv", b"x"), ("z/last", b"y"))
    unpack_csv(write_archive(tmp_path, suffix, content), folder / CSV_NAME, md5_of(CSV))
    assert (folder / CSV_NAME).read_bytes() == CSV
    assert [path.name for path in folder.iterdir()] == [CSV_NAME]


@pytest.mark.parametrize("suffix", PACKERS)
def test_unpacks_csv_larger_than_buffers(tmp_path, folder, suffix):
    archive = write_archive(tmp_path, suffix, PACKERS[suffix]((CSV_NAME, NOISE), ("last", b"y")))
    unpack_csv(archive, folder / CSV_NAME, None)
    assert (folder / CSV_NAME).read_bytes() == NOISE


def test_accepts_csv_of_any_name_and_creates_folder(tmp_path):
    archive = write_archive(tmp_path, ".CSV", CSV)
    unpack_csv(str(archive), tmp_path / "new" / "folder" / "faces.csv", md5_of(CSV))
    assert (tmp_path / "new" / "folder" / "faces.csv").read_bytes() == CSV


OTHER = b"emotion,pixels\n0,1 2 3 4\n"
TAR = gzip.decompress(pack_tar(("fer2013/fer2013.csv", CSV), ("README", b"hello")))
COMPETITION = (
    ("example_submission.csv", b"emotion\n0\n"),
    ("icml_face_data.csv", b"emotion, Usage, pixels\n"),
    ("test.csv", b"pixels\n"),
    ("train.csv", OTHER),
)
AS_PEOPLE_HAVE_IT = {
    "faces.csv.gz": gzip.compress(CSV),
    "fer2013": CSV,
    "fer2013.tar": TAR,
    "archive": pack_tar((CSV_NAME, CSV)),
    "zip": pack_zip((CSV_NAME, CSV)),
    "compressed": gzip.compress(CSV),
    "tar": TAR,
    "competition.zip": pack_zip(*COMPETITION, ("fer2013.tar.gz", pack_tar(("fer2013/fer2013.csv", CSV)))),
    "bare in.zip": pack_zip(("fer2013/fer2013", CSV), ("README", b"hello")),
    "csv.gz in.zip": pack_zip(("fer2013.csv.gz", gzip.compress(CSV))),
    "zip in.tar": gzip.decompress(pack_tar(("fer2013.zip", pack_zip((CSV_NAME, CSV))))),
    "icml.zip": pack_zip(("train.csv", OTHER), ("icml_face_data.csv", CSV)),
    "train.zip": pack_zip(("test.csv", OTHER), ("train.csv", CSV)),
    "own name.zip": pack_zip(("my faces.CSV", CSV), ("__MACOSX/my faces.csv", b"x"), ("README", b"hello")),
}


@pytest.mark.parametrize("name", AS_PEOPLE_HAVE_IT)
def test_unpacks_csv_as_people_have_it(tmp_path, folder, name):
    archive = tmp_path / name
    archive.write_bytes(AS_PEOPLE_HAVE_IT[name])
    unpack_csv(archive, folder / CSV_NAME, md5_of(CSV))
    assert (folder / CSV_NAME).read_bytes() == CSV
    assert csv_md5(archive) == md5_of(CSV)


@pytest.mark.parametrize("name", ["faces.csv.gz", "competition.zip", "fer2013.tar", "compressed", "bare in.zip"])
def test_truncated_file_of_any_form_is_an_error(tmp_path, folder, name):
    archive, content = tmp_path / name, AS_PEOPLE_HAVE_IT[name]
    archive.write_bytes(content[: len(content) // 3])
    assert_rejected(archive, folder, "cannot be read; it is truncated, damaged or encrypted")


def test_damaged_nested_archive_is_an_error(tmp_path, folder):
    nested = pack_tar((CSV_NAME, NOISE))
    archive = write_archive(tmp_path, ".zip", pack_zip(("fer2013.tar.gz", flip(nested, len(nested) // 2))))
    assert_rejected(archive, folder, "cannot be read; it is truncated, damaged or encrypted")


def test_several_csvs_of_other_names_are_listed(tmp_path, folder):
    archive = write_archive(tmp_path, ".zip", pack_zip(("a.csv", CSV), ("b.csv", CSV)))
    assert_rejected(archive, folder, "holds no fer2013.csv, but a.csv, b.csv: use an archive that holds it")


def test_ignores_folder_named_like_csv(tmp_path, folder):
    directory = tarfile.TarInfo(CSV_NAME)
    directory.type = tarfile.DIRTYPE
    for suffix, content in (
        (".tar.gz", pack_tar((directory, b""), (f"{CSV_NAME}/{CSV_NAME}", CSV))),
        (".zip", pack_zip((f"{CSV_NAME}/", b""), (f"{CSV_NAME}/{CSV_NAME}", CSV))),
    ):
        unpack_csv(write_archive(tmp_path, suffix, content), folder / CSV_NAME, md5_of(CSV))
        assert (folder / CSV_NAME).read_bytes() == CSV


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE])
def test_ignores_links_named_like_csv(tmp_path, folder, kind):
    link = tarfile.TarInfo(CSV_NAME)
    link.type, link.linkname = kind, "/etc/passwd"
    archive = write_archive(tmp_path, ".tar.gz", pack_tar((link, b""), ("README", b"hello")))
    assert_rejected(archive, folder, "holds no fer2013.csv, but README")


@pytest.mark.parametrize("suffix", PACKERS)
def test_writes_nowhere_but_to_destination(tmp_path, folder, suffix):
    archive = write_archive(tmp_path, suffix, PACKERS[suffix]((f"../{CSV_NAME}", CSV)))
    unpack_csv(archive, folder / "faces.csv", md5_of(CSV))
    assert [path.name for path in folder.iterdir()] == ["faces.csv"]
    assert [path.name for path in folder.parent.iterdir()] == ["raw"]


@pytest.mark.parametrize("suffix", [".csv", *PACKERS])
def test_error_shows_expected_and_actual_md5(tmp_path, folder, suffix):
    altered = CSV.replace(b"80", b"81", 1)
    content = PACKERS[suffix]((CSV_NAME, altered)) if suffix in PACKERS else altered
    archive = write_archive(tmp_path, suffix, content)
    assert_rejected(archive, folder, f"{md5_of(altered)} instead of {md5_of(CSV)}", md5_of(CSV))
    unpack_csv(archive, folder / CSV_NAME, None)
    assert (folder / CSV_NAME).read_bytes() == altered


@pytest.mark.parametrize("suffix", PACKERS)
def test_error_lists_files_of_archive_without_csv(tmp_path, folder, suffix):
    content = PACKERS[suffix](*((f"train/{number}.png", b"x") for number in range(8)))
    archive = write_archive(tmp_path, suffix, content)
    assert_rejected(archive, folder, "holds no fer2013.csv, but train/0.png, .*train/4.png and 3 more")


@pytest.mark.parametrize("suffix", PACKERS)
def test_rejects_archive_with_two_csvs(tmp_path, folder, suffix):
    content = PACKERS[suffix]((f"a/{CSV_NAME}", CSV), (f"b/{CSV_NAME}", CSV))
    assert_rejected(write_archive(tmp_path, suffix, content), folder, "more than one", md5_of(CSV))


@pytest.mark.parametrize("suffix", PACKERS)
def test_rejects_truncated_archive(tmp_path, folder, suffix):
    content = PACKERS[suffix]((CSV_NAME, CSV))
    for length in range(1, len(content)):
        archive = write_archive(tmp_path, suffix, content[:length])
        with pytest.raises(DownloadError, match=r"archive\..*(cannot be read|holds)"):
            unpack_csv(archive, folder / CSV_NAME, None)
        assert list(folder.iterdir()) == []


@pytest.mark.parametrize("suffix", PACKERS)
def test_damaged_archive_never_gives_another_csv(tmp_path, folder, suffix):
    """A damaged byte is an error, or, where it holds no data such as in a date, it does not change the CSV."""
    content = PACKERS[suffix]((CSV_NAME, CSV))
    rejected = 0
    for position in range(len(content)):
        archive = write_archive(tmp_path, suffix, flip(content, position))
        try:
            unpack_csv(archive, folder / CSV_NAME, None)
            assert (folder / CSV_NAME).read_bytes() == CSV
            (folder / CSV_NAME).unlink()
        except DownloadError:
            rejected += 1
        assert list(folder.iterdir()) == []
    assert rejected > len(content) / 3


@pytest.mark.parametrize("suffix", PACKERS)
@pytest.mark.parametrize("share", [0.5, 0.9])
def test_csv_damaged_halfway_leaves_nothing_behind(tmp_path, folder, suffix, share):
    """The first of several chunks is intact."""
    content = PACKERS[suffix]((CSV_NAME, NOISE))
    archive = write_archive(tmp_path, suffix, flip(content, int(share * len(content))))
    assert_rejected(archive, folder, "cannot be read; it is truncated, damaged or encrypted")


@pytest.mark.parametrize("suffix", PACKERS)
def test_truncated_csv_leaves_nothing_behind(tmp_path, folder, suffix):
    content = PACKERS[suffix]((CSV_NAME, NOISE))
    archive = write_archive(tmp_path, suffix, content[: len(content) // 2])
    assert_rejected(archive, folder, "cannot be read; it is truncated, damaged or encrypted")


def test_rejects_gzip_with_wrong_checksum(tmp_path, folder):
    for csv in (CSV, NOISE):
        archive = write_archive(tmp_path, ".tar.gz", flip(pack_tar((CSV_NAME, csv)), -8))
        assert_rejected(archive, folder, "CRC")


def test_rejects_zip_with_wrong_size(tmp_path, folder):
    content = bytearray(pack_zip((CSV_NAME, CSV)))
    directory = content.index(b"PK\x01\x02")
    content[directory + 24 : directory + 28] = (100).to_bytes(4, "little")
    assert_rejected(write_archive(tmp_path, ".zip", bytes(content)), folder, "cannot be read")


def test_rejects_encrypted_zip(tmp_path, folder):
    content = bytearray(pack_zip((CSV_NAME, CSV)))
    for signature, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        content[content.index(signature) + offset] |= 1
    assert_rejected(write_archive(tmp_path, ".zip", bytes(content)), folder, "encrypted")


@pytest.mark.parametrize("suffix", PACKERS)
def test_rejects_empty_archive(tmp_path, folder, suffix):
    assert_rejected(write_archive(tmp_path, suffix, b""), folder, "cannot be read")
    assert_rejected(write_archive(tmp_path, suffix, PACKERS[suffix]()), folder, "holds no fer2013.csv, but nothing")


@pytest.mark.parametrize("suffix", [".csv", *PACKERS])
def test_rejects_empty_csv(tmp_path, folder, suffix):
    content = PACKERS[suffix]((CSV_NAME, b"")) if suffix in PACKERS else b""
    assert_rejected(write_archive(tmp_path, suffix, content), folder, "holds an empty fer2013.csv")


@pytest.mark.parametrize("suffix", PACKERS)
def test_rejects_csv_named_like_archive(tmp_path, folder, suffix):
    assert_rejected(write_archive(tmp_path, suffix, CSV), folder, "cannot be read")


def test_unknown_suffix_error_lists_known_ones(tmp_path, folder):
    assert_rejected(
        write_archive(tmp_path, ".rar", CSV), folder, r"none of \.csv, \.csv\.gz, \.tar\.gz, \.tgz, \.tar, \.zip"
    )


def test_rejects_missing_file_and_folder(tmp_path, folder):
    assert_rejected(tmp_path / "absent.zip", folder, "is missing or not a file")
    (tmp_path / "folder.zip").mkdir()
    assert_rejected(tmp_path / "folder.zip", folder, "is missing or not a file")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no /dev/full")
@pytest.mark.parametrize("suffix", [".csv", *PACKERS])
def test_full_disk_is_no_fault_of_archive(tmp_path, folder, monkeypatch, suffix):
    content = PACKERS[suffix]((CSV_NAME, NOISE)) if suffix in PACKERS else NOISE
    archive = write_archive(tmp_path, suffix, content)
    original = Path.open

    def open_on_full_disk(path, mode="r"):
        return original(Path("/dev/full") if "w" in mode else path, mode)

    monkeypatch.setattr(Path, "open", open_on_full_disk)
    with pytest.raises(OSError, match="No space left"):
        unpack_csv(archive, folder / CSV_NAME, None)


def test_unpacks_real_archive(tmp_path):
    archive = os.environ.get("FER2013_ARCHIVE")
    if not archive:
        pytest.skip("set FER2013_ARCHIVE to FER2013's archive or CSV to unpack the real one")
    unpack_csv(archive, tmp_path / CSV_NAME, FER2013_MD5)
    assert (tmp_path / CSV_NAME).stat().st_size == 301_072_766


# --- Kaggle ---


@pytest.fixture(autouse=True)
def external_hosts(monkeypatch, tmp_path) -> list[str]:
    """Block the internet: only local names resolve, and no proxy and no account is known.

    Returns the names of other hosts that the test tried to reach.
    """
    resolve, hosts = socket.getaddrinfo, []

    def resolve_loopback(host, *args, **kwargs):
        if host not in ("127.0.0.1", "localhost", "::1"):
            hosts.append(host)
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        return resolve(host, *args, **kwargs)

    monkeypatch.setattr(socket, "getaddrinfo", resolve_loopback)
    for name in [name for name in os.environ if name.upper().startswith("KAGGLE") or name.upper().endswith("_PROXY")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("KAGGLE_CONFIG_DIR", str(tmp_path / "home"))
    return hosts


@pytest.fixture
def use_server(monkeypatch):
    """A function that directs kagglehub to an address; kagglehub has no public setting for that."""
    return lambda url: monkeypatch.setitem(kaggle_env._env_to_endpoint, kaggle_env.KaggleEnv.PROD, url)


@pytest.fixture
def workspace(tmp_path) -> Path:
    return tmp_path / "workspace"


BUNDLE = pack_zip((CSV_NAME, CSV))


@pytest.mark.parametrize(
    "bundle",
    [
        BUNDLE,
        pack_zip((f"fer2013/fer2013/{CSV_NAME}", CSV), ("fer2013/README", b"hello"), ("other.zip", pack_zip())),
        pack_zip((f"{CSV_NAME}.zip", BUNDLE)),
        pack_zip(("fer2013.tar.gz", pack_tar((f"fer2013/{CSV_NAME}", CSV))), ("README", b"hello")),
    ],
    ids=["plain", "in a folder", "zip", "tar.gz"],
)
def test_downloads_csv_packed_in_any_way(folder, workspace, use_server, external_hosts, bundle):
    with serve(bundle, sent_md5=md5_of(bundle)) as kaggle:
        use_server(kaggle.url)
        fetch_from_kaggle(HANDLE, folder / CSV_NAME, md5_of(CSV), workspace)
    assert (folder / CSV_NAME).read_bytes() == CSV
    assert [path.name for path in folder.iterdir()] == [CSV_NAME]
    assert not workspace.exists()
    assert kaggle.requests == [
        ("POST", f"{SERVICE}/GetDataset", None),
        ("POST", f"{SERVICE}/DownloadDataset", None),
        ("GET", STORAGE, None),
    ]
    assert external_hosts == []
    assert "KAGGLEHUB_CACHE" not in os.environ


def test_resumes_interrupted_download(folder, workspace, use_server):
    bundle = pack_zip((CSV_NAME, NOISE))
    with serve(bundle, sent_md5=md5_of(bundle), disconnect_after=len(bundle) // 2) as kaggle:
        use_server(kaggle.url)
        with pytest.raises(DownloadError, match="run again to resume"):
            fetch_from_kaggle(HANDLE, folder / CSV_NAME, md5_of(NOISE), workspace)
        assert list(folder.iterdir()) == []
        (partial,) = (path for path in workspace.rglob("*") if path.is_file())
        received = partial.stat().st_size
        assert 2**20 <= received < len(bundle)  # kagglehub writes a mebibyte at a time
        assert kaggle.ranges == []
        fetch_from_kaggle(HANDLE, folder / CSV_NAME, md5_of(NOISE), workspace)
    assert kaggle.ranges == [f"bytes={received}-"]
    assert (folder / CSV_NAME).read_bytes() == NOISE
    assert not workspace.exists()


def test_removes_download_resumed_from_another_file(folder, workspace, use_server):
    old, new = (pack_zip((CSV_NAME, noise)) for noise in (NOISE, NOISE[::-1]))
    with serve(old, disconnect_after=2 * 2**20) as kaggle:
        use_server(kaggle.url)
        with pytest.raises(DownloadError, match="the connection failed"):
            fetch_from_kaggle(HANDLE, folder / CSV_NAME, None, workspace)
        kaggle.bundle = new
        with pytest.raises(DownloadError, match="not usable"):
            fetch_from_kaggle(HANDLE, folder / CSV_NAME, None, workspace)
        assert len(kaggle.ranges) == 1
        assert not workspace.exists()
    assert list(folder.iterdir()) == []


WRONG_DOWNLOADS = {
    "another CSV": (pack_zip((CSV_NAME, CSV[:-1])), None, f"instead of {md5_of(CSV)}"),
    "altered, with MD5": (flip(BUNDLE, 60), md5_of(BUNDLE), "checksum"),
    "altered": (flip(BUNDLE, 60), None, "not usable"),
    "truncated": (BUNDLE[:-30], None, "Unsupported archive"),
    "web page": (b"<html>log in first</html>", None, "Unsupported archive"),
    "no CSV": (pack_zip(("train/angry/1.png", b"x")), None, "must hold one fer2013.csv .* holds train/angry/1.png"),
    "two CSVs": (
        pack_zip((f"a/{CSV_NAME}", CSV), (f"b/{CSV_NAME}", CSV)),
        None,
        f"must hold one fer2013.csv .* holds a/{CSV_NAME}, b/{CSV_NAME}",
    ),
}


@pytest.mark.parametrize(("bundle", "sent_md5", "message"), WRONG_DOWNLOADS.values(), ids=WRONG_DOWNLOADS.keys())
def test_rejects_and_removes_wrong_download(folder, workspace, use_server, bundle, sent_md5, message):
    (folder / CSV_NAME).write_bytes(b"old")
    with serve(bundle, sent_md5=sent_md5) as kaggle:
        use_server(kaggle.url)
        with pytest.raises(DownloadError, match=message) as caught:
            fetch_from_kaggle(HANDLE, folder / CSV_NAME, md5_of(CSV), workspace)
        assert HANDLE in str(caught.value)
        assert [path.name for path in folder.iterdir()] == [CSV_NAME]
        assert (folder / CSV_NAME).read_bytes() == b"old"
        assert not workspace.exists()

        kaggle.bundle, kaggle.sent_md5 = BUNDLE, md5_of(BUNDLE)
        fetch_from_kaggle(HANDLE, folder / CSV_NAME, md5_of(CSV), workspace)
    assert (folder / CSV_NAME).read_bytes() == CSV


@pytest.mark.parametrize("status", [401, 403, 404, 429, 503])
def test_http_error_names_data_set_and_alternatives(folder, workspace, use_server, status):
    with serve(BUNDLE, error_status=status) as kaggle:
        use_server(kaggle.url)
        with pytest.raises(DownloadError, match=f"Kaggle responded with {status}") as caught:
            fetch_from_kaggle(HANDLE, folder / CSV_NAME, None, workspace)
    assert HANDLE in str(caught.value)
    assert "an archive on disk" in str(caught.value)
    assert ("check the name" in str(caught.value)) == (status in (401, 403, 404))
    assert ("run again" in str(caught.value)) == (status not in (401, 403, 404))
    assert list(folder.iterdir()) == []


def test_unknown_data_set_gives_404(folder, workspace, use_server):
    with serve(BUNDLE) as kaggle:
        use_server(kaggle.url)
        with pytest.raises(DownloadError, match="someone/else could not be downloaded: Kaggle responded with 404"):
            fetch_from_kaggle("someone/else", folder / CSV_NAME, None, workspace)


def test_rejects_malformed_handle(folder, workspace):
    with pytest.raises(DownloadError, match="Invalid dataset handle"):
        fetch_from_kaggle("fer2013", folder / CSV_NAME, None, workspace)


def test_reports_refused_connection(folder, workspace, use_server):
    with serve(BUNDLE) as kaggle:
        use_server(kaggle.url)
    with pytest.raises(DownloadError, match=r"the connection failed.*an archive on disk"):
        fetch_from_kaggle(HANDLE, folder / CSV_NAME, None, workspace)
    assert list(folder.iterdir()) == []


def test_reports_missing_network(folder, workspace, external_hosts):
    with pytest.raises(DownloadError, match=r"the connection failed.*api\.kaggle\.com.*an archive on disk"):
        fetch_from_kaggle(HANDLE, folder / CSV_NAME, None, workspace)
    assert external_hosts == ["api.kaggle.com"]
