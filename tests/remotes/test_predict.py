"""``facial-expression predict`` reads from an S3-compatible server, also in worker processes: `make test-remotes`."""

import subprocess
import sys

import pytest

from helpers.photos import draw, encode, photograph
from helpers.project import ROOT, environment
from helpers.remotes import KINDS
from helpers.served_model import write_model

pytestmark = pytest.mark.remotes


def predict(folder, *words, code=0, **variables):
    command = [sys.executable, "-m", "facial_expression", "predict", *words]
    variables = environment() | {"PYTHONPATH": str(ROOT)} | variables
    result = subprocess.run(command, cwd=folder, env=variables, capture_output=True, text=True)
    assert result.returncode == code, result.stderr
    return result.stderr


def test_bucket_gives_the_rows_of_a_folder(tmp_path):
    pytest.importorskip("s3fs")
    (tmp_path / "photos").mkdir()
    model = write_model(tmp_path / "model")
    with KINDS["s3"](tmp_path / "store") as remote:
        for number, emotion in enumerate(("happy", "sad", "fear") * 6):
            data = encode(photograph(draw(emotion, number)), "JPEG")
            (tmp_path / "photos" / f"{number:02d}.jpg").write_bytes(data)
            remote.store.write(f"photos/{number:02d}.jpg", data)
        remote.store.write("photos/broken.jpg", b"no picture")
        right = {
            "FACIAL_EXPRESSION_MODEL": str(model),
            "AWS_ENDPOINT_URL": remote.settings["endpointurl"],
            "AWS_DEFAULT_REGION": remote.settings["region"],
            "AWS_ACCESS_KEY_ID": remote.settings["access_key_id"],
            "AWS_SECRET_ACCESS_KEY": remote.settings["secret_access_key"],
        }
        predict(tmp_path, "photos", "-o", "here.csv", **right)
        messages = predict(tmp_path, "s3://pins/photos", "-o", "there.csv", "--workers", "2", code=3, **right)
        assert "s3://pins/photos/broken.jpg: Supported formats" in messages
        refused = predict(tmp_path, "s3://pins/photos", code=1, **right | {"AWS_SECRET_ACCESS_KEY": "wrong"})
        assert refused.startswith("facial-expression: s3://pins/photos: ")
        assert "Traceback" not in refused
    here, there = ((tmp_path / name).read_text() for name in ("here.csv", "there.csv"))
    assert there == here.replace("\nphotos/", "\ns3://pins/photos/")
