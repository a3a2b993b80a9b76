"""Detection of faces and landmarks: positions, order of passes, and the same pixels on every processor."""

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

from facial_expression.data.download import unpack_csv
from facial_expression.data.pixel_csv import read_pixel_csv
from facial_expression.data.synthetic import draw_background, draw_face
from facial_expression.emotions import NAMES
from facial_expression.errors import UserError
from facial_expression.faces.detection import DetectionPass, FaceDetector, landmark_model_path
from helpers.landmarks import CHIN, LEFT_EYE, MOUTH, RIGHT_EYE

PLAIN = DetectionPass(upsampling=1, enlargement=1, border=0)
BLIND = DetectionPass(upsampling=0, enlargement=1, border=0)  # 48 pixels are smaller than the detector's window
BLANK = np.full((48, 48), 128, np.uint8)


@pytest.fixture(scope="module")
def pictures():
    """Four synthetic faces of each emotion."""
    return [draw_face(name, np.random.default_rng([7, number])) for number in range(4) for name in NAMES]


@pytest.fixture(scope="module")
def plain():
    return FaceDetector([PLAIN])


@pytest.fixture(scope="module")
def plain_faces(plain, pictures):
    """The face that the plain pass finds in each picture, or None."""
    return [next(iter(plain.detect(picture)), None) for picture in pictures]


def test_detects_synthetic_faces_with_landmarks_in_their_box(plain_faces):
    found = [face for face in plain_faces if face is not None]
    assert len(found) >= 24
    for face in found:
        left, top, width, height = face.box
        assert width == pytest.approx(height, abs=5)
        assert face.score > 0
        assert face.detector_pass == 1
        assert face.landmarks.shape == (68, 2)
        assert face.landmarks.dtype == np.float32
        center = np.array([left + width / 2, top + height / 2])
        assert np.abs(face.landmarks.mean(axis=0) - center).max() < width / 4


def test_landmarks_have_order_of_300_w(plain_faces):
    points = np.mean([face.landmarks for face in plain_faces if face is not None], axis=0)
    right_eye, left_eye, nose, mouth, chin = (points[part] for part in (RIGHT_EYE, LEFT_EYE, 30, MOUTH, CHIN))
    assert right_eye[:, 0].max() < nose[0] < left_eye[:, 0].min()
    assert max(right_eye[:, 1].max(), left_eye[:, 1].max()) < nose[1] < mouth[:, 1].min()
    assert mouth[:, 1].max() < chin[1]


@pytest.mark.parametrize("picture", [BLANK, draw_background(np.random.default_rng(2))], ids=["blank", "background"])
def test_finds_nothing_in_picture_without_face(picture):
    assert FaceDetector([PLAIN, DetectionPass(1, 3, 4)], landmark_enlargement=4).detect(picture) == []


@pytest.mark.parametrize("settings", [DetectionPass(0, 2, 0), DetectionPass(1, 1, 12), DetectionPass(1, 3, 4)])
def test_every_pass_finds_faces_in_same_place(pictures, plain_faces, settings):
    detector = FaceDetector([settings])
    differences = []
    for picture, face in zip(pictures, plain_faces, strict=True):
        others = detector.detect(picture)
        if face is not None and others:
            differences.append(np.subtract(others[0].box, face.box))
    # Boxes lie on a grid of several pixels, so a few move to a neighboring position.
    assert len(differences) >= 24
    assert np.abs(np.median(differences, axis=0)).max() <= 2


class DetectorWithTwoFaces:
    """Stands in for dlib's detector: two boxes at known positions in the prepared picture."""

    def run(self, picture, upsampling):
        self.shape, self.upsampling = picture.shape, upsampling
        return [dlib.rectangle(36, 24, 95, 83), dlib.rectangle(12, 0, 71, 119)], [0.5, 1.5], [0, 0]


def test_boxes_are_in_picture_pixels_and_best_score_first(monkeypatch):
    stand_in = DetectorWithTwoFaces()
    monkeypatch.setattr(dlib, "get_frontal_face_detector", lambda: stand_in)
    faces = FaceDetector([DetectionPass(upsampling=2, enlargement=3, border=4)]).detect(BLANK)
    assert stand_in.shape == (3 * (48 + 2 * 4),) * 2
    assert stand_in.upsampling == 2
    assert [(face.box, face.score) for face in faces] == [((0, -4, 20, 40), 1.5), ((8, 4, 20, 20), 0.5)]


def test_detects_two_faces_in_one_picture(plain, pictures):
    faces = plain.detect(np.hstack([pictures[3], pictures[6]]))
    assert len(faces) == 2
    assert faces[0].score >= faces[1].score
    centers = sorted(left + width / 2 for left, _, width, _ in (face.box for face in faces))
    assert centers[0] < 48 < centers[1]


def test_tries_passes_in_order_until_one_finds_face(pictures):
    picture = pictures[3]
    assert FaceDetector([BLIND]).detect(picture) == []
    for passes, number in (((PLAIN, DetectionPass(1, 3, 4)), 1), ((BLIND, BLIND, PLAIN), 3)):
        assert FaceDetector(passes).detect(picture)[0].detector_pass == number


def test_enlargement_refines_landmarks_without_moving_them(pictures, plain_faces):
    detector = FaceDetector([PLAIN], landmark_enlargement=4)
    pairs = [
        (face.landmarks, detector.detect(picture)[0].landmarks)
        for picture, face in zip(pictures, plain_faces, strict=True)
        if face is not None
    ]
    coarse, fine = (np.stack(points) for points in zip(*pairs, strict=True))
    np.testing.assert_array_equal(coarse, coarse.round())
    quarters = 4 * (fine + 0.5) - 0.5
    np.testing.assert_array_equal(quarters, quarters.round())
    assert len(np.unique(fine % 1)) == 4
    assert np.abs(fine - coarse).mean() < 0.6
    assert np.abs((fine - coarse).mean(axis=(0, 1))).max() < 0.2


@pytest.mark.parametrize("landmark_enlargement", [1, 4])
def test_memory_layout_does_not_change_landmarks(pictures, landmark_enlargement):
    picture = pictures[3].copy()
    picture.flags.writeable = False
    detector = FaceDetector([PLAIN], landmark_enlargement)
    expected = detector.detect(pictures[3])[0].landmarks
    for other in (picture, np.asfortranarray(picture), np.repeat(picture, 2, axis=1)[:, ::2]):
        np.testing.assert_array_equal(detector.detect(other)[0].landmarks, expected)


def test_missing_landmark_model_error_says_what_to_install(monkeypatch):
    assert landmark_model_path().is_file()
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(UserError, match="pip install face_recognition_models"):
        landmark_model_path()


def test_first_pass_finds_known_share_of_real_faces(tmp_path, plain):
    archive = os.environ.get("FER2013_ARCHIVE")
    if not archive:
        pytest.skip("set FER2013_ARCHIVE to FER2013's archive or CSV to detect faces in real pictures")
    unpack_csv(archive, tmp_path / "fer2013.csv", md5=None)
    images = read_pixel_csv(tmp_path / "fer2013.csv", progress=False).images
    sample = np.random.default_rng(1).choice(len(images), 1000, replace=False)
    found = sum(bool(plain.detect(images[index])) for index in sample)
    # 24,913 of 35,887 in the whole set
    assert found / len(sample) == pytest.approx(0.694, abs=0.03)


ENLARGE = """
import sys
import numpy as np
from facial_expression.faces.detection import _enlarge
picture = np.random.default_rng(0).integers(0, 256, (48, 48), dtype=np.uint8)
sys.stdout.buffer.write(_enlarge(picture, 3).tobytes() + _enlarge(picture, 4).tobytes())
"""


@pytest.mark.skipif(not cv2.ipp.useIPP() or "AVX2" not in cv2.getCPUFeaturesLine(), reason="no IPP with AVX2 here")
def test_enlarges_to_same_bytes_on_every_processor():
    """By default, IPP rounds one gray level in 13,000 differently with AVX-512 than with AVX2."""
    root = Path(__file__).parents[2]
    command = YAML(typ="safe").load(root / "dvc.yaml")["stages"]["align"]["cmd"].split()
    settings = dict(word.split("=") for word in command if "=" in word)
    assert settings == {"OPENCV_IPP": "avx2"}
    words = [sys.executable, "-c", ENLARGE]
    enlarged = subprocess.run(words, cwd=root, env=os.environ | settings, capture_output=True, check=True).stdout
    assert hashlib.md5(enlarged).hexdigest() == "c1252dcfa025b082d8510ecc7a660ef0"
