"""Faces and landmarks: found where they are, whatever the pass, and numbered by the pass that found them."""

import hashlib
import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import cv2
import dlib
import numpy as np
import pytest
from ruamel.yaml import YAML

from facial_expression.acquisition import unpack_csv
from facial_expression.detection import DetectionPass, FaceDetector, landmark_model_path
from facial_expression.emotions import NAMES
from facial_expression.pixelcsv import read_pixel_csv
from facial_expression.synthetic import draw_background, draw_face

PLAIN = DetectionPass(upsampling=1, enlargement=1, border=0)
BLIND = DetectionPass(upsampling=0, enlargement=1, border=0)  # 48 pixels are less than the detector's window
BLANK = np.full((48, 48), 128, np.uint8)


@pytest.fixture(scope="module")
def pictures():
    """Four drawn faces of each emotion."""
    return [draw_face(name, np.random.default_rng([7, number])) for number in range(4) for name in NAMES]


@pytest.fixture(scope="module")
def plain():
    return FaceDetector([PLAIN])


@pytest.fixture(scope="module")
def plain_faces(plain, pictures):
    """What the plain pass finds in the pictures, None where it finds nothing."""
    return [next(iter(plain.detect(picture)), None) for picture in pictures]


def test_drawn_faces_are_found_and_have_landmarks_inside_their_box(plain_faces):
    found = [face for face in plain_faces if face is not None]
    assert len(found) >= 24
    for face in found:
        left, top, width, height = face.box
        assert width == pytest.approx(height, abs=5)
        assert face.score > 0
        assert face.detector_pass == 1
        assert face.landmarks.shape == (68, 2)
        assert face.landmarks.dtype == np.float32
        centre = np.array([left + width / 2, top + height / 2])
        assert np.abs(face.landmarks.mean(axis=0) - centre).max() < width / 4


def test_landmarks_come_in_the_order_of_300_w(plain_faces):
    marks = np.mean([face.landmarks for face in plain_faces if face is not None], axis=0)
    right_eye, left_eye, nose, mouth, chin = marks[36:42], marks[42:48], marks[30], marks[48:60], marks[8]
    assert right_eye[:, 0].max() < nose[0] < left_eye[:, 0].min()
    assert max(right_eye[:, 1].max(), left_eye[:, 1].max()) < nose[1] < mouth[:, 1].min()
    assert mouth[:, 1].max() < chin[1]


@pytest.mark.parametrize("picture", [BLANK, draw_background(np.random.default_rng(2))], ids=["blank", "background"])
def test_a_picture_without_a_face_gives_nothing(picture):
    assert FaceDetector([PLAIN, DetectionPass(1, 3, 4)], landmark_enlargement=4).detect(picture) == []


@pytest.mark.parametrize("settings", [DetectionPass(0, 2, 0), DetectionPass(1, 1, 12), DetectionPass(1, 3, 4)])
def test_every_pass_finds_faces_at_the_same_place(pictures, plain_faces, settings):
    detector = FaceDetector([settings])
    differences = []
    for picture, face in zip(pictures, plain_faces, strict=True):
        others = detector.detect(picture)
        if face is not None and others:
            differences.append(np.subtract(others[0].box, face.box))
    # Boxes lie on a grid of several pixels, so that one or another jumps to a neighbouring place; most do not.
    assert len(differences) >= 24
    assert np.abs(np.median(differences, axis=0)).max() <= 2


class DetectorWithTwoFaces:
    """Stands in for dlib's detector: two boxes at known places of the prepared picture."""

    def run(self, picture, upsampling):
        self.shape, self.upsampling = picture.shape, upsampling
        return [dlib.rectangle(36, 24, 95, 83), dlib.rectangle(12, 0, 71, 119)], [0.5, 1.5], [0, 0]


def test_boxes_are_in_pixels_of_the_picture_and_the_best_comes_first(monkeypatch):
    stand_in = DetectorWithTwoFaces()
    monkeypatch.setattr(dlib, "get_frontal_face_detector", lambda: stand_in)
    faces = FaceDetector([DetectionPass(upsampling=2, enlargement=3, border=4)]).detect(BLANK)
    assert stand_in.shape == (3 * (48 + 2 * 4),) * 2
    assert stand_in.upsampling == 2
    assert [(face.box, face.score) for face in faces] == [((0, -4, 20, 40), 1.5), ((8, 4, 20, 20), 0.5)]


def test_two_faces_in_one_picture(plain, pictures):
    faces = plain.detect(np.hstack([pictures[3], pictures[6]]))
    assert len(faces) == 2
    assert faces[0].score >= faces[1].score
    centres = sorted(left + width / 2 for left, _, width, _ in (face.box for face in faces))
    assert centres[0] < 48 < centres[1]


def test_passes_are_tried_in_order_until_one_finds_a_face(pictures):
    picture = pictures[3]
    assert FaceDetector([BLIND]).detect(picture) == []
    for passes, number in (((PLAIN, DetectionPass(1, 3, 4)), 1), ((BLIND, BLIND, PLAIN), 3)):
        assert FaceDetector(passes).detect(picture)[0].detector_pass == number


def test_landmark_enlargement_refines_the_landmarks_without_moving_them(pictures, plain_faces):
    fine = FaceDetector([PLAIN], landmark_enlargement=4)
    pairs = [
        (face.landmarks, fine.detect(picture)[0].landmarks)
        for picture, face in zip(pictures, plain_faces, strict=True)
        if face is not None
    ]
    coarse_marks, fine_marks = (np.stack(marks) for marks in zip(*pairs, strict=True))
    np.testing.assert_array_equal(coarse_marks, coarse_marks.round())
    quarters = 4 * (fine_marks + 0.5) - 0.5
    np.testing.assert_array_equal(quarters, quarters.round())
    assert len(np.unique(fine_marks % 1)) == 4
    assert np.abs(fine_marks - coarse_marks).mean() < 0.6
    assert np.abs((fine_marks - coarse_marks).mean(axis=(0, 1))).max() < 0.2


@pytest.mark.parametrize("landmark_enlargement", [1, 4])
def test_any_memory_layout_gives_the_same_face(pictures, landmark_enlargement):
    picture = pictures[3].copy()
    picture.flags.writeable = False
    detector = FaceDetector([PLAIN], landmark_enlargement)
    expected = detector.detect(pictures[3])[0].landmarks
    for other in (picture, np.asfortranarray(picture), np.repeat(picture, 2, axis=1)[:, ::2]):
        np.testing.assert_array_equal(detector.detect(other)[0].landmarks, expected)


def test_a_missing_landmark_model_says_what_to_install(monkeypatch):
    assert landmark_model_path().is_file()
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(FileNotFoundError, match="pip install face_recognition_models"):
        landmark_model_path()


def test_share_of_real_faces_that_the_first_pass_finds(tmp_path, plain):
    archive = os.environ.get("FER2013_ARCHIVE")
    if not archive:
        pytest.skip("set FER2013_ARCHIVE to FER2013's archive or CSV to look for faces in real pictures")
    unpack_csv(archive, tmp_path / "fer2013.csv", md5=None)
    images = read_pixel_csv(tmp_path / "fer2013.csv", progress=False).images
    sample = np.random.default_rng(1).choice(len(images), 1000, replace=False)
    found = sum(bool(plain.detect(images[index])) for index in sample)
    # 24,913 of 35,887 in the whole set
    assert found / len(sample) == pytest.approx(0.694, abs=0.03)


ENLARGE = """
import sys
import numpy as np
from facial_expression.detection import _enlarge
picture = np.random.default_rng(0).integers(0, 256, (48, 48), dtype=np.uint8)
sys.stdout.buffer.write(_enlarge(picture, 3).tobytes() + _enlarge(picture, 4).tobytes())
"""


@pytest.mark.skipif(not cv2.ipp.useIPP() or "AVX2" not in cv2.getCPUFeaturesLine(), reason="no IPP with AVX2 here")
def test_the_chain_enlarges_to_the_same_bytes_on_every_processor():
    """Left to itself, IPP rounds one gray level in 13,000 differently with AVX-512 than with AVX2."""
    root = Path(__file__).parents[1]
    command = YAML(typ="safe").load(root / "dvc.yaml")["stages"]["align"]["cmd"].split()
    settings = dict(word.split("=") for word in command if "=" in word)
    assert settings == {"OPENCV_IPP": "avx2"}
    words = [sys.executable, "-c", ENLARGE]
    enlarged = subprocess.run(words, cwd=root, env=os.environ | settings, capture_output=True, check=True).stdout
    assert hashlib.md5(enlarged).hexdigest() == "c1252dcfa025b082d8510ecc7a660ef0"
