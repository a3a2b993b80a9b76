"""The recognizer: the pipeline's own crops and answers for its pictures, the same faces in photos of any size."""

import json
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import cv2
import numpy as np
import onnxruntime
import pytest
from pictures import draw, photograph
from served_model import CLASSES, make_card, write_model

from facial_expression.alignment import Aligner
from facial_expression.card import describe_preprocessing
from facial_expression.detection import DetectionPass, FaceDetector
from facial_expression.framing import Framer
from facial_expression.mean_shape import load_mean_shape
from facial_expression.params import load_params
from facial_expression.recognizer import Recognizer

ROOT = Path(__file__).parents[2]
SERVING = ROOT / "models" / "serving"
CROPPERS = {
    "aligned": Aligner("inner_eyes_and_bottom_lip", "black", 48, 0.0, load_mean_shape()),
    "framed": Framer(48, load_mean_shape()),
}


@pytest.fixture(scope="module", params=CROPPERS)
def model_directory(request, tmp_path_factory):
    """The model of these tests, once for each way of cropping."""
    align = load_params(ROOT / "params.yaml").align
    preprocessing = describe_preprocessing(request.param, align, load_mean_shape())
    return write_model(tmp_path_factory.mktemp("served") / "serving", preprocessing=preprocessing)


@pytest.fixture(scope="module")
def recognizer(model_directory):
    return Recognizer.load(model_directory)


@pytest.fixture(scope="module")
def drawings():
    return [draw(emotion, number) for emotion in CLASSES for number in range(4)]


@pytest.fixture(scope="module")
def recognized(recognizer, drawings):
    return [recognizer.recognize(drawing) for drawing in drawings]


def in_drawing(landmarks, side, size):
    """Landmarks of a photo made by ``photograph`` from one face, in pixels of the drawing."""
    corner = (np.array(size[::-1]) - side) // 2
    return (landmarks - corner + 0.5) * 48 / side - 0.5


def test_small_picture_gives_the_crop_and_the_answer_of_the_pipeline(model_directory, drawings, recognized):
    card = json.loads((model_directory / "card.json").read_text())
    preprocessing = card["preprocessing"]
    passes = [DetectionPass(**settings) for settings in preprocessing["passes"]]
    detector = FaceDetector(passes, preprocessing["landmark_enlargement"])
    cropper = CROPPERS[preprocessing["pictures"]]
    session = onnxruntime.InferenceSession(model_directory / "model.onnx", providers=["CPUExecutionProvider"])
    compared = 0
    for drawing, found in zip(drawings, recognized, strict=True):
        faces = detector.detect(drawing)
        assert [face.box for face in found] == [face.box for face in faces]
        for ours, theirs in zip(found, faces, strict=True):
            crop = cropper.crop(drawing, theirs.landmarks)
            np.testing.assert_array_equal(ours.crop, crop)
            np.testing.assert_array_equal(ours.landmarks, theirs.landmarks)
            views = np.stack([crop, crop[:, ::-1]])[..., None].astype(np.float32)
            mean = session.run(None, {"pixels": views})[0].astype(np.float64).mean(axis=0)
            expected = mean ** (1 / card["temperature"])
            expected /= expected.sum()
            assert list(ours.probabilities) == card["classes"]
            np.testing.assert_allclose(list(ours.probabilities.values()), expected, atol=1e-6)
            compared += 1
    assert compared >= 20


def test_face_and_mirror_image_get_one_answer_only_where_the_card_says_so(tmp_path, recognizer, recognized):
    crops = np.stack([found[0].crop for found in recognized if found])
    np.testing.assert_array_equal(recognizer.classify(crops), recognizer.classify(crops[:, :, ::-1]))
    plain = Recognizer.load(write_model(tmp_path, flip=False, preprocessing=recognizer.card["preprocessing"]))
    assert np.abs(plain.classify(crops) - plain.classify(crops[:, :, ::-1])).max() > 0.01


def test_answers_that_differ_from_face_to_face(recognized):
    answers = [tuple(found[0].probabilities.values()) for found in recognized if found]
    assert len(set(answers)) == len(answers)
    np.testing.assert_allclose(np.sum(answers, axis=1), 1, atol=1e-5)
    for found in recognized:
        for face in found:
            assert face.probabilities[face.emotion] == max(face.probabilities.values())


def test_uncertain_below_the_cards_threshold(tmp_path, recognizer, drawings, recognized):
    highest = [max(face.probabilities.values()) for found in recognized for face in found]
    threshold = float(np.median(highest))
    changes = {"uncertain_below": threshold, "preprocessing": recognizer.card["preprocessing"]}
    doubtful = Recognizer.load(write_model(tmp_path, **changes))
    flags = [face.uncertain for drawing in drawings for face in doubtful.recognize(drawing)]
    assert flags == [value < threshold for value in highest]
    assert True in flags
    assert False in flags


@pytest.mark.parametrize(
    ("side", "size"), [(96, (200, 300)), (192, (480, 640)), (700, (1000, 1400)), (1500, (3000, 2400))]
)
def test_photo_of_any_size_gives_the_face_of_the_small_picture(recognizer, drawings, recognized, side, size):
    landmark_differences, crop_differences = [], []
    for drawing, small in list(zip(drawings, recognized, strict=True))[::3]:
        faces = recognizer.recognize(photograph(drawing, side=side, size=size))
        if not (small and faces):
            continue
        marks = in_drawing(faces[0].landmarks, side, size)
        landmark_differences.append(np.abs(marks - small[0].landmarks).mean())
        inside = small[0].crop > 0  # black lies outside the small picture
        crop_differences.append(np.abs(faces[0].crop.astype(int) - small[0].crop)[inside].mean())
        left, top, width, height = faces[0].box
        centre = np.array([left + width / 2, top + height / 2])
        assert np.abs(faces[0].landmarks.mean(axis=0) - centre).max() < width / 4
    assert len(landmark_differences) >= 6
    assert np.median(landmark_differences) < 0.5
    assert np.median(crop_differences) < 8


def test_fine_texture_of_a_large_face_is_averaged_away(recognizer, drawings):
    checks = np.where(np.indices((1000, 1000)).sum(axis=0) % 2, 16, -16)
    differences = []
    for drawing in drawings[::4]:
        smooth = photograph(drawing, side=900, size=checks.shape).clip(16, 239)
        one, other = (recognizer.recognize((smooth + texture).astype(np.uint8)) for texture in (0, checks))
        if one and other:
            differences.append(np.abs(one[0].crop.astype(int) - other[0].crop).mean())
    assert len(differences) >= 4
    assert np.median(differences) < 5  # single pixels would differ by 16


def test_colour_photo_is_recognized_by_its_gray_levels(recognizer):
    gray = photograph(draw())
    colour = np.stack([gray, 40 + gray // 2, 255 - gray // 4], axis=2)
    (one,), (other,) = recognizer.recognize(cv2.cvtColor(colour, cv2.COLOR_RGB2GRAY)), recognizer.recognize(colour)
    np.testing.assert_array_equal(one.crop, other.crop)
    assert one.probabilities == other.probabilities


def test_best_scores_first_and_no_more_than_asked_for(recognizer):
    photo = photograph(draw("happy", 0), draw("surprise", 2), draw("sad", 3), side=200, size=(300, 700))
    faces = recognizer.recognize(photo)
    assert len(faces) == 3
    scores = [face.score for face in faces]
    assert scores == sorted(scores, reverse=True)
    assert [face.score for face in recognizer.recognize(photo, most_faces=2)] == scores[:2]
    small = cv2.resize(photo, (64, 27))
    assert len(recognizer.recognize(small, most_faces=1)) <= 1


@pytest.mark.parametrize("shape", [(1, 1), (2, 65), (65, 2), (1, 5000), (5000, 1), (64, 64), (300, 300), (40, 40, 3)])
def test_pictures_without_a_face_of_every_shape(recognizer, shape):
    assert recognizer.recognize(np.full(shape, 90, np.uint8)) == []


@pytest.mark.parametrize(
    "image",
    [np.zeros((0, 5), np.uint8), np.zeros((5, 5)), np.zeros((5, 5, 4), np.uint8), np.zeros(5, np.uint8)],
    ids=["empty", "float", "four channels", "one axis"],
)
def test_what_is_no_image_is_refused(recognizer, image):
    with pytest.raises(ValueError, match="uint8 of shape"):
        recognizer.recognize(image)


def test_threads_share_a_recognizer(recognizer, drawings, recognized):
    photos = [photograph(drawing, side=120, size=(200, 200)) for drawing in drawings]
    expected = [recognizer.recognize(photo) for photo in photos]
    with ThreadPoolExecutor(4) as threads:
        for _ in range(3):
            for found, alone in zip(threads.map(recognizer.recognize, photos), expected, strict=True):
                assert [face.probabilities for face in found] == [face.probabilities for face in alone]
            for found, alone in zip(threads.map(recognizer.recognize, drawings), recognized, strict=True):
                assert [face.box for face in found] == [face.box for face in alone]


def test_missing_files_say_how_to_get_them(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"card\.json is missing: run `dvc pull .*nowhere`"):
        Recognizer.load(tmp_path / "nowhere")
    (write_model(tmp_path) / "model.onnx").unlink()
    with pytest.raises(FileNotFoundError, match=r"model\.onnx is missing: run `dvc pull"):
        Recognizer.load(tmp_path)


def test_another_model_than_the_cards_is_refused(tmp_path):
    with open(write_model(tmp_path) / "model.onnx", "ab") as file:
        file.write(b"x")
    with pytest.raises(ValueError, match="sha256"):
        Recognizer.load(tmp_path)


def test_another_template_than_the_packaged_one_is_refused(tmp_path):
    preprocessing = make_card(write_model(tmp_path) / "model.onnx")["preprocessing"]
    preprocessing["template"][1][0] += 0.001
    write_model(tmp_path, preprocessing=preprocessing)
    with pytest.raises(ValueError, match="template"):
        Recognizer.load(tmp_path)


@pytest.mark.parametrize(
    ("pictures", "complaint"), [("framed", "template is not that"), ("raw", "must be 'aligned' or 'framed', not 'raw'")]
)
def test_a_card_of_another_way_of_cropping_is_refused(tmp_path, pictures, complaint):
    preprocessing = make_card(write_model(tmp_path) / "model.onnx")["preprocessing"]
    write_model(tmp_path, preprocessing=preprocessing | {"pictures": pictures})
    with pytest.raises(ValueError, match=complaint):
        Recognizer.load(tmp_path)


def test_a_card_of_an_older_version_is_refused(tmp_path):
    preprocessing = make_card(write_model(tmp_path) / "model.onnx")["preprocessing"]
    del preprocessing["pictures"]
    write_model(tmp_path, preprocessing=preprocessing)
    with pytest.raises(ValueError, match="no proper 'pictures': run `dvc pull "):
        Recognizer.load(tmp_path)


@pytest.mark.parametrize("content", ["", "{", "[]", "{}", '{"model": {"file": "model.onnx"}}', '{"model": 1}'])
def test_a_damaged_card_is_named(tmp_path, content):
    (write_model(tmp_path) / "card.json").write_text(content)
    with pytest.raises(ValueError, match=r"card\.json"):
        Recognizer.load(tmp_path)


@pytest.mark.parametrize("key", ["classes", "flip", "temperature", "uncertain_below", "preprocessing"])
def test_a_missing_entry_of_the_card_is_named(tmp_path, key):
    path = write_model(tmp_path) / "card.json"
    card = json.loads(path.read_text())
    del card[key]
    path.write_text(json.dumps(card))
    with pytest.raises(ValueError, match=key):
        Recognizer.load(tmp_path)


def test_import_needs_nothing_but_the_libraries_of_serving():
    code = """
import sys
FORBIDDEN = {"tensorflow", "keras", "pandas", "sklearn", "scipy", "joblib", "matplotlib", "pydantic", "dvc", "tqdm"}
class Refuse:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in FORBIDDEN:
            raise ImportError(f"{name} is not installed where this is served")
sys.meta_path.insert(0, Refuse())
import facial_expression.recognizer
"""
    result = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert result.returncode == 0, result.stderr


def test_the_real_model_tells_drawn_faces_apart():
    if not (SERVING / "card.json").exists():
        pytest.skip("models/serving is absent: dvc pull models/serving")
    recognizer = Recognizer.load(SERVING)
    photo = photograph(*(draw("happy", number) for number in (0, 2, 4)), side=200, size=(300, 700))
    faces = recognizer.recognize(photo)
    assert len(faces) == 3
    assert all(list(face.probabilities) == recognizer.card["classes"] for face in faces)
    assert sum(face.emotion == "happy" for face in faces) >= 2
