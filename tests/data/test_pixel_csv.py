"""The reader of FER2013's CSV: every dialect, every fault, and agreement with a simple reference reader."""

import os
import re
from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from facial_expression.data.download import unpack_csv
from facial_expression.data.labels import Labels
from facial_expression.data.pixel_csv import PixelCsvError, read_pixel_csv
from facial_expression.emotions import NAMES

SIZE = 2
ROWS = [("angry", "Training", [0, 9, 10, 99]), ("neutral", "PrivateTest", [100, 255, 0, 7])]
FER2013 = b"emotion,pixels,Usage\n0,0 9 10 99,Training\n6,100 255 0 7,PrivateTest\n"

DIALECTS = {
    "fer2013.csv": FER2013,
    "icml_face_data.csv": b"emotion, Usage, pixels\n0,Training,0 9 10 99\n6,PrivateTest,100 255 0 7\n",
    "quoted pixels": b'emotion,pixels,Usage\n0,"0 9 10 99",Training\n6,"100 255 0 7",PrivateTest\n',
    "all quoted": b'"emotion","pixels","Usage"\n"0","0 9 10 99","Training"\n"6","100 255 0 7","PrivateTest"\n',
    "spaces after commas": b"emotion, pixels, Usage\n0, 0 9 10 99, Training\n6, 100 255 0 7, PrivateTest\n",
    "leading zeros": b"emotion,pixels,Usage\n0,000 09 010 99,Training\n6,100 255 0 007,PrivateTest\n",
    "CRLF": FER2013.replace(b"\n", b"\r\n"),
    "byte order mark": b"\xef\xbb\xbf" + FER2013,
    "no last line end": FER2013.removesuffix(b"\n"),
    "blank lines at the end": FER2013 + b"\n \r\n\n",
    "blank line at the end without line end": FER2013 + b"  ",
    "names": FER2013.replace(b"\n0,", b"\nanger,").replace(b"\n6,", b"\nNeutral,"),
    "label and split": FER2013.replace(b"emotion,pixels,Usage", b"Label,pixels,split"),
    "train and test": FER2013.replace(b"Training", b"train").replace(b"PrivateTest", b"Test"),
    "index of pandas": b",emotion,pixels,Usage\n0,0,0 9 10 99,Training\n1,6,100 255 0 7,PrivateTest\n",
    "id": b"id,pixels,Usage,emotion\n7,0 9 10 99,Training,0\n9,100 255 0 7,PrivateTest,6\n",
    "lower-case header": FER2013.lower().replace(b"training", b"Training").replace(b"privatetest", b"PrivateTest"),
}


def write(path, content):
    path.write_bytes(content)
    return path


def rows_of(table):
    pixels = table.images.reshape(len(table), -1).tolist()
    return list(zip(table.faces["emotion"], table.faces["usage"], pixels, strict=True))


@pytest.mark.parametrize("block_rows", [1, 2, 3])
@pytest.mark.parametrize("content", DIALECTS.values(), ids=DIALECTS.keys())
def test_reads_every_dialect(tmp_path, content, block_rows):
    table = read_pixel_csv(write(tmp_path / "faces.csv", content), SIZE, block_rows=block_rows)
    assert rows_of(table) == ROWS
    assert table.images.dtype == np.uint8
    assert table.images.shape == (2, SIZE, SIZE)
    assert list(table.faces.columns) == ["row", "emotion", "usage"]
    assert list(table.faces["row"]) == [0, 1]


@pytest.mark.parametrize("quote", [b"", b'"'])
def test_rows_without_usage_are_training(tmp_path, quote):
    content = b"emotion,pixels\n3,%s1 2 3 4%s\n1,%s5 6 7 8%s\n" % (quote, quote, quote, quote)
    table = read_pixel_csv(write(tmp_path / "train.csv", content), SIZE)
    assert rows_of(table) == [("happy", "Training", [1, 2, 3, 4]), ("disgust", "Training", [5, 6, 7, 8])]


def test_reads_pixels_row_by_row(tmp_path):
    table = read_pixel_csv(write(tmp_path / "faces.csv", FER2013), SIZE)
    assert table.images[0].tolist() == [[0, 9], [10, 99]]


def test_reads_every_gray_level(tmp_path):
    numbers = list(range(256))
    content = f"emotion,pixels\n0,{' '.join(map(str, numbers))}\n".encode()
    table = read_pixel_csv(write(tmp_path / "faces.csv", content), 16)
    assert table.images.ravel().tolist() == numbers


@pytest.mark.parametrize("size", [1, 3, 48])
@pytest.mark.parametrize("block_rows", [1, 2, 3, 5, 7, 8, 100])
def test_block_size_does_not_change_result(tmp_path, size, block_rows):
    random = np.random.default_rng(size)
    images = random.integers(0, 256, (7, size, size))
    lines = [f"{index},{' '.join(map(str, image.ravel()))}" for index, image in enumerate(images)]
    content = "\n".join(["emotion,pixels", *lines]).encode()
    table = read_pixel_csv(write(tmp_path / "faces.csv", content), size, block_rows=block_rows)
    np.testing.assert_array_equal(table.images, images)
    assert tuple(table.faces["emotion"]) == NAMES


TRUNCATED = "; the file ends in this line, it may have been cut off"
HEADER = "expected 'emotion,pixels,Usage' or 'emotion,pixels'"
NUMBER = "expected a whole number from 0 to 255"
COLUMNS = "expected 3 (emotion, pixels, usage)"
USAGE = "expected Training, PublicTest, PrivateTest or train, val, test"
LABEL = f"expected {', '.join(NAMES)} or a code from 0 to 6: add it to classes in params.yaml, or set {{}}decode.labels"
ROW_FAULTS = {
    "too few pixels": (b"3,1 2 3,Training", "3 pixels, expected 4 (2 x 2)"),
    "empty pixel": (b"3,1 2  4,Training", "3 pixels, expected 4 (2 x 2)"),
    "too many pixels": (b"3,1 2 3 4 5,Training", "5 pixels, expected 4 (2 x 2)"),
    "no pixels": (b"3,,Training", "0 pixels, expected 4 (2 x 2)"),
    "no pixels in quotes": (b'3,"",Training', "0 pixels, expected 4 (2 x 2)"),
    "256": (b"3,1 256 3 4,Training", f"pixel 2 is '256', {NUMBER}"),
    "300": (b"3,300 2 3 4,Training", f"pixel 1 is '300', {NUMBER}"),
    "999": (b"3,1 2 3 999,Training", f"pixel 4 is '999', {NUMBER}"),
    "four digits": (b"3,1 2 3 0001,Training", f"pixel 4 is '0001', {NUMBER}"),
    "hundreds of digits": (b"3,1 2 3 " + b"1" * 5000 + b",Training", f"pixel 4 is '{'1' * 40}'..., {NUMBER}"),
    "negative": (b"3,1 -2 3 4,Training", f"pixel 2 is '-2', {NUMBER}"),
    "fraction": (b"3,1 2.5 3 4,Training", f"pixel 2 is '2.5', {NUMBER}"),
    "letters": (b"3,1 2 x 4,Training", f"pixel 3 is 'x', {NUMBER}"),
    "between 9 and A in ASCII": (b"3,1 2 : 4,Training", f"pixel 3 is ':', {NUMBER}"),
    "not UTF-8": (b"3,1 2 \xff 4,Training", f"pixel 3 is '\\xff', {NUMBER}"),
    "tab": (b"3,1 2\t3 4 5,Training", f"pixel 2 is '2\\t3', {NUMBER}"),
    "two spaces": (b"3,1 2  3 4,Training", "pixel 3 is empty, expected one space between pixels"),
    "space inside the quotes": (b'3,"1 2 3 4 ",Training', "pixel 5 is empty, expected one space between pixels"),
    "open quote": (b'3,"1 2 3 4,Training', f"pixel 1 is '\"1', {NUMBER}"),
    "unknown emotion": (b"7,1 2 3 4,Training", f"unknown label '7', {LABEL.format('decode.codes or ')}"),
    "unknown name": (b"bored,1 2 3 4,Training", f"unknown label 'bored', {LABEL.format('')}"),
    "no emotion": (b",1 2 3 4,Training", f"unknown label '', {LABEL.format('')}"),
    "unknown usage": (b"3,1 2 3 4,Tset", f"unknown usage 'Tset', {USAGE}"),
    "no usage": (b"3,1 2 3 4,", f"unknown usage '', {USAGE}"),
    "missing column": (b"3,1 2 3 4", f"2 columns, {COLUMNS}"),
    "surplus column": (b"3,1 2 3 4,Training,x", f"4 columns, {COLUMNS}"),
    "blank line": (b"", "blank line"),
    "blank line with a space": (b" \r", "blank line"),
    "NUL bytes": (b"\0\0\0", "NUL byte: the file is damaged"),
    "NUL byte in a number": (b"3,1 2\0 3 4,Training", "NUL byte: the file is damaged"),
}


@pytest.mark.parametrize("block_rows", [1, 2, 16])
@pytest.mark.parametrize(("row", "reason"), ROW_FAULTS.values(), ids=ROW_FAULTS.keys())
def test_names_line_and_fault_of_row(tmp_path, row, reason, block_rows):
    path = write(tmp_path / "faces.csv", FER2013 + row + b"\n" + b"3,1 2 3,Training\n" + b"0,1 2 3 4,Training\n")
    with pytest.raises(PixelCsvError) as error:
        read_pixel_csv(path, SIZE, block_rows=block_rows)
    assert str(error.value) == f"{path}, line 4: {reason}"


FILE_FAULTS = {
    "empty": (b"", "line 1: the file is empty"),
    "only a byte order mark": (b"\xef\xbb\xbf", "line 1: the file is empty"),
    "header only": (b"emotion,pixels,Usage\n", "line 1: no rows after the header"),
    "header without line end": (b"emotion,pixels", "line 1: no rows after the header"),
    "test.csv": (
        b"pixels\n1 2 3 4\n",
        "line 1: no column 'emotion': pictures without labels (test.csv of the competition) cannot be used",
    ),
    "no pixels": (
        b"emotion,Usage\n0,Training\n",
        f"line 1: no column 'pixels' in the header 'emotion,Usage', {HEADER}",
    ),
    "no header": (FER2013[21:], f"line 1: no column 'emotion' in the header '0,0 9 10 99,Training', {HEADER}"),
    "surplus": (
        b"age,emotion,pixels\n",
        f"line 1: unknown or repeated column in the header 'age,emotion,pixels', {HEADER}",
    ),
    "repeated": (
        b"emotion,pixels,pixels\n",
        f"line 1: unknown or repeated column in the header 'emotion,pixels,pixels', {HEADER}",
    ),
    "UTF-16": (FER2013.decode().encode("utf-16"), "line 1: NUL byte: the file is damaged or not in UTF-8"),
    "cut in the pixels": (FER2013 + b"1,1 2", f"line 4: 2 columns, {COLUMNS}{TRUNCATED}"),
    "cut in the usage": (
        FER2013 + b"1,1 2 3 4,Pri",
        f"line 4: unknown usage 'Pri', {USAGE}{TRUNCATED}",
    ),
    "cut in the pixels of train.csv": (
        b"emotion,pixels\n0,1 2 3 4\n0,1 2 3",
        f"line 3: 3 pixels, expected 4 (2 x 2){TRUNCATED}",
    ),
    "no line ends": (FER2013 + b"1 " * (1 << 20), "line 4: more than a million bytes without a line end"),
    "a million spaces": (
        FER2013 + b"3,1 2 3 4,Training" + b" " * (1 << 20) + b"\n",
        "line 4: more than a million bytes without a line end",
    ),
    "many blank lines at the end": (FER2013 + b"\n" * 102, "line 4: blank line"),
    "names twice": (
        b"label,emotion,pixels\n",
        f"line 1: unknown or repeated column in the header 'label,emotion,pixels', {HEADER}",
    ),
}


@pytest.mark.parametrize("block_rows", [1, 16])
@pytest.mark.parametrize(("content", "reason"), FILE_FAULTS.values(), ids=FILE_FAULTS.keys())
def test_names_fault_of_file(tmp_path, content, reason, block_rows):
    path = write(tmp_path / "faces.csv", content)
    with pytest.raises(PixelCsvError) as error:
        read_pixel_csv(path, SIZE, block_rows=block_rows)
    assert str(error.value) == f"{path}, {reason}"


def test_counts_pixels_at_full_size(tmp_path):
    rows = ["0," + " ".join(["128"] * (2303 if line == 17 else 2304)) for line in range(2, 20)]
    path = write(tmp_path / "fer2013.csv", "\n".join(["emotion,pixels", *rows]).encode())
    with pytest.raises(PixelCsvError, match=re.escape("fer2013.csv, line 17: 2303 pixels, expected 2304 (48 x 48)")):
        read_pixel_csv(path)


def test_surplus_pixel_does_not_hide_missing_one(tmp_path):
    path = write(tmp_path / "faces.csv", b"emotion,pixels\n0,1 2 3\n0,1 2 3 4 5\n")
    with pytest.raises(PixelCsvError, match="line 2: 3 pixels"):
        read_pixel_csv(path, SIZE)


def test_reads_colored_pixels_as_gray_levels(tmp_path):
    colors = np.random.default_rng(2).integers(0, 256, (3, SIZE, SIZE, 3))
    rows = [f"{index},{' '.join(map(str, color.ravel()))}" for index, color in enumerate(colors)]
    table = read_pixel_csv(write(tmp_path / "faces.csv", "\n".join(["emotion,pixels", *rows]).encode()), SIZE)
    np.testing.assert_allclose(table.images, colors @ (0.299, 0.587, 0.114), atol=0.51)


def test_colored_and_gray_rows_do_not_mix(tmp_path):
    path = write(tmp_path / "faces.csv", b"emotion,pixels\n0," + b"1 " * 11 + b"1\n0,1 2 3 4\n")
    with pytest.raises(PixelCsvError, match=r"line 3: 4 pixels, expected 12 \(2 x 2 x 3\)"):
        read_pixel_csv(path, SIZE)


@pytest.mark.parametrize(("count", "side"), [(64 * 64, 64), (64 * 64 * 3, 64), (2305, None)])
def test_pictures_of_another_size_name_the_parameter(tmp_path, count, side):
    path = write(tmp_path / "faces.csv", b"emotion,pixels\n0," + b" ".join([b"1"] * count))
    with pytest.raises(PixelCsvError, match=rf"line 2: {count} pixels, expected 2304 \(48 x 48\)") as raised:
        read_pixel_csv(path)
    hint = f"if all pictures are of {side} x {side}, set decode.size and align.size to {side} in params.yaml"
    assert (hint in str(raised.value)) == (side is not None)


def test_reads_classes_of_ones_own_and_leaves_some_out(tmp_path):
    labels = Labels(("low", "high"), "classes", {"none": None})
    path = write(tmp_path / "faces.csv", b"emotion,pixels\n1,1 2 3 4\nnone,5 6 7 8\nLow,9 0 1 2\n")
    table = read_pixel_csv(path, SIZE, labels)
    assert rows_of(table) == [("high", "Training", [1, 2, 3, 4]), ("low", "Training", [9, 0, 1, 2])]
    assert table.faces["row"].tolist() == [0, 2]
    assert table.all_classes == ("low", "high")
    with pytest.raises(PixelCsvError, match="the labels of all rows are left out"):
        read_pixel_csv(path, SIZE, Labels(("low", "high"), meanings=dict.fromkeys(("0", "1", "low", "none"))))


def test_rejects_missing_file(tmp_path):
    path = tmp_path / "missing.csv"
    with pytest.raises(PixelCsvError, match=re.escape(f"{path}: no such file")):
        read_pixel_csv(path)


def test_rejects_directory(tmp_path):
    with pytest.raises(PixelCsvError, match=re.escape(f"{tmp_path}: cannot be read")):
        read_pixel_csv(tmp_path)


COLUMN_PATTERNS = {
    "index": "[^,]*",
    "emotion": "[0-6]",
    "usage": "(?i:training|publictest|privatetest)",
    "pixels": " ".join(["(?:25[0-5]|2[0-4][0-9]|[01]?[0-9]?[0-9])"] * SIZE**2),
}


def reference_read(content):
    """Rows of the file by one regular expression per line, or the number of the first faulty line."""
    header, *lines = content.removeprefix(b"\xef\xbb\xbf").decode("latin-1").split("\n")
    header_names = re.sub(r'(^|,) *("?)(\w*)\2 *(?=,|\r*$)', r"\1\3", header).rstrip("\r").lower().split(",")
    header_names = ["index" if name in ("", "id", "index") else name for name in header_names]
    used = sorted(name for name in header_names if name != "index")
    while lines and not lines[-1].strip(" \t\r\x0b\x0c"):
        lines.pop()
    if used not in (["emotion", "pixels"], ["emotion", "pixels", "usage"]) or header_names.count("index") > 1:
        return 1
    if not lines:
        return 1
    fields = [f' *(?P<quote_{name}>"?)(?P<{name}>{COLUMN_PATTERNS[name]})(?P=quote_{name}) *' for name in header_names]
    pattern = re.compile(",".join(fields) + "\r*")
    rows = []
    for number, line in enumerate(lines, 2):
        match = pattern.fullmatch(line)
        if not match:
            return number
        row = {"usage": "Training"} | match.groupdict()
        rows.append((NAMES[int(row["emotion"])], row["usage"], list(map(int, row["pixels"].split()))))
    return rows


@st.composite
def valid_files(draw):
    choices = (["emotion", "pixels", "Usage"], ["emotion", "pixels"], ["", "emotion", "pixels"])
    columns = draw(st.one_of(*map(st.permutations, choices)))
    quote, line_end = draw(st.sampled_from(["", '"'])), draw(st.sampled_from(["\n", "\r\n"]))
    lines = [draw(st.sampled_from([",", ", "])).join(columns)]
    for _ in range(draw(st.integers(1, 6))):
        pixels = draw(st.lists(st.integers(0, 255), min_size=SIZE**2, max_size=SIZE**2))
        row = {
            "emotion": str(draw(st.integers(0, 6))),
            "pixels": quote + " ".join(map(str, pixels)) + quote,
            "Usage": draw(st.sampled_from(["Training", "PublicTest", "PrivateTest"])),
            "": str(len(lines)),
        }
        lines.append(",".join(row[column] for column in columns))
    start, end = draw(st.sampled_from(["", "\ufeff"])), draw(st.sampled_from(["", line_end, 2 * line_end]))
    return (start + line_end.join(lines) + end).encode()


@st.composite
def mutated_files(draw):
    content = bytearray(draw(valid_files()))
    for _ in range(draw(st.integers(1, 3))):
        start = draw(st.integers(0, len(content)))
        removed = draw(st.sampled_from([0, 1, 1, 2, 5, 40, len(content)]))
        inserted = draw(st.binary(max_size=3) | st.lists(st.sampled_from(b'0129 ,"\r\n\0-.:/+_T\t\xff')).map(bytes))
        content[start : start + removed] = inserted
    return bytes(content)


@pytest.fixture(scope="module")
def scratch(tmp_path_factory):
    return tmp_path_factory.mktemp("pixel_csv") / "faces.csv"


def check_against_reference(path, content, block_rows):
    write(path, content)
    expected = reference_read(content)
    if isinstance(expected, list):
        assert rows_of(read_pixel_csv(path, SIZE, progress=False, block_rows=block_rows)) == expected
    else:
        with pytest.raises(PixelCsvError, match=re.escape(f"{path}, line {expected}: ")):
            read_pixel_csv(path, SIZE, progress=False, block_rows=block_rows)
    return expected


@settings(max_examples=300)
@given(content=valid_files(), block_rows=st.integers(1, 8))
def test_valid_files_match_reference(scratch, content, block_rows):
    assert isinstance(check_against_reference(scratch, content, block_rows), list)


@settings(max_examples=1500)
@given(content=mutated_files(), block_rows=st.integers(1, 8))
def test_mutated_files_match_reference(scratch, content, block_rows):
    check_against_reference(scratch, content, block_rows)


@settings(max_examples=200)
@given(content=st.binary(max_size=200))
def test_rejects_arbitrary_bytes(scratch, content):
    with pytest.raises(PixelCsvError):
        read_pixel_csv(write(scratch, content), SIZE, progress=False)


@settings(max_examples=300)
@given(content=st.binary(max_size=60))
def test_arbitrary_rows_match_reference(scratch, content):
    check_against_reference(scratch, b"emotion,pixels\n" + content, 2)


@pytest.mark.skipif("FER2013_ARCHIVE" not in os.environ, reason="set FER2013_ARCHIVE to decode the real data")
def test_reads_real_data(tmp_path):
    path = tmp_path / "fer2013.csv"
    unpack_csv(os.environ["FER2013_ARCHIVE"], path, md5=None)
    table = read_pixel_csv(path)
    assert table.images.shape == (35887, 48, 48)
    assert table.images[0, 0, :6].tolist() == [70, 80, 82, 72, 58, 58]
    assert table.images[-1, -1, -4:].tolist() == [146, 189, 199, 201]
    counts = Counter(table.faces["emotion"])
    assert [counts[name] for name in NAMES] == [4953, 547, 5121, 8989, 6077, 4002, 6198]
    assert Counter(table.faces["usage"]) == {"Training": 28709, "PublicTest": 3589, "PrivateTest": 3589}
