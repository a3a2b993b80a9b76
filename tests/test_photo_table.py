"""Faces cut out of pictures of any size, and pictures that have none or cannot be read."""

from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from facial_expression.data.folder import list_pictures
from facial_expression.data.labels import LabelError, Labels
from facial_expression.errors import UserError
from facial_expression.faces.detection import DetectionPass, FaceDetector
from facial_expression.photo_table import CutFaces, cut_faces
from helpers.own_faces import CLASSES, write_photos
from helpers.photos import draw, photograph

PASSES = (DetectionPass(1, 1, 0), DetectionPass(1, 3, 4))


def save(folder: Path, name: str, image: np.ndarray, **options) -> None:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(image).save(path, **options)


def cut(folder: Path, passes=PASSES, size=48, labels=None, **options) -> CutFaces:
    labels = labels or Labels(CLASSES)
    return cut_faces(list_pictures(folder), folder, labels, passes, size, workers=1, progress=False, **options)


def test_cuts_faces_as_they_lie_in_fer2013(tmp_path):
    write_photos(tmp_path, 4)
    table, faceless = cut(tmp_path)
    assert table.images.shape == (12 - len(faceless), 48, 48)
    assert len(faceless) <= 2
    assert table.all_classes == CLASSES
    detector = FaceDetector(PASSES)
    boxes = [face.box for image in table.images for face in detector.detect(image)[:1]]
    assert len(boxes) > len(table) / 2
    left, top, width, _ = np.mean(boxes, axis=0)
    assert width == pytest.approx(43, abs=3)
    assert (left + width / 2, top + width / 2) == pytest.approx((23, 26.5), abs=2.5)


def test_takes_the_largest_face(tmp_path):
    photo = np.full((300, 500), 90, np.uint8)
    for side, number, darkness, (top, left) in ((110, 0, 3, (170, 20)), (220, 1, 1, (40, 220))):
        face = cv2.resize(draw("neutral", number), (side, side), interpolation=cv2.INTER_CUBIC)
        photo[top : top + side, left : left + side] = face // darkness
    save(tmp_path, "calm/two.png", photo)
    save(tmp_path, "calm/small.png", photo[:, :200])
    save(tmp_path, "calm/large.png", photo[:, 200:])
    large, small, two = (image.mean() for image in cut(tmp_path).table.images)
    assert two == pytest.approx(large, abs=3)
    assert small < 0.6 * large


def test_small_pictures_are_faces_already(tmp_path):
    face = draw()
    save(tmp_path, "calm/face.png", face)
    save(tmp_path, "calm/nothing.png", np.full((48, 48), 9, np.uint8))
    table, faceless = cut(tmp_path)
    np.testing.assert_array_equal(table.images[0], face)
    assert (len(table), faceless) == (2, [])


@pytest.mark.parametrize("missing", ["drop", "whole"])
def test_pictures_without_a_face_are_dropped_or_kept_whole(tmp_path, missing):
    save(tmp_path, "calm/1.png", photograph(draw("neutral", 0)))
    save(tmp_path, "calm/2.png", np.tile(np.linspace(0, 255, 200).astype(np.uint8), (100, 1)))
    table, faceless = cut(tmp_path, missing=missing)
    assert faceless == ["calm/2.png"]
    assert table.faces["file"].tolist() == ["calm/1.png", "calm/2.png"][: 1 + (missing == "whole")]
    if missing == "whole":  # its middle
        assert table.images[1][0, [0, -1]].tolist() == pytest.approx([64, 191], abs=3)


def test_takes_pictures_as_they_are_where_told_so(tmp_path):
    image = np.zeros((90, 120), np.uint8)
    image[:, 15:105] = 200
    save(tmp_path, "calm/1.png", image)
    table, faceless = cut(tmp_path, passes=None, size=64)
    assert table.images.shape == (1, 64, 64)
    assert (table.images == 200).all()
    assert faceless == []


def test_reads_colors_orientation_and_palettes(tmp_path):
    upright = np.zeros((48, 48, 3), np.uint8)
    upright[:24] = (255, 0, 0)
    turned, orientation = Image.fromarray(np.rot90(upright)), Image.Exif()
    orientation[0x0112] = 6  # shown after a quarter turn clockwise
    (tmp_path / "calm").mkdir()
    turned.save(tmp_path / "calm/1.png", exif=orientation)
    Image.fromarray(upright).quantize().save(tmp_path / "calm/2.png")
    first, second = cut(tmp_path).table.images
    assert (first[:24] == 76).all()
    assert (first[24:] == 0).all()
    np.testing.assert_allclose(second, first, atol=2)


def test_result_depends_on_nothing_else(tmp_path):
    write_photos(tmp_path, 7)
    (one, missed), pictures = cut(tmp_path), list_pictures(tmp_path)
    other, also_missed = cut_faces(pictures, tmp_path, Labels(CLASSES), PASSES, 48, workers=2, progress=False)
    np.testing.assert_array_equal(one.images, other.images)
    assert one.faces.equals(other.faces)
    assert missed == also_missed


def test_lists_every_file_that_cannot_be_read(tmp_path):
    save(tmp_path, "calm/1.jpg", photograph(draw()))
    whole = (tmp_path / "calm/1.jpg").read_bytes()
    for name, content in {"2.jpg": whole[: len(whole) // 8], "3.png": b"no picture", "4.jpg": b""}.items():
        (tmp_path / "calm" / name).write_bytes(content)
    with pytest.raises(UserError) as raised:
        cut(tmp_path)
    first, *lines = str(raised.value).split("\n")
    assert first == "3 files cannot be read; repair, replace or remove:"
    assert [line.split(":")[0].strip() for line in lines] == ["calm/2.jpg", "calm/3.png", "calm/4.jpg"]


def test_notices_a_file_that_changed_since_it_was_listed(tmp_path):
    save(tmp_path, "calm/1.png", draw())
    pictures = list_pictures(tmp_path)
    save(tmp_path, "calm/1.png", draw("sad"))
    with pytest.raises(UserError, match=r"calm/1\.png: it changed since the stage download: run `python -m stages"):
        cut_faces(pictures, tmp_path, Labels(CLASSES), None, 48, workers=1, progress=False)


def test_unknown_label_names_a_file(tmp_path):
    save(tmp_path, "calm/1.png", draw())
    save(tmp_path, "angyr/2.png", draw())
    with pytest.raises(
        LabelError, match=r"^angyr/2\.png: unknown label 'angyr', expected calm, delighted, surprise or"
    ):
        cut(tmp_path)


def test_leaves_out_labels_without_a_class(tmp_path):
    for name in ("calm", "other"):
        save(tmp_path, f"{name}/1.png", draw())
    table, _ = cut(tmp_path, labels=Labels(CLASSES, meanings={"other": None}))
    assert table.faces[["row", "emotion"]].to_numpy().tolist() == [[0, "calm"]]


def test_no_face_at_all_says_what_to_set(tmp_path):
    save(tmp_path, "calm/1.png", np.full((100, 100), 9, np.uint8))
    with pytest.raises(UserError, match=r"no face was found in any picture: set decode\.faces to whole"):
        cut(tmp_path)
