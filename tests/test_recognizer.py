"""The recognizer: the pipeline's crops and predictions for small images, and the same faces in photos of any size."""

import csv
import io
import itertools
import json
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import cv2
import numpy as np
import onnxruntime
import pytest
from PIL import Image

from facial_expression.data.download import unpack_csv
from facial_expression.data.pixel_csv import read_pixel_csv
from facial_expression.errors import UserError
from facial_expression.export.card import describe_preprocessing
from facial_expression.faces.crops import Aligner, Centerer, average_landmarks
from facial_expression.faces.detection import DetectionPass, FaceDetector
from facial_expression.faces.mean_shape import load_mean_shape
from facial_expression.params import load_params
from facial_expression.photo_faces import overlap, turn_box_back, turn_points_back
from facial_expression.recognizer import Recognizer
from helpers.photos import draw, encode, photograph
from helpers.served_model import CLASSES, make_card, write_model

ROOT = Path(__file__).parents[1]
SERVING = ROOT / "models" / "serving"
CROPPERS = {
    "aligned": Aligner("inner_eyes_and_bottom_lip", "black", 48, 0.0, load_mean_shape()),
    "centered": Centerer(48, load_mean_shape()),
}


@pytest.fixture(scope="module", params=CROPPERS)
def model_directory(request, tmp_path_factory):
    """The tiny model, with each kind of crop."""
    align = load_params(ROOT / "params.yaml").align
    preprocessing = describe_preprocessing(request.param, align, load_mean_shape())
    return write_model(tmp_path_factory.mktemp("served") / "serving", preprocessing=preprocessing)


@pytest.fixture(scope="module")
def recognizer(model_directory):
    return Recognizer.load(model_directory)


@pytest.fixture(scope="module")
def images():
    return [draw(emotion, number) for emotion in CLASSES for number in range(4)]


@pytest.fixture(scope="module")
def recognized(recognizer, images):
    return [recognizer.recognize(image) for image in images]


def to_small_image(landmarks, side, size):
    """Convert landmarks in a photo that ``photograph`` made of one face to pixels of the small image."""
    corner = (np.array(size[::-1]) - side) // 2
    return (landmarks - corner + 0.5) * 48 / side - 0.5


def test_small_image_gives_crop_and_prediction_of_pipeline(model_directory, images, recognized):
    card = json.loads((model_directory / "card.json").read_text())
    preprocessing = card["preprocessing"]
    passes = [DetectionPass(**settings) for settings in preprocessing["passes"]]
    detector = FaceDetector(passes, preprocessing["landmark_enlargement"])
    cropper = CROPPERS[preprocessing["crop"]]
    session = onnxruntime.InferenceSession(model_directory / "model.onnx", providers=["CPUExecutionProvider"])
    compared = 0
    for image, found in zip(images, recognized, strict=True):
        faces = detector.detect(image)
        assert [face.box for face in found] == [face.box for face in faces]
        for ours, theirs in zip(found, faces, strict=True):
            crop = cropper.crop(image, theirs.landmarks)
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


def test_averages_the_views_that_the_card_names(tmp_path, recognizer, recognized):
    crops = np.stack([found[0].crop for found in recognized if found])
    np.testing.assert_array_equal(recognizer.classify(crops), recognizer.classify(crops[:, :, ::-1]))
    plain = Recognizer.load(write_model(tmp_path, views={}, preprocessing=recognizer.card["preprocessing"]))
    assert np.abs(plain.classify(crops) - plain.classify(crops[:, :, ::-1])).max() > 0.01


def test_predictions_differ_between_faces(recognized):
    predictions = [tuple(found[0].probabilities.values()) for found in recognized if found]
    assert len(set(predictions)) == len(predictions)
    np.testing.assert_allclose(np.sum(predictions, axis=1), 1, atol=1e-5)
    for found in recognized:
        for face in found:
            assert face.probabilities[face.emotion] == max(face.probabilities.values())


def test_marks_faces_below_confidence_threshold(tmp_path, recognizer, images, recognized):
    highest = [max(face.probabilities.values()) for found in recognized for face in found]
    threshold = float(np.median(highest))
    changes = {"confidence_threshold": threshold, "preprocessing": recognizer.card["preprocessing"]}
    cautious = Recognizer.load(write_model(tmp_path, **changes))
    flags = [face.uncertain for image in images for face in cautious.recognize(image)]
    assert flags == [value < threshold for value in highest]
    assert True in flags
    assert False in flags


@pytest.mark.parametrize(
    ("side", "size"), [(96, (200, 300)), (192, (480, 640)), (700, (1000, 1400)), (1500, (3000, 2400))]
)
def test_photo_of_any_size_gives_face_of_small_image(recognizer, images, recognized, side, size):
    landmark_differences, crop_differences = [], []
    for image, small in list(zip(images, recognized, strict=True))[::3]:
        faces = recognizer.recognize(photograph(image, side=side, size=size))
        if not (small and faces):
            continue
        marks = to_small_image(faces[0].landmarks, side, size)
        landmark_differences.append(np.abs(marks - small[0].landmarks).mean())
        inside = small[0].crop > 0  # outside the small image, the crop is black
        crop_differences.append(np.abs(faces[0].crop.astype(int) - small[0].crop)[inside].mean())
        left, top, width, height = faces[0].box
        center = np.array([left + width / 2, top + height / 2])
        assert np.abs(faces[0].landmarks.mean(axis=0) - center).max() < width / 4
    assert len(landmark_differences) >= 6
    assert np.median(landmark_differences) < 0.5
    assert np.median(crop_differences) < 8


def test_averages_fine_texture_of_large_face(recognizer, images):
    checks = np.where(np.indices((1000, 1000)).sum(axis=0) % 2, 16, -16)
    differences = []
    for image in images[::4]:
        smooth = photograph(image, side=900, size=checks.shape).clip(16, 239)
        one, other = (recognizer.recognize((smooth + texture).astype(np.uint8)) for texture in (0, checks))
        if one and other:
            differences.append(np.abs(one[0].crop.astype(int) - other[0].crop).mean())
    assert len(differences) >= 4
    assert np.median(differences) < 5  # sampling single pixels would make it 16


def test_converts_color_photo_to_gray(recognizer):
    gray = photograph(draw())
    color = np.stack([gray, 40 + gray // 2, 255 - gray // 4], axis=2)
    (one,), (other,) = recognizer.recognize(cv2.cvtColor(color, cv2.COLOR_RGB2GRAY)), recognizer.recognize(color)
    np.testing.assert_array_equal(one.crop, other.crop)
    assert one.probabilities == other.probabilities


def test_returns_best_scores_first_up_to_limit(recognizer):
    photo = photograph(draw("happy", 0), draw("surprise", 2), draw("sad", 3), side=200, size=(300, 700))
    faces = recognizer.recognize(photo)
    assert len(faces) == 3
    scores = [face.score for face in faces]
    assert scores == sorted(scores, reverse=True)
    assert [face.score for face in recognizer.recognize(photo, max_faces=2)] == scores[:2]
    small = cv2.resize(photo, (64, 27))
    assert len(recognizer.recognize(small, max_faces=1)) <= 1


@pytest.mark.parametrize("side", [65, 100, 224])
def test_face_cut_by_edges_is_found_at_any_size(recognizer, images, side):
    """Detection as in training also serves pictures beyond the size of FER2013's."""
    cut = [image[8:40, 8:40] for image in images[::2]]
    small = sum(bool(recognizer.recognize(cv2.resize(image, (48, 48)))) for image in cut)
    enlarged = [cv2.resize(image, (side, side), interpolation=cv2.INTER_CUBIC) for image in cut]
    assert small >= 8
    assert sum(bool(recognizer.recognize(image)) for image in enlarged) >= small - 1


@pytest.mark.parametrize("turn", [90, 180, 270])
def test_turned_photo_gives_faces_of_upright_one(recognizer, turn):
    photo = photograph(draw("happy", 2), draw("sad", 3), side=160, size=(300, 500))
    upright, turned = recognizer.recognize(photo), recognizer.recognize(np.rot90(photo, turn // 90))
    size = photo.shape[::-1] if turn == 180 else photo.shape  # width and height of the turned photo
    assert len(upright) == len(turned) == 2
    for one, other in zip(upright, turned, strict=True):
        assert (one.turn, other.turn) == (0, turn)
        np.testing.assert_array_equal(one.crop, other.crop)
        assert one.probabilities == other.probabilities
        assert other.box == turn_box_back(one.box, turn, size)
        np.testing.assert_allclose(other.landmarks, turn_points_back(one.landmarks + 0.5, turn, size) - 0.5, atol=1e-3)


@pytest.mark.parametrize("shape", [(48, 48), (1, 1), (64, 40), (300, 200), (1, 5000), (90, 90, 3)])
def test_whole_picture_is_always_one_face(recognizer, shape):
    image = np.random.default_rng(1).integers(0, 256, shape, dtype=np.uint8)
    (face,) = recognizer.recognize(image, whole_picture=True)
    assert face.box == (0, 0, shape[1], shape[0])
    assert (face.score, face.turn) == (0, 0)
    assert face.landmarks.shape == (68, 2)
    assert sum(face.probabilities.values()) == pytest.approx(1)


def test_whole_picture_is_cropped_as_undetected_in_training(recognizer, images):
    for image in images[:4]:
        (face,) = recognizer.recognize(image, whole_picture=True)
        cropper = CROPPERS[recognizer.card["preprocessing"]["crop"]]
        np.testing.assert_array_equal(face.crop, cropper.crop(image, average_landmarks(image, cropper.mean_shape)))
        large = cv2.resize(image, (480, 480), interpolation=cv2.INTER_CUBIC)
        (same,) = recognizer.recognize(large, whole_picture=True)
        assert np.abs(same.crop.astype(int) - face.crop).mean() < 4
        assert np.abs((same.landmarks + 0.5) / 10 - 0.5 - face.landmarks).mean() < 0.5


def test_many_images_give_what_each_gives_alone(recognizer, images):
    photo = photograph(*(draw("happy", number) for number in (0, 2, 4)), side=200, size=(300, 700))
    mixed = [*images, np.zeros((90, 90), np.uint8), photo, np.stack([photo] * 3, axis=2)]
    together = recognizer.recognize_many(iter(mixed))
    assert len(together[-2]) == 3
    for image, faces in zip(mixed, together, strict=True):
        assert_same_faces(faces, recognizer.recognize(image))
    assert recognizer.recognize_many([]) == []


def test_many_images_take_the_options_of_one(recognizer, images):
    photo = photograph(draw("happy", 0), draw("surprise", 2), side=200, size=(300, 700))
    for options in ({"max_faces": 1}, {"whole_picture": True}, {"min_score": 1.5}):
        together = recognizer.recognize_many([images[0], photo], **options)
        for faces, image in zip(together, [images[0], photo], strict=True):
            assert_same_faces(faces, recognizer.recognize(image, **options))


def test_many_faces_go_through_the_network_in_bounded_batches(recognizer, images, monkeypatch):
    sizes = []
    classify = recognizer.classify
    monkeypatch.setattr(recognizer, "classify", lambda crops: (sizes.append(len(crops)), classify(crops))[1])
    recognizer.recognize_many(images * 2, whole_picture=True)
    assert sizes == [32, 16]


def assert_same_faces(faces, others):
    assert [face.box for face in faces] == [face.box for face in others]
    for face, other in zip(faces, others, strict=True):
        np.testing.assert_array_equal(face.crop, other.crop)
        np.testing.assert_allclose(list(face.probabilities.values()), list(other.probabilities.values()), atol=1e-6)


def test_min_score_leaves_out_weaker_faces(recognizer, images, recognized):
    photo = photograph(draw("happy", 0), draw("surprise", 2), draw("sad", 3), side=200, size=(300, 700))
    scores = [face.score for face in recognizer.recognize(photo)]
    assert [face.score for face in recognizer.recognize(photo, min_score=scores[1])] == scores[:2]
    for image, found in list(zip(images, recognized, strict=True))[:4]:
        assert len(found) == 1
        assert recognizer.recognize(image, min_score=found[0].score) != []
        assert recognizer.recognize(image, min_score=found[0].score + 0.01) == []


@pytest.mark.parametrize("shape", [(1, 1), (2, 65), (65, 2), (1, 5000), (5000, 1), (64, 64), (300, 300), (40, 40, 3)])
def test_finds_nothing_in_image_without_face(recognizer, shape):
    assert recognizer.recognize(np.full(shape, 90, np.uint8)) == []


@pytest.mark.parametrize(
    "image",
    [np.zeros((0, 5), np.uint8), np.zeros((5, 5)), np.zeros((5, 5, 4), np.uint8), np.zeros(5, np.uint8)],
    ids=["empty", "float", "four channels", "one axis"],
)
def test_rejects_invalid_image(recognizer, image):
    with pytest.raises(UserError, match="uint8 of shape"):
        recognizer.recognize(image)


@pytest.mark.parametrize("image", [[[1, 2], [3, 4]], Image.new("L", (5, 5))])
def test_rejects_what_is_no_array(recognizer, image):
    with pytest.raises(UserError, match="must be a NumPy array, not "):
        recognizer.recognize(image)


def test_rejects_a_negative_number_of_faces(recognizer, images):
    assert recognizer.recognize(images[0], max_faces=0) == []
    with pytest.raises(UserError, match="max_faces must be 0 or more, not -1"):
        recognizer.recognize(images[0], max_faces=-1)


@pytest.mark.parametrize(
    "crops",
    [
        np.zeros((2, 48, 48), np.float32),
        np.zeros((2, 48, 40), np.uint8),
        np.zeros((48, 48), np.uint8),
        np.zeros((0, 48, 48), np.uint8),
    ],
)
def test_rejects_invalid_crops(recognizer, crops):
    """OpenCV would leave the views of other types and shapes empty."""
    with pytest.raises(UserError, match=r"crops must be uint8 of shape \(N, 48, 48\) and not empty; these are"):
        recognizer.classify(crops)


def test_recognitions_can_be_compared(recognizer, images):
    one, other = (recognizer.recognize(images[0])[0] for _ in range(2))
    assert one == one
    assert one != other
    assert len({one, other}) == 2


def test_threads_share_recognizer(recognizer, images, recognized):
    photos = [photograph(image, side=120, size=(200, 200)) for image in images]
    expected = [recognizer.recognize(photo) for photo in photos]
    with ThreadPoolExecutor(4) as threads:
        for _ in range(3):
            for found, alone in zip(threads.map(recognizer.recognize, photos), expected, strict=True):
                assert [face.probabilities for face in found] == [face.probabilities for face in alone]
            for found, alone in zip(threads.map(recognizer.recognize, images), recognized, strict=True):
                assert [face.box for face in found] == [face.box for face in alone]


def test_missing_file_error_names_command(tmp_path):
    with pytest.raises(UserError, match=r"card\.json is missing: restore it, as with `git checkout .*nowhere`"):
        Recognizer.load(tmp_path / "nowhere")
    (write_model(tmp_path) / "model.onnx").unlink()
    with pytest.raises(UserError, match=r"model\.onnx is missing: restore it"):
        Recognizer.load(tmp_path)


def test_rejects_model_with_other_sha256(tmp_path):
    with open(write_model(tmp_path) / "model.onnx", "ab") as file:
        file.write(b"x")
    with pytest.raises(UserError, match="sha256"):
        Recognizer.load(tmp_path)


def test_rejects_card_with_other_template(tmp_path):
    preprocessing = make_card(write_model(tmp_path) / "model.onnx")["preprocessing"]
    preprocessing["template"][1][0] += 0.001
    write_model(tmp_path, preprocessing=preprocessing)
    with pytest.raises(UserError, match="template"):
        Recognizer.load(tmp_path)


@pytest.mark.parametrize(
    ("crop", "message"), [("centered", "template"), ("raw", "must be 'aligned' or 'centered', not 'raw'")]
)
def test_rejects_card_with_other_crop(tmp_path, crop, message):
    preprocessing = make_card(write_model(tmp_path) / "model.onnx")["preprocessing"]
    write_model(tmp_path, preprocessing=preprocessing | {"crop": crop})
    with pytest.raises(UserError, match=message):
        Recognizer.load(tmp_path)


def test_rejects_card_of_older_version(tmp_path):
    preprocessing = make_card(write_model(tmp_path) / "model.onnx")["preprocessing"]
    del preprocessing["crop"]
    write_model(tmp_path, preprocessing=preprocessing)
    with pytest.raises(UserError, match="crop"):
        Recognizer.load(tmp_path)


@pytest.mark.parametrize("content", ["", "{", "[]", "{}", '{"model": {"file": "model.onnx"}}', '{"model": 1}'])
def test_damaged_card_error_names_file(tmp_path, content):
    (write_model(tmp_path) / "card.json").write_text(content)
    with pytest.raises(UserError, match=r"card\.json"):
        Recognizer.load(tmp_path)


@pytest.mark.parametrize("key", ["classes", "views", "temperature", "confidence_threshold", "preprocessing"])
def test_missing_card_entry_error_names_it(tmp_path, key):
    path = write_model(tmp_path) / "card.json"
    card = json.loads(path.read_text())
    del card[key]
    path.write_text(json.dumps(card))
    with pytest.raises(UserError, match=key):
        Recognizer.load(tmp_path)


def test_damaged_network_names_the_card(tmp_path):
    model = write_model(tmp_path) / "model.onnx"
    for content in (b"", b"no network", model.read_bytes()[:200]):
        model.write_bytes(content)
        (tmp_path / "card.json").write_text(json.dumps(make_card(model)))
        with pytest.raises(UserError, match=r"card\.json cannot be used: ONNX Runtime cannot read its model"):
            Recognizer.load(tmp_path)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"classes": list(CLASSES[1:])}, r"gives results of shape \['faces', 6\] for the classes"),
        ({"classes": "sad"}, "for the classes sad"),
        ({"temperature": 0}, "its temperature is 0, not a number above 0"),
        ({"temperature": "0.9"}, "its temperature is '0.9'"),
    ],
)
def test_rejects_card_that_does_not_fit_its_network(tmp_path, changes, message):
    write_model(tmp_path, **changes)
    with pytest.raises(UserError, match=message):
        Recognizer.load(tmp_path)


@pytest.mark.parametrize(("key", "value"), [("size", 64), ("input", {"name": "x"})])
def test_rejects_card_with_another_input(tmp_path, key, value):
    preprocessing = make_card(write_model(tmp_path) / "model.onnx")["preprocessing"]
    write_model(tmp_path, preprocessing=preprocessing | {key: value})
    with pytest.raises(UserError, match=r"takes pixels of shape \['faces', 48, 48, 1\]"):
        Recognizer.load(tmp_path)


def test_import_needs_only_serving_libraries():
    code = """
import sys
FORBIDDEN = {"tensorflow", "keras", "pandas", "sklearn", "scipy", "joblib", "matplotlib", "pydantic", "dvc", "tqdm"}
class Refuse:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in FORBIDDEN:
            raise ImportError(f"{name} is not a serving requirement")
sys.meta_path.insert(0, Refuse())
import facial_expression.recognizer
"""
    result = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert result.returncode == 0, result.stderr


def test_served_model_recognizes_synthetic_faces(served):
    photo = photograph(*(draw("happy", number) for number in (0, 2, 4)), side=200, size=(300, 700))
    faces = served.recognize(photo)
    assert len(faces) == 3
    assert all(list(face.probabilities) == served.card["classes"] for face in faces)
    assert sum(face.emotion == "happy" for face in faces) >= 2


VARIANTS = {
    "mirrored": lambda photo: photo[:, ::-1],
    "scaled by 0.9": lambda photo: cv2.resize(photo, None, fx=0.9, fy=0.9, interpolation=cv2.INTER_AREA),
    "scaled by 1.1": lambda photo: cv2.resize(photo, None, fx=1.1, fy=1.1, interpolation=cv2.INTER_CUBIC),
    "gray": lambda photo: np.repeat(cv2.cvtColor(photo, cv2.COLOR_RGB2GRAY)[..., None], 3, axis=2),
    "JPEG of quality 50": lambda photo: np.asarray(Image.open(io.BytesIO(encode(photo, "JPEG", quality=50)))),
}


def certain_in_both(recognizer, photo, variant):
    """Emotions of faces that are certain in the photo and in a variant of it, in pairs."""
    changed = VARIANTS[variant](photo)
    scale = photo.shape[1] / changed.shape[1]
    others = {}
    for face in recognizer.recognize(changed):
        left, top, width, height = (scale * length for length in face.box)
        others[photo.shape[1] - left - width if variant == "mirrored" else left, top, width, height] = face
    pairs = []
    for face in recognizer.recognize(photo):
        other = next((others[box] for box in others if overlap(face.box, box) > 0.5), face)
        if other is not face and not (face.uncertain or other.uncertain):
            pairs.append((face.emotion, other.emotion))
    return pairs


@pytest.fixture(scope="module")
def served():
    if not (SERVING / "card.json").exists():
        pytest.skip("models/serving is absent: git checkout models/serving")
    return Recognizer.load(SERVING)


@pytest.mark.parametrize("variant", VARIANTS)
def test_certain_label_survives_change_of_photo(served, variant):
    pairs = []
    for number in range(4):
        faces = [draw(emotion, number) for emotion in ("angry", "happy", "sad", "surprise")]
        photo = photograph(*faces, side=(60, 100, 160, 130)[number], size=(300, 700))
        pairs += certain_in_both(served, np.stack([photo] * 3, axis=2), variant)
    assert len(pairs) >= 4
    assert all(one == other for one, other in pairs), pairs


@pytest.fixture(scope="module")
def real_photos():
    """Color photos and the number of faces that must be found in each, by file."""
    if not os.environ.get("FACIAL_EXPRESSION_PHOTOS"):
        pytest.skip("set FACIAL_EXPRESSION_PHOTOS to a folder of photos with photos.csv to check them")
    folder = Path(os.environ["FACIAL_EXPRESSION_PHOTOS"])
    with open(folder / "photos.csv", encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    photos = {row["file"]: cv2.imread(str(folder / row["file"])) for row in rows}
    return {row["file"]: (photos[row["file"]][:, :, ::-1].copy(), int(row["find"])) for row in rows}


@pytest.mark.parametrize("turn", [0, 90, 180, 270])
def test_finds_every_face_of_real_photos_once(served, real_photos, turn):
    for name, (photo, count) in real_photos.items():
        faces = served.recognize(np.rot90(photo, turn // 90).copy())
        assert len(faces) >= count, name
        assert {face.turn for face in faces} == {turn}, name
        pairs = itertools.combinations(faces, 2)
        assert max((overlap(one.box, other.box) for one, other in pairs), default=0) < 0.5, name


@pytest.mark.parametrize("variant", VARIANTS)
def test_certain_label_survives_change_of_real_photo(served, real_photos, variant):
    for name, (photo, _) in real_photos.items():
        pairs = certain_in_both(served, photo, variant)
        assert all(one == other for one, other in pairs), (name, pairs)


def test_served_model_gives_equal_probabilities_in_batches(served):
    images = [draw(emotion, number) for emotion in CLASSES for number in range(7)]
    for faces, image in zip(served.recognize_many(images), images, strict=True):
        assert [face.probabilities for face in faces] == [face.probabilities for face in served.recognize(image)]


def test_loads_the_served_model_by_default(served):
    assert Recognizer.load().card == served.card


def test_missing_served_model_error_names_both_places(monkeypatch, tmp_path):
    monkeypatch.setattr("facial_expression.served_model.resources.files", lambda _: tmp_path / "facial_expression")
    with pytest.raises(UserError, match=r"no model in .*model or .*serving: install the package again"):
        Recognizer.load()


@pytest.mark.parametrize("side", [48, 64, 65, 96, 128, 224, 480])
def test_finds_known_share_of_real_faces_at_any_size(recognizer, real_faces, side):
    enlarged = (cv2.resize(image, (side, side), interpolation=cv2.INTER_CUBIC) for image in real_faces)
    found = sum(bool(recognizer.recognize(image)) for image in enlarged)
    assert found / len(real_faces) > 0.78  # 0.82 of the test faces at 48 pixels


@pytest.fixture(scope="module")
def real_faces(tmp_path_factory):
    """A sample of FER2013's test faces."""
    if not os.environ.get("FER2013_ARCHIVE"):
        pytest.skip("set FER2013_ARCHIVE to FER2013's archive or CSV to detect faces in real pictures")
    path = tmp_path_factory.mktemp("fer2013") / "fer2013.csv"
    unpack_csv(os.environ["FER2013_ARCHIVE"], path, md5=None)
    table = read_pixel_csv(path, progress=False)
    tests = table.images[(table.faces["usage"] == "PrivateTest").to_numpy()]
    return tests[::15]


def test_larger_crops_keep_the_detail_of_photos(tmp_path, monkeypatch):
    """A network for larger pictures gets larger faces, not those of 48 pixels enlarged."""
    noise = np.random.default_rng(1).normal(0, 20, (480, 640))
    photo = np.clip(photograph(draw(), side=288) + cv2.GaussianBlur(noise, (0, 0), 1.5) * 4, 0, 255).astype(np.uint8)
    align, crops = load_params(ROOT / "params.yaml").align, {}
    for size in (48, 96):
        settings = align.model_copy(update={"size": size})
        preprocessing = describe_preprocessing("centered", settings, load_mean_shape())
        recognizer = Recognizer.load(write_model(tmp_path / str(size), size, preprocessing=preprocessing))
        monkeypatch.setattr(recognizer, "classify", lambda crops: np.full((len(crops), len(CLASSES)), 1 / len(CLASSES)))
        (found,), (whole,) = recognizer.recognize(photo), recognizer.recognize(photo, whole_picture=True)
        crops[size] = [found.crop, whole.crop]
    for small, large in zip(crops[48], crops[96], strict=True):
        enlarged = cv2.resize(small, (96, 96), interpolation=cv2.INTER_CUBIC)
        detail = [np.abs(cv2.Laplacian(image, cv2.CV_32F)).mean() for image in (enlarged, large)]
        assert detail[1] > 1.5 * detail[0]
