"""Acquisition: every way in which the CSV may come, and every fault on the way. No test reaches the internet."""

import gzip
import io
import os
import random
import socket
import tarfile
import zipfile
from pathlib import Path

import pytest
from kaggle_server import SERVICE, STORAGE, md5_of, serving
from kagglesdk import kaggle_env

from facial_expression.acquisition import CSV_NAME, AcquisitionError, fetch_from_kaggle, unpack_csv

HANDLE = "owner/faces"
CSV = b"emotion,pixels,Usage\n" + b"0,70 80 82 72 58,Training\n" * 200
FER2013_MD5 = "f8428a1edbd21e88f42c73edd2a14f95"


# --- Archives on disk ---


def tar_gz(*members: tuple[tarfile.TarInfo | str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for member, content in members:
            info = tarfile.TarInfo(member) if isinstance(member, str) else member
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    return gzip.compress(buffer.getvalue(), mtime=0)


def zipped(*members: tuple[zipfile.ZipInfo | str, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", method) as archive:
        for member, content in members:
            info = zipfile.ZipInfo(member) if isinstance(member, str) else member
            archive.writestr(info, content, compress_type=method)
    return buffer.getvalue()


PACKERS = {".tar.gz": tar_gz, ".tgz": tar_gz, ".zip": zipped}


def flipped(content: bytes, position: int) -> bytes:
    altered = bytearray(content)
    altered[position] ^= 0xFF
    return bytes(altered)


def special_tar_member(kind: bytes) -> tarfile.TarInfo:
    info = tarfile.TarInfo(f"fer2013/{CSV_NAME}")
    info.type, info.linkname = kind, "/etc/passwd"
    return info


def special_zip_member(mode: int) -> zipfile.ZipInfo:
    info = zipfile.ZipInfo(CSV_NAME)
    info.create_system, info.external_attr = 3, mode << 16
    return info


@pytest.fixture
def place(tmp_path) -> Path:
    """A folder of its own for the destination, so that whatever is left over shows."""
    folder = tmp_path / "data" / "raw"
    folder.mkdir(parents=True)
    return folder


def archive_at(folder: Path, suffix: str, content: bytes) -> Path:
    path = folder / f"archive{suffix}"
    path.write_bytes(content)
    return path


def assert_refused(archive: Path, place: Path, says: str, md5: str | None = None, **options) -> None:
    """Unpacking fails with a message that names the archive, and neither makes nor changes anything."""
    for before in (None, b"old"):
        destination = place / CSV_NAME
        if before is not None:
            destination.write_bytes(before)
        with pytest.raises(AcquisitionError, match=says) as caught:
            unpack_csv(archive, destination, md5, **options)
        assert str(archive) in str(caught.value)
        assert [path.name for path in place.iterdir()] == ([] if before is None else [CSV_NAME])
        assert before is None or destination.read_bytes() == before
        destination.unlink(missing_ok=True)


@pytest.mark.parametrize("suffix", PACKERS)
@pytest.mark.parametrize("name", [CSV_NAME, f"fer2013/{CSV_NAME}", f"a/b/{CSV_NAME}", f"windows\\{CSV_NAME}"])
def test_finds_the_csv_in_any_folder_of_an_archive(tmp_path, place, suffix, name):
    content = PACKERS[suffix](("README", b"hello"), (name, CSV), ("__MACOSX/._fer2013.csv", b"x"), ("z/last", b"y"))
    unpack_csv(archive_at(tmp_path, suffix, content), place / CSV_NAME, md5_of(CSV))
    assert (place / CSV_NAME).read_bytes() == CSV
    assert [path.name for path in place.iterdir()] == [CSV_NAME]


def test_takes_a_csv_under_any_name_and_makes_the_folder(tmp_path):
    archive = archive_at(tmp_path, ".CSV", CSV)
    unpack_csv(str(archive), tmp_path / "new" / "folder" / "faces.csv", md5_of(CSV))
    assert (tmp_path / "new" / "folder" / "faces.csv").read_bytes() == CSV


def test_a_folder_called_like_the_csv_is_not_the_csv(tmp_path, place):
    folder = tarfile.TarInfo(CSV_NAME)
    folder.type = tarfile.DIRTYPE
    for suffix, content in (
        (".tar.gz", tar_gz((folder, b""), (f"{CSV_NAME}/{CSV_NAME}", CSV))),
        (".zip", zipped((f"{CSV_NAME}/", b""), (f"{CSV_NAME}/{CSV_NAME}", CSV))),
    ):
        unpack_csv(archive_at(tmp_path, suffix, content), place / CSV_NAME, md5_of(CSV))
        assert (place / CSV_NAME).read_bytes() == CSV


@pytest.mark.parametrize("suffix", [".csv", *PACKERS])
def test_wrong_md5_names_both(tmp_path, place, suffix):
    altered = CSV.replace(b"80", b"81", 1)
    content = PACKERS[suffix]((CSV_NAME, altered)) if suffix in PACKERS else altered
    archive = archive_at(tmp_path, suffix, content)
    assert_refused(archive, place, f"{md5_of(altered)} instead of MD5 {md5_of(CSV)}", md5=md5_of(CSV))
    unpack_csv(archive, place / CSV_NAME, None)
    assert (place / CSV_NAME).read_bytes() == altered


@pytest.mark.parametrize("suffix", PACKERS)
def test_archive_without_the_csv_lists_what_is_inside(tmp_path, place, suffix):
    content = PACKERS[suffix](*((f"train/{number}.png", b"x") for number in range(8)))
    archive = archive_at(tmp_path, suffix, content)
    assert_refused(archive, place, "holds no fer2013.csv, but 'train/0.png', .*'train/4.png' and 3 more")


@pytest.mark.parametrize("suffix", PACKERS)
def test_two_csvs_are_ambiguous(tmp_path, place, suffix):
    content = PACKERS[suffix]((f"a/{CSV_NAME}", CSV), (f"b/{CSV_NAME}", CSV))
    assert_refused(archive_at(tmp_path, suffix, content), place, "more than one", md5=md5_of(CSV))


@pytest.mark.parametrize("suffix", PACKERS)
@pytest.mark.parametrize("name", ["../../evil", "/tmp/evil-of-fer2013", f"../../{CSV_NAME}.evil"])
def test_a_name_that_climbs_out_is_never_written(tmp_path, place, suffix, name):
    archive = archive_at(tmp_path, suffix, PACKERS[suffix]((name, b"evil")))
    assert_refused(archive, place, "holds no fer2013.csv")
    assert sorted(path.name for path in tmp_path.iterdir()) == [archive.name, "data"]
    assert not Path("/tmp/evil-of-fer2013").exists()


@pytest.mark.parametrize("suffix", PACKERS)
def test_a_csv_whose_name_climbs_out_goes_to_the_destination_alone(tmp_path, place, suffix):
    archive = archive_at(tmp_path, suffix, PACKERS[suffix]((f"../{CSV_NAME}", CSV)))
    unpack_csv(archive, place / "faces.csv", md5_of(CSV))
    assert [path.name for path in place.iterdir()] == ["faces.csv"]
    assert [path.name for path in place.parent.iterdir()] == ["raw"]


@pytest.mark.parametrize(
    "kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.FIFOTYPE, tarfile.GNUTYPE_SPARSE]
)
def test_links_and_special_members_of_a_tar_are_refused(tmp_path, place, kind):
    archive = archive_at(tmp_path, ".tar.gz", tar_gz((special_tar_member(kind), b"")))
    assert_refused(archive, place, "not as a regular file")


@pytest.mark.parametrize("mode", [0o120777, 0o010644, 0o020644])
def test_links_and_special_members_of_a_zip_are_refused(tmp_path, place, mode):
    archive = archive_at(tmp_path, ".zip", zipped((special_zip_member(mode), b"/etc/passwd")))
    assert_refused(archive, place, "not as a regular file")


@pytest.mark.parametrize("suffix", [".csv", *PACKERS])
def test_a_bomb_is_stopped_at_the_limit(tmp_path, place, suffix):
    bomb = bytes(3_000_000)
    archive = archive_at(tmp_path, suffix, PACKERS[suffix]((CSV_NAME, bomb)) if suffix in PACKERS else bomb)
    assert_refused(archive, place, "more than 1,000,000 bytes", limit=1_000_000)


def test_a_bomb_beside_the_csv_of_a_tar_is_stopped_too(tmp_path, place):
    for members in ([("bomb", bytes(3_000_000)), (CSV_NAME, CSV)], [(CSV_NAME, CSV), ("bomb", bytes(3_000_000))]):
        archive = archive_at(tmp_path, ".tar.gz", tar_gz(*members))
        assert_refused(archive, place, "more than 1,000,000 bytes", md5=md5_of(CSV), limit=1_000_000)


def test_a_zip_that_lies_about_its_size_is_refused(tmp_path, place):
    content = bytearray(zipped((CSV_NAME, CSV)))
    directory = content.index(b"PK\x01\x02")
    content[directory + 24 : directory + 28] = (100).to_bytes(4, "little")
    assert_refused(archive_at(tmp_path, ".zip", bytes(content)), place, "cut off, damaged or encrypted")


def test_exactly_the_limit_is_allowed(tmp_path, place):
    unpack_csv(archive_at(tmp_path, ".zip", zipped((CSV_NAME, CSV))), place / CSV_NAME, None, limit=len(CSV))
    assert (place / CSV_NAME).read_bytes() == CSV


@pytest.mark.parametrize("suffix", PACKERS)
def test_an_archive_cut_off_anywhere_is_refused(tmp_path, place, suffix):
    content = PACKERS[suffix]((CSV_NAME, CSV))
    for length in range(1, len(content)):
        archive = archive_at(tmp_path, suffix, content[:length])
        with pytest.raises(AcquisitionError, match=r"archive\..*(cannot be read|holds)"):
            unpack_csv(archive, place / CSV_NAME, None)
        assert list(place.iterdir()) == []


@pytest.mark.parametrize("suffix", PACKERS)
def test_a_flipped_byte_never_yields_another_csv(tmp_path, place, suffix):
    """A flip is either an error or, in a part that carries no data (a date, a comment), without effect on the CSV."""
    content = PACKERS[suffix]((CSV_NAME, CSV))
    refused = 0
    for position in range(len(content)):
        archive = archive_at(tmp_path, suffix, flipped(content, position))
        try:
            unpack_csv(archive, place / CSV_NAME, md5_of(CSV))
            assert (place / CSV_NAME).read_bytes() == CSV
            (place / CSV_NAME).unlink()
        except AcquisitionError:
            refused += 1
        assert list(place.iterdir()) == []
    assert refused > len(content) / 3


def test_a_wrong_checksum_at_the_end_of_a_gzip_is_noticed(tmp_path, place):
    content = flipped(tar_gz((CSV_NAME, CSV)), -8)
    assert_refused(archive_at(tmp_path, ".tar.gz", content), place, "CRC")


def test_an_encrypted_zip_is_refused(tmp_path, place):
    content = bytearray(zipped((CSV_NAME, CSV)))
    for signature, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        content[content.index(signature) + offset] |= 1
    assert_refused(archive_at(tmp_path, ".zip", bytes(content)), place, "encrypted")


@pytest.mark.parametrize("suffix", [".csv", *PACKERS])
def test_an_empty_file_is_refused(tmp_path, place, suffix):
    assert_refused(archive_at(tmp_path, suffix, b""), place, "is empty")


@pytest.mark.parametrize("suffix", PACKERS)
def test_an_empty_csv_in_an_archive_is_refused(tmp_path, place, suffix):
    assert_refused(archive_at(tmp_path, suffix, PACKERS[suffix]((CSV_NAME, b""))), place, "an empty fer2013.csv")


def test_a_csv_that_calls_itself_an_archive_is_refused(tmp_path, place):
    for suffix in PACKERS:
        assert_refused(archive_at(tmp_path, suffix, CSV), place, "cannot be read")


def test_an_unknown_suffix_names_the_known_ones(tmp_path, place):
    assert_refused(archive_at(tmp_path, ".rar", CSV), place, r"none of \.csv, \.tar\.gz, \.tgz, \.zip")


def test_a_missing_file_and_a_folder_are_refused(tmp_path, place):
    assert_refused(tmp_path / "absent.zip", place, "not there or not a file")
    (tmp_path / "folder.zip").mkdir()
    assert_refused(tmp_path / "folder.zip", place, "not there or not a file")


def test_a_full_disk_is_not_blamed_on_the_archive(tmp_path, place, monkeypatch):
    archive = archive_at(tmp_path, ".zip", zipped((CSV_NAME, CSV)))
    if not Path("/dev/full").exists():
        pytest.skip("this system has no /dev/full")
    open_as_asked = Path.open

    def open_without_room(path, mode="r"):
        return open_as_asked(Path("/dev/full") if "w" in mode else path, mode)

    monkeypatch.setattr(Path, "open", open_without_room)
    with pytest.raises(OSError, match="No space left"):
        unpack_csv(archive, place / CSV_NAME, None)


def test_the_real_archive(tmp_path):
    archive = os.environ.get("FER2013_ARCHIVE")
    if not archive:
        pytest.skip("set FER2013_ARCHIVE to FER2013's archive or CSV to unpack the real one")
    unpack_csv(archive, tmp_path / CSV_NAME, FER2013_MD5)
    assert (tmp_path / CSV_NAME).stat().st_size == 301_072_766


# --- Kaggle ---


@pytest.fixture(autouse=True)
def asked_hosts(monkeypatch, tmp_path) -> list[str]:
    """Cut the internet off: no name but this machine's own resolves, no proxy is used, no account is known.

    Gives the names of other machines that were asked for all the same.
    """
    resolve, asked = socket.getaddrinfo, []

    def resolve_loopback(host, *args, **kwargs):
        if host not in ("127.0.0.1", "localhost", "::1"):
            asked.append(host)
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        return resolve(host, *args, **kwargs)

    monkeypatch.setattr(socket, "getaddrinfo", resolve_loopback)
    for name in [name for name in os.environ if name.upper().startswith("KAGGLE") or name.upper().endswith("_PROXY")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("KAGGLE_CONFIG_DIR", str(tmp_path / "home"))
    return asked


@pytest.fixture
def kaggle_is_at(monkeypatch):
    """A function that makes kagglehub take the given address for Kaggle's; it has no public setting for that."""
    return lambda url: monkeypatch.setitem(kaggle_env._env_to_endpoint, kaggle_env.KaggleEnv.PROD, url)


@pytest.fixture
def workspace(tmp_path) -> Path:
    return tmp_path / "workspace"


BUNDLE = zipped((CSV_NAME, CSV))


@pytest.mark.parametrize(
    "bundle",
    [
        BUNDLE,
        zipped((f"fer2013/fer2013/{CSV_NAME}", CSV), ("fer2013/README", b"hello"), ("other.zip", zipped())),
        zipped((f"{CSV_NAME}.zip", BUNDLE)),
        zipped(("fer2013.tar.gz", tar_gz((f"fer2013/{CSV_NAME}", CSV))), ("README", b"hello")),
    ],
    ids=["plain", "in a folder", "zipped", "tar.gz"],
)
def test_downloads_a_data_set_however_it_is_packed(place, workspace, kaggle_is_at, asked_hosts, bundle):
    with serving(bundle, announced_md5=md5_of(bundle)) as kaggle:
        kaggle_is_at(kaggle.url)
        fetch_from_kaggle(HANDLE, place / CSV_NAME, md5_of(CSV), workspace)
    assert (place / CSV_NAME).read_bytes() == CSV
    assert [path.name for path in place.iterdir()] == [CSV_NAME]
    assert not workspace.exists()
    assert kaggle.seen == [
        ("POST", f"{SERVICE}/GetDataset", None),
        ("POST", f"{SERVICE}/DownloadDataset", None),
        ("GET", STORAGE, None),
    ]
    assert asked_hosts == []
    assert "KAGGLEHUB_CACHE" not in os.environ


def test_an_interrupted_download_goes_on_where_it_stopped(place, workspace, kaggle_is_at):
    # kagglehub writes a mebibyte at a time, so a resumable download has more than that.
    noise = random.Random(0).randbytes(3 * 2**20)
    bundle = zipped((CSV_NAME, noise), method=zipfile.ZIP_STORED)
    with serving(bundle, announced_md5=md5_of(bundle), cut_after=len(bundle) // 2) as kaggle:
        kaggle_is_at(kaggle.url)
        with pytest.raises(AcquisitionError, match="run again to go on"):
            fetch_from_kaggle(HANDLE, place / CSV_NAME, md5_of(noise), workspace)
        assert list(place.iterdir()) == []
        (partial,) = (path for path in workspace.rglob("*") if path.is_file())
        arrived = partial.stat().st_size
        assert 2**20 <= arrived < len(bundle)
        assert kaggle.ranges == []
        fetch_from_kaggle(HANDLE, place / CSV_NAME, md5_of(noise), workspace)
    assert kaggle.ranges == [f"bytes={arrived}-"]
    assert (place / CSV_NAME).read_bytes() == noise
    assert not workspace.exists()


def test_a_download_that_goes_on_with_other_bytes_is_refused_and_removed(place, workspace, kaggle_is_at):
    old, new = (zipped((CSV_NAME, random.Random(seed).randbytes(3 * 2**20))) for seed in (0, 1))
    with serving(old, cut_after=2 * 2**20) as kaggle:
        kaggle_is_at(kaggle.url)
        with pytest.raises(AcquisitionError, match="the connection failed"):
            fetch_from_kaggle(HANDLE, place / CSV_NAME, None, workspace)
        kaggle.bundle = new
        with pytest.raises(AcquisitionError, match="not usable"):
            fetch_from_kaggle(HANDLE, place / CSV_NAME, None, workspace)
        assert len(kaggle.ranges) == 1
        assert not workspace.exists()
    assert list(place.iterdir()) == []


@pytest.mark.parametrize(
    ("bundle", "announced_md5", "says"),
    [
        (zipped((CSV_NAME, CSV[:-1])), None, "instead of MD5"),
        (flipped(BUNDLE, 60), md5_of(BUNDLE), "checksum"),
        (flipped(BUNDLE, 60), None, "not usable"),
        (BUNDLE[:-30], None, "Unsupported archive"),
        (b"<html>log in first</html>", None, "Unsupported archive"),
        (zipped(("train/angry/1.png", b"x")), None, "holds no fer2013.csv, but 'train/angry/1.png'"),
        (zipped((f"a/{CSV_NAME}", CSV), (f"b/{CSV_NAME}", CSV)), None, "more than one"),
    ],
    ids=[
        "another CSV",
        "altered on the way",
        "altered",
        "cut off",
        "a web page",
        "no CSV",
        "two CSVs",
    ],
)
def test_a_wrong_download_is_refused_and_removed(place, workspace, kaggle_is_at, bundle, announced_md5, says):
    (place / CSV_NAME).write_bytes(b"old")
    with serving(bundle, announced_md5=announced_md5) as kaggle:
        kaggle_is_at(kaggle.url)
        with pytest.raises(AcquisitionError, match=says) as caught:
            fetch_from_kaggle(HANDLE, place / CSV_NAME, md5_of(CSV), workspace)
        assert HANDLE in str(caught.value)
        assert [path.name for path in place.iterdir()] == [CSV_NAME]
        assert (place / CSV_NAME).read_bytes() == b"old"
        assert not workspace.exists()

        kaggle.bundle, kaggle.announced_md5 = BUNDLE, md5_of(BUNDLE)
        fetch_from_kaggle(HANDLE, place / CSV_NAME, md5_of(CSV), workspace)
    assert (place / CSV_NAME).read_bytes() == CSV


@pytest.mark.parametrize("status", [401, 403, 404, 429, 503])
def test_a_refusal_names_the_data_set_and_the_way_out(place, workspace, kaggle_is_at, status):
    with serving(BUNDLE, refusal=status) as kaggle:
        kaggle_is_at(kaggle.url)
        with pytest.raises(AcquisitionError, match=f"Kaggle answered {status}") as caught:
            fetch_from_kaggle(HANDLE, place / CSV_NAME, None, workspace)
    assert HANDLE in str(caught.value)
    assert "an archive on disk" in str(caught.value)
    assert ("check the name" in str(caught.value)) == (status in (401, 403, 404))
    assert ("run again" in str(caught.value)) == (status not in (401, 403, 404))
    assert list(place.iterdir()) == []


def test_an_unknown_handle_is_a_404(place, workspace, kaggle_is_at):
    with serving(BUNDLE) as kaggle:
        kaggle_is_at(kaggle.url)
        with pytest.raises(AcquisitionError, match="someone/else could not be downloaded: Kaggle answered 404"):
            fetch_from_kaggle("someone/else", place / CSV_NAME, None, workspace)


def test_a_handle_of_another_shape_is_refused(place, workspace):
    with pytest.raises(AcquisitionError, match="Invalid dataset handle"):
        fetch_from_kaggle("fer2013", place / CSV_NAME, None, workspace)


def test_nobody_answers(place, workspace, kaggle_is_at):
    with serving(BUNDLE) as kaggle:
        kaggle_is_at(kaggle.url)
    with pytest.raises(AcquisitionError, match=r"the connection failed.*an archive on disk"):
        fetch_from_kaggle(HANDLE, place / CSV_NAME, None, workspace)
    assert list(place.iterdir()) == []


def test_without_network_kaggle_itself_is_not_found(place, workspace, asked_hosts):
    with pytest.raises(AcquisitionError, match=r"the connection failed.*api\.kaggle\.com.*an archive on disk"):
        fetch_from_kaggle(HANDLE, place / CSV_NAME, None, workspace)
    assert asked_hosts == ["api.kaggle.com"]
