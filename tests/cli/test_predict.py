"""``facial-expression predict`` on photos: rows, formats, options and what cannot be read."""

import csv
import io
import json
import os
import subprocess

import numpy as np
import pandas as pd
import pytest

from facial_expression.cli.main import main
from facial_expression.cli.tables import COLUMNS, csv_lines
from facial_expression.errors import UserError
from facial_expression.images import read_picture
from facial_expression.recognizer import Recognizer
from helpers.photos import draw, encode, photograph
from helpers.served_model import CLASSES


def rows_of(text: str) -> list[dict]:
    return list(csv.DictReader(io.StringIO(text)))


def test_writes_one_row_per_face_and_one_without(predict, photos, model_directory):
    recognizer = Recognizer.load(model_directory)
    rows = rows_of(predict(photos, exit_code=3).stdout)
    assert list(rows[0]) == [*COLUMNS, *CLASSES]
    names = [*(f"{number}.jpg" for number in (0, 1, 2, 4, 5, 6, 7, 8, 9)), "below/3.jpg", "blank.png"]
    expected = []
    for name in names:
        faces = recognizer.recognize(read_picture(photos / name).gray)
        expected += [(name, str(number), face) for number, face in enumerate(faces, 1)] or [(name, "", None)]
    assert len(expected) >= 12
    for row, (name, person, face) in zip(rows, expected, strict=True):
        assert (row["file"], row["person"]) == ((photos / name).as_posix(), person)
        assert (row["frame"], row["time"]) == ("", "")
        if face is None:
            assert not any(row[column] for column in (*COLUMNS[4:], *CLASSES))
        else:
            box = [float(row[side]) for side in ("left", "top", "width", "height")]
            np.testing.assert_allclose(box, face.box, atol=0.01)
            shares = [float(row[name]) for name in CLASSES]
            np.testing.assert_allclose(shares, list(face.probabilities.values()), atol=5e-5)
            assert float(row["score"]) == round(face.score, 4)
            assert (row["emotion"], row["uncertain"]) == (face.emotion, str(face.uncertain).lower())


def test_reports_and_skips_what_cannot_be_read(predict, photos, tmp_path):
    lines = "\n".join(["missing.jpg", str(photos / "broken.jpg"), str(photos / "0.jpg"), str(photos)])
    result = predict("-", "-o", tmp_path / "faces.csv", input=lines, exit_code=3)
    assert "missing.jpg: No such file or directory" in result.stderr
    assert "broken.jpg: Supported formats: JPEG" in result.stderr
    assert f"{photos}: Is a directory" in result.stderr
    assert "3 files could not be read" in result.stderr
    assert [row["file"] for row in rows_of((tmp_path / "faces.csv").read_text())] == [(photos / "0.jpg").as_posix()]


def test_formats_hold_the_same_rows(predict, photos, tmp_path):
    for name in ("faces.csv", "faces.jsonl", "faces.parquet"):
        predict(photos, "-o", tmp_path / name, exit_code=3)
    table = pd.read_csv(tmp_path / "faces.csv")
    lines = [json.loads(line) for line in (tmp_path / "faces.jsonl").read_text().splitlines()]
    parquet = pd.read_parquet(tmp_path / "faces.parquet")
    assert list(lines[0]) == list(parquet.columns) == list(table.columns)
    assert len(lines) == len(parquet) == len(table)
    for column in table.columns:
        values = pd.Series([line[column] for line in lines], dtype=object)
        for other in (values, parquet[column]):
            assert other.isna().tolist() == table[column].isna().tolist()
            assert other.dropna().tolist() == table[column].dropna().tolist()
    assert str(parquet["uncertain"].dtype) in ("bool", "object")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["faces.csv", "faces.jsonl", "faces.parquet"]


@pytest.mark.parametrize("suffix", ["csv", "jsonl", "parquet"])
def test_any_number_of_workers_gives_the_same_bytes(predict, start, photos, tmp_path, suffix):
    predict(photos, "-o", tmp_path / f"one.{suffix}", exit_code=3)
    process = start("predict", photos, "-o", f"two.{suffix}", "--workers", 2, folder=tmp_path)
    assert process.wait() == 3, process.stderr.read()
    assert (tmp_path / f"two.{suffix}").read_bytes() == (tmp_path / f"one.{suffix}").read_bytes()


def test_whole_picture_takes_each_picture_as_one_face(predict, photos):
    rows = rows_of(predict(photos / "blank.png", photos / "1.jpg", "--whole-picture").stdout)
    assert [(row["left"], row["width"], row["height"], row["score"]) for row in rows] == [
        ("0.0", "120.0", "90.0", "0.0"),
        ("0.0", "280.0", "160.0", "0.0"),
    ]


def test_largest_and_min_score_leave_out_faces(predict, tmp_path):
    photo = tmp_path / "two.png"
    large = photograph(draw("happy", 0), side=260, size=(300, 300))
    small = photograph(draw("happy", 2), side=120, size=(300, 300))
    photo.write_bytes(encode(np.hstack([small, large])))
    both = rows_of(predict(photo).stdout)
    assert len(both) == 2
    (largest,) = rows_of(predict(photo, "--largest").stdout)
    assert largest["width"] == max((row["width"] for row in both), key=float)
    between = sum(float(row["score"]) for row in both) / 2
    (best,) = rows_of(predict(photo, "--min-score", between).stdout)
    assert float(best["score"]) >= between


def test_boxes_of_a_very_large_jpeg_are_in_its_pixels(predict, tmp_path, monkeypatch):
    photo = photograph(draw("happy", 0), side=700, size=(1000, 1400))
    (tmp_path / "photo.jpg").write_bytes(encode(photo, "JPEG", quality=95))
    (whole,) = rows_of(predict(tmp_path / "photo.jpg").stdout)
    monkeypatch.setattr("facial_expression.cli.work.MAX_PIXELS", 1000 * 1400 - 1)
    (half,) = rows_of(predict(tmp_path / "photo.jpg").stdout)
    assert half != whole
    for side in ("left", "top", "width", "height"):
        assert float(half[side]) == pytest.approx(float(whole[side]), abs=140)


def test_name_that_is_not_unicode_stays_visible(predict, tmp_path):
    name = b'caf\xe9, "1".png'
    try:
        (tmp_path / "x").with_name(name.decode("utf-8", "surrogateescape")).write_bytes(encode(draw()))
    except OSError:
        pytest.skip("this file system has only names in Unicode")
    listed = os.fsencode(tmp_path) + b"/" + name
    for words, list_of_files in (([tmp_path], None), (["-"], listed)):
        (row,) = rows_of(predict(*words, "--whole-picture", input=list_of_files).stdout)
        assert row["file"].endswith('caf\\xe9, "1".png')


def test_line_end_in_a_name_is_quoted():
    (line,) = csv.reader(io.StringIO(csv_lines([]).line(["a\rb.jpg", None, "c\nd"]).decode(), newline=""))
    assert line == ["a\rb.jpg", "", "c\nd"]
    assert csv_lines([]).line(["a", 1]) == b"a,1\n"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["nothing.jpg"], "nothing.jpg: there is no such file or folder"),
        (["no*.jpg"], r"no\*.jpg: no file matches this pattern"),
        ([".", "-o", "faces.txt"], "faces.txt: choose a name that ends in .csv, .jsonl or .parquet"),
        ([".", "--format", "parquet"], "Parquet needs a file"),
        ([".", "-o", "faces.csv"], "faces.csv exists: choose another name, or add --overwrite"),
    ],
)
def test_mistake_is_one_line_that_says_what_to_do(predict, tmp_path, monkeypatch, words, message):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "faces.csv").write_text("mine")
    with pytest.raises(UserError, match=message):
        predict(*words)
    assert (tmp_path / "faces.csv").read_text() == "mine"


def test_error_is_printed_without_a_traceback(monkeypatch):
    monkeypatch.setattr("sys.argv", ["facial-expression", "predict", "nothing.jpg"])
    with pytest.raises(SystemExit) as raised:
        main()
    assert raised.value.code == "facial-expression: nothing.jpg: there is no such file or folder"


def test_pipe_that_closes_early_ends_quietly(start, photos, tmp_path):
    process = start("predict", *[photos] * 3, folder=tmp_path)
    head = subprocess.run(["head", "-n1"], stdin=process.stdout, capture_output=True, text=True)
    process.stdout.close()
    assert head.stdout.startswith("file,frame")
    process.wait()
    assert "Traceback" not in process.stderr.read()
