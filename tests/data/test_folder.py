"""Listing pictures: folder trees and CSVs as people have them, and what is said about others."""

import os
from pathlib import Path

import numpy as np
import pytest

from facial_expression.data.folder import FolderError, list_md5, list_pictures, read_list, write_list
from helpers.project import ROOT


def write_files(folder: Path, *names: str) -> Path:
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(os.fsencode(name))
    return folder


def rows_of(pictures):
    return list(pictures[["file", "label", "usage"]].itertuples(index=False, name=None))


TREES = {
    "split/class, as msambare/fer2013": (
        ("train/sad/d.jpg", "train/angry/b.jpg", "train/angry/a.jpg", "test/happy/c.JPG"),
        [
            ("test/happy/c.JPG", "happy", "PrivateTest"),
            ("train/angry/a.jpg", "angry", "Training"),
            ("train/sad/d.jpg", "sad", "Training"),
            ("train/angry/b.jpg", "angry", "Training"),
        ],
    ),
    "class": (("b/1.png", "a/2.webp"), [("a/2.webp", "a", "Training"), ("b/1.png", "b", "Training")]),
    "RAF-DB": (
        ("DATASET/train/1/x.jpg", "DATASET/test/7/y.jpg", "DATASET/readme.txt"),
        [("DATASET/test/7/y.jpg", "7", "PrivateTest"), ("DATASET/train/1/x.jpg", "1", "Training")],
    ),
    "AffectNet": (
        ("train_set/0/x.jpg", "val_set/3/y.jpg"),
        [("train_set/0/x.jpg", "0", "Training"), ("val_set/3/y.jpg", "3", "PublicTest")],
    ),
    "class/split": (("sad/valid/x.jpg",), [("sad/valid/x.jpg", "sad", "PublicTest")]),
    "leftovers of other programs": (
        ("a/x.jpg", "a/Thumbs.db", "a/.x.jpg", "__MACOSX/a/._x.jpg", ".git/a/y.png", "notes.txt"),
        [("a/x.jpg", "a", "Training")],
    ),
}


@pytest.mark.parametrize(("names", "rows"), TREES.values(), ids=TREES.keys())
def test_reads_usual_trees(tmp_path, names, rows):
    assert rows_of(list_pictures(write_files(tmp_path / "faces", *names))) == rows


def test_first_of_several_accepted_names_of_a_column_counts(tmp_path):
    write_files(tmp_path, "a.png", "b.png")
    (tmp_path / "faces.csv").write_text("path,label,class,image\na.png,happy,0,0\nb.png,sad,1,1\n")
    assert rows_of(list_pictures(tmp_path / "faces.csv")) == [
        ("a.png", "happy", "Training"),
        ("b.png", "sad", "Training"),
    ]


def test_reads_csv_in_its_order(tmp_path):
    write_files(tmp_path / "pictures", "b.jpg", "a.jpg", "c d.jpg")
    path = tmp_path / "faces.csv"
    path.write_text(
        'path,label,split\npictures/b.jpg,happy,train\n"pictures/c d.jpg", sad ,val\n\npictures/a.jpg,sad,test\n'
    )
    pictures = list_pictures(path)
    assert rows_of(pictures) == [
        ("pictures/b.jpg", "happy", "Training"),
        ("pictures/c d.jpg", "sad", "PublicTest"),
        ("pictures/a.jpg", "sad", "PrivateTest"),
    ]
    path.write_text("\ufeff,Emotion,Image\r\n0,happy,pictures/b.jpg\r\n", encoding="utf-8")
    assert rows_of(list_pictures(path)) == [("pictures/b.jpg", "happy", "Training")]


FAULTS = {
    "empty": ((), "holds no picture: put pictures"),
    "no class": (("x.jpg", "a/y.jpg"), r"x\.jpg is in no folder of a class: give each class a folder"),
    "split without class": (("train/x.jpg",), r"train/x\.jpg is in no folder of a class"),
    "half split": (
        ("train/a/x.jpg", "b/y.jpg"),
        r"b/y\.jpg is in no split, but others are: move it to train, val or test",
    ),
}


@pytest.mark.parametrize(("names", "message"), FAULTS.values(), ids=FAULTS.keys())
def test_names_what_is_wrong_with_a_tree(tmp_path, names, message):
    (tmp_path / "faces").mkdir()
    with pytest.raises(FolderError, match=message):
        list_pictures(write_files(tmp_path / "faces", *names))


CSV_FAULTS = {
    "no label": ("path\nx.jpg\n", r"faces\.csv, line 1: no column 'label' in the header 'path', expected path,label"),
    "empty file": ("", r"faces\.csv, line 1: no column 'path'"),
    "no rows": ("path,label\n", r"faces\.csv holds no picture"),
    "short row": ("path,label\nx.jpg,a\nx.jpg\n", r"faces\.csv, line 3: 1 columns, expected 2"),
    "empty label": ("path,label\nx.jpg,\n", r"faces\.csv, line 2: no label"),
    "unknown split": (
        "path,label,split\nx.jpg,a,trian\n",
        r"line 2: unknown split 'trian', expected train, val or test",
    ),
    "missing file": ("path,label\nx.jpg,a\ny.jpg,a\n", r"y\.jpg cannot be read \(No such file or directory\): correct"),
    "half split": ("path,label,split\nx.jpg,a,train\nx.jpg,a,\n", r"x\.jpg is in no split, but others are"),
}


@pytest.mark.parametrize(("text", "message"), CSV_FAULTS.values(), ids=CSV_FAULTS.keys())
def test_names_what_is_wrong_with_a_csv(tmp_path, text, message):
    write_files(tmp_path, "x.jpg")
    (tmp_path / "faces.csv").write_text(text)
    with pytest.raises(FolderError, match=message):
        list_pictures(tmp_path / "faces.csv")


def test_names_a_file_whose_name_is_not_unicode(tmp_path):
    try:
        write_files(tmp_path, f"happy/{os.fsdecode(bytes([0xE9]))}.png")
    except OSError:
        pytest.skip("this file system has only names in Unicode")
    with pytest.raises(FolderError, match=r"^happy/\\xe9\.png: names must be UTF-8: rename the file or its folder$"):
        list_pictures(tmp_path)


@pytest.mark.parametrize("name", ["missing", "faces.txt", "missing.csv"])
def test_rejects_what_is_neither_folder_nor_csv(tmp_path, name):
    write_files(tmp_path, "faces.txt")
    with pytest.raises(FolderError, match=f"{name} is missing or neither a folder nor a .csv"):
        list_pictures(tmp_path / name)


def test_digest_follows_names_labels_and_bytes_but_not_the_place(tmp_path):
    names = ("train/a/x.jpg", "train/b/y.jpg")
    first, same, renamed, changed = (write_files(tmp_path / name, *names) for name in "1234")
    (renamed / "train/a").rename(renamed / "train/c")
    (changed / "train/a/x.jpg").write_bytes(b"other")
    digests = [list_md5(list_pictures(folder)) for folder in (first, same, renamed, changed)]
    assert digests[0] == digests[1]
    assert len(set(digests)) == 3


def test_list_survives_a_round_trip(tmp_path):
    write_files(tmp_path / "faces", "1/01.jpg", "1/ä, b.jpg", "none/x.png")
    pictures = list_pictures(tmp_path / "faces")
    write_list(tmp_path / "list.csv", pictures)
    assert rows_of(read_list(tmp_path / "list.csv")) == rows_of(pictures)
    with pytest.raises(FolderError, match="no such file: run `dvc repro download`"):
        read_list(tmp_path / "missing.csv")


def test_documented_conversions_list_raf_db_and_affectnet(tmp_path, monkeypatch):
    """The programs in docs/own-data.md, in folders as the authors of the data distribute them."""
    document = (ROOT / "docs/own-data.md").read_text().split("```python\n")[1:]
    raf_db, affectnet = (block.split("```")[0] for block in document)
    monkeypatch.chdir(write_files(tmp_path, *(f"Image/aligned/{name}_aligned.jpg" for name in ("train_1", "test_2"))))
    write_files(tmp_path, "EmoLabel/list_patition_label.txt", "val_set/images/7.jpg", "train_set/images/8.jpg")
    Path("EmoLabel/list_patition_label.txt").write_text("train_1.jpg 5\ntest_2.jpg 1\n")
    for name, label in (("val_set/annotations/7_exp.npy", "3"), ("train_set/annotations/8_exp.npy", "0")):
        Path(name).parent.mkdir()
        np.save(name, np.array(label))
    exec(raf_db)
    assert rows_of(list_pictures("rafdb.csv")) == [
        ("Image/aligned/train_1_aligned.jpg", "5", "Training"),
        ("Image/aligned/test_2_aligned.jpg", "1", "PrivateTest"),
    ]
    exec(affectnet)
    assert rows_of(list_pictures("affectnet.csv")) == [
        ("train_set/images/8.jpg", "0", "Training"),
        ("val_set/images/7.jpg", "3", "PublicTest"),
    ]
