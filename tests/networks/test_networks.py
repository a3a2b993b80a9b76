"""What holds for every network: of each module with its default arguments, and of each run in ``params.yaml``."""

import functools
import importlib
import inspect
import json
import os
import re
import subprocess
import sys

import keras
import numpy as np
import pytest

from facial_expression import networks
from facial_expression.training.snapshots import architecture
from helpers.networks import all_networks, build, random_faces
from helpers.project import ROOT

NETWORKS = all_networks()
every_network = pytest.mark.parametrize("name", NETWORKS)
every_module = pytest.mark.parametrize("module", networks.available())


def build_named(name, classes=6, size=48, seed=1):
    return build(NETWORKS[name].module, classes, size, seed, **NETWORKS[name].arguments)


built = functools.cache(build_named)  # for tests that change nothing


def import_module(module):
    return importlib.import_module(f"facial_expression.networks.{module}")


def probabilities_of(network, faces):
    return keras.ops.convert_to_numpy(network(faces[..., None], training=False))


def weights_of(network):
    return [keras.ops.convert_to_numpy(weight) for weight in network.weights]


@pytest.mark.parametrize(("classes", "size"), [(6, 48), (7, 33), (2, 24)])
@every_network
def test_returns_probabilities_for_any_size(name, classes, size):
    network = built(name, classes, size)
    assert network.input_shape == (None, size, size, 1)
    assert network.output_shape == (None, classes)
    probabilities = probabilities_of(network, random_faces(3, size))
    assert probabilities.shape == (3, classes)
    assert probabilities.dtype == np.float32
    assert (probabilities >= 0).all()
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, atol=1e-5)


@every_network
def test_scales_gray_levels_before_any_other_layer(name):
    first, second, *others = built(name).layers
    assert isinstance(first, keras.layers.InputLayer)
    np.testing.assert_allclose(second(np.array([0, 51, 255], np.float32)), [0, 0.2, 1], rtol=1e-6)
    assert second.input is first.output
    assert not any(tensor is first.output for layer in others for tensor in keras.tree.flatten(layer.input))


@every_network
def test_predicts_the_same_for_bytes_and_floats(name):
    faces = random_faces(4, 48)
    as_bytes, as_floats = (probabilities_of(built(name), faces.astype(kind)) for kind in (np.uint8, np.float32))
    np.testing.assert_array_equal(as_bytes, as_floats)


@every_network
def test_predicts_each_face_on_its_own(name):
    faces = random_faces(4, 48)
    together = probabilities_of(built(name), faces)
    np.testing.assert_allclose(probabilities_of(built(name), faces[2:3]), together[2:3], rtol=1e-4)


@every_network
def test_seed_determines_the_weights_alone(name):
    first, again, other = built(name), build_named(name), build_named(name, seed=2)
    for one, two in zip(weights_of(first), weights_of(again), strict=True):
        np.testing.assert_array_equal(one, two)
    assert not all(map(np.array_equal, weights_of(first), weights_of(other)))
    assert json.dumps(architecture(first)) == json.dumps(architecture(again)) == json.dumps(architecture(other))


@every_network
def test_title_states_kind_and_size(name):
    module, millions = NETWORKS[name].module, built(name).count_params() / 1e6
    title = networks.title_of(built(name), module)
    assert title == f"{import_module(module).TITLE} of {millions:.1f} million parameters"


@every_module
def test_documented_size_is_that_of_the_defaults(module):
    code = import_module(module)
    for millions, digits in re.findall(r"(\d+\.(\d+)) million parameters", f"{code.__doc__}\n{code.build.__doc__}"):
        assert round(built(module).count_params() / 1e6, len(digits)) == float(millions)


@every_module
def test_arguments_are_those_of_the_function(module):
    parameters = inspect.signature(import_module(module).build).parameters.values()
    keywords = [parameter for parameter in parameters if parameter.kind is parameter.KEYWORD_ONLY]
    assert networks.arguments_of(module) == [parameter.name for parameter in keywords]
    assert [parameter.name for parameter in parameters if parameter not in keywords] == ["classes", "size"]
    assert all(parameter.default is not parameter.empty for parameter in keywords)


def test_new_module_needs_no_registration(tmp_path, monkeypatch):
    code = "def helper(*, width): ...\n\n\ndef build(classes, size, *, depth=3, width=8): ...\n"
    for file in ("__init__.py", "plain.py", "toy.py"):
        (tmp_path / file).write_text(code)
    monkeypatch.setattr(networks, "__file__", str(tmp_path / "__init__.py"))
    assert networks.available() == ["toy"]
    assert networks.arguments_of("toy") == ["depth", "width"]


def test_listing_and_params_do_not_import_keras():
    """The stages read ``params.yaml`` before they configure the runtime that Keras starts with."""
    code = (
        "import sys\n"
        "from facial_expression import networks, params\n"
        "from facial_expression.training import runtime\n"
        "params.load_params()\n"
        "assert all(networks.arguments_of(module) for module in networks.available())\n"
        "print(*sorted({'keras', 'tensorflow'} & set(sys.modules)))"
    )
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    ended = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, env=environment, capture_output=True, text=True, check=False
    )
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, "\n", "")
