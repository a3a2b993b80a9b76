"""Which snapshots are served, and how several become one network."""

import numpy as np
import pytest

from facial_expression.errors import UserError
from facial_expression.export import onnx_file
from facial_expression.export.members import average_networks, choose_members, restrict_classes
from facial_expression.probabilities import renormalize
from facial_expression.training import snapshots
from helpers.onnx_networks import NETWORKS, build_example, draw_faces, run_onnx

KEPT = (5, 0, 3)


def make_records(validation_accuracy, accuracy=None):
    """Records as the stage `evaluate` writes them; the ensembles are better than all single snapshots."""
    records = {}
    for number, (run, value) in enumerate(validation_accuracy.items(), start=1):
        for name, gain in ((run, 0), (f"{run}-ensemble", 0.3)):
            records[name] = {
                "accuracy": (accuracy or validation_accuracy)[run],
                "validation_accuracy": value + gain,
                "snapshots": {run: [100 * number]},
            }
    members = {run: [100] for run in validation_accuracy}
    return records | {"ensemble": {"accuracy": 0.99, "validation_accuracy": 0.99, "snapshots": members}}


def test_chooses_by_validation_not_by_test_accuracy():
    records = make_records(
        {"shallow": 0.51, "wide": 0.55, "small": 0.53}, accuracy={"shallow": 0.6, "wide": 0.4, "small": 0.7}
    )
    assert choose_members(records, ["shallow", "wide", "small"]) == {"wide": 200}


def test_chooses_the_first_among_equals():
    records = make_records({"shallow": 0.5, "wide": 0.55, "small": 0.55})
    assert choose_members(records, ["small", "wide", "shallow"]) == {"wide": 200}


def test_chooses_among_the_candidates_alone():
    records = make_records({"shallow": 0.5, "wide": 0.55, "small-original": 0.6})
    assert choose_members(records, ["shallow", "wide", "small-original"]) == {"small-original": 300}
    assert choose_members(records, ["shallow", "wide", "untrained"]) == {"wide": 200}
    with pytest.raises(UserError, match=r"none of shallow, .*, ensemble can be served: add a run"):
        choose_members(records, ["untrained"])


def test_takes_what_is_wanted_in_its_order():
    records = make_records({"shallow": 0.5, "wide": 0.55, "small": 0.6})
    assert list(choose_members(records, ["small"], ["wide", "shallow"]).items()) == [("wide", 200), ("shallow", 100)]
    with pytest.raises(UserError, match=r"untrained has no record among shallow, .*: evaluate it, or change export"):
        choose_members(records, ["small"], ["wide", "untrained"])


def test_rejects_empty_report():
    with pytest.raises(UserError, match="none of no models can be served"):
        choose_members({}, ["shallow"])


def test_average_of_networks_averages_their_probabilities(tmp_path):
    networks = [build_example("wide", seed) for seed in (1, 2)] + [build_example("shallow")]
    named = [restrict_classes(network, KEPT, f"member_{number}") for number, network in enumerate(networks)]
    average, images = average_networks(named), draw_faces(9)
    expected = np.mean([renormalize(snapshots.predict(network, images), KEPT) for network in networks], axis=0)
    np.testing.assert_allclose(snapshots.predict(average, images), expected, atol=1e-6)
    onnx_file.export_onnx(average, tmp_path / "model.onnx", opset=17)
    np.testing.assert_allclose(run_onnx(tmp_path / "model.onnx", images), expected, atol=1e-5)


def test_single_network_stays_as_it_is():
    network = build_example("shallow")
    assert average_networks([network]) is network


@pytest.mark.parametrize("kept", [KEPT, (1, 2), range(6)], ids=str)
@pytest.mark.parametrize("name", NETWORKS)
def test_restricted_network_renormalizes_kept_classes(name, kept):
    network, images = build_example(name), draw_faces(9)
    before = network.get_weights()
    restricted = restrict_classes(network, kept)
    assert restricted.output_shape == (None, len(kept))
    assert (restricted.name, restricted.layers[-1].name) == (network.name, network.layers[-1].name)
    expected = renormalize(snapshots.predict(network, images), kept)
    np.testing.assert_allclose(snapshots.predict(restricted, images), expected, atol=1e-6)
    for one, two in zip(network.get_weights(), before, strict=True):
        np.testing.assert_array_equal(one, two)


def test_restricted_network_can_be_exported(tmp_path):
    network, images = build_example("small"), draw_faces(9)
    restricted = restrict_classes(network, KEPT)
    onnx_file.export_onnx(restricted, tmp_path / "model.onnx", opset=17)
    expected = renormalize(snapshots.predict(network, images), KEPT)
    np.testing.assert_allclose(onnx_file.predict(tmp_path / "model.onnx", images), expected, atol=1e-5)
