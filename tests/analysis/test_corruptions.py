import numpy as np
import pytest

from facial_expression.analysis.corruptions import CORRUPTIONS, measure_robustness
from facial_expression.analysis.sampling import sample_faces
from facial_expression.data.face_table import LabeledImages
from facial_expression.data.synthetic import draw_face


@pytest.fixture(scope="module")
def images() -> np.ndarray:
    return np.stack([draw_face("happy", np.random.default_rng(number)) for number in range(4)])


@pytest.mark.parametrize("kind", CORRUPTIONS)
def test_stronger_damage_changes_more(images, kind):
    corruption = CORRUPTIONS[kind]
    differences = []
    for strength in corruption.strengths:
        damaged = corruption.apply(images, strength, seed=1)
        assert (damaged.shape, damaged.dtype) == (images.shape, np.uint8)
        np.testing.assert_array_equal(damaged, corruption.apply(images, strength, seed=1))
        differences.append(np.abs(damaged.astype(int) - images).mean())
    assert differences[0] > 0
    assert differences[-1] > differences[0]
    assert len(corruption.strengths) == 5


def test_damage_leaves_its_input_alone(images):
    before = images.copy()
    for corruption in CORRUPTIONS.values():
        corruption.apply(images, corruption.strengths[-1], seed=1)
    np.testing.assert_array_equal(images, before)


def test_robustness_counts_right_answers(images):
    """A network that sees brightness alone is right until the light goes."""

    def predict(faces: np.ndarray) -> np.ndarray:
        return np.eye(2)[(faces.mean(axis=(1, 2)) > 90).astype(int)]

    faces = LabeledImages(np.full((4, 48, 48), 100, np.uint8), np.ones(4, int), np.arange(4))
    table = measure_robustness(predict, faces, seed=1, progress=False)
    assert len(table) == 1 + 5 * len(CORRUPTIONS)
    accuracy = table.set_index(["corruption", "strength"])["accuracy"]
    assert accuracy["none", 0.0] == 1
    assert accuracy["blur"].tolist() == [1] * 5
    assert accuracy["low light"].tolist() == [0] * 5
    assert set(table["n"]) == {4}


def test_sample_is_random_and_repeatable(images):
    faces = LabeledImages(images, np.arange(4), np.arange(10, 14))
    one, other = sample_faces(faces, 3, seed=5), sample_faces(faces, 3, seed=5)
    assert one.rows.tolist() == other.rows.tolist()
    assert len(set(one.rows)) == 3
    np.testing.assert_array_equal(one.images, images[one.labels])
    assert sorted(sample_faces(faces, 100, seed=5).rows) == [10, 11, 12, 13]
