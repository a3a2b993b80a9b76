"""The numerical runtime: what ``configure`` sets, what it rejects, and how ``describe`` names it."""

import json
import os
import platform
import random
import subprocess
import sys
import types
from pathlib import Path

import keras
import numpy as np
import pytest

from facial_expression.errors import UserError
from facial_expression.training import runtime
from helpers.networks import this_runtime
from helpers.project import ROOT

VARIABLES = ("KERAS_BACKEND", "TF_ENABLE_ONEDNN_OPTS", "TF_CPP_MIN_LOG_LEVEL")
OTHER_ONEDNN = 1 - int(os.environ["TF_ENABLE_ONEDNN_OPTS"])
OTHER_BACKENDS = sorted({"tensorflow", "jax", "torch"} - {keras.backend.backend()})


# In a process that has not imported Keras


def run_script(home, script, **environment):
    """Run a script like a stage from a terminal: without the variables of the tests and with an empty home."""
    inherited = {name: value for name, value in os.environ.items() if name not in (*VARIABLES, "KERAS_HOME")}
    environment = inherited | {"PYTHONPATH": str(ROOT), "HOME": str(home)} | environment
    return subprocess.run(
        [sys.executable, "-c", script], cwd=home, env=environment, capture_output=True, text=True, check=False
    )


def configure(**changes):
    """The first lines of a script, which configure a runtime."""
    changes = {"backend": "tensorflow"} | changes
    return (
        "import sys\n"
        "from facial_expression.params import Runtime\n"
        "from facial_expression.training import runtime\n"
        "assert 'keras' not in sys.modules\n"
        f"runtime.configure(Runtime(**{this_runtime(**changes).model_dump()!r}), 1)\n"
    )


TRAINING = """
import numpy as np
from facial_expression.data.face_table import LabeledImages
from facial_expression.networks import build_network
from facial_expression.params import Recipe
from facial_expression.training.loop import train

random = np.random.default_rng(0)
images = random.integers(0, 256, (20, 16, 16), dtype=np.uint8)
faces = LabeledImages(images, random.integers(0, 2, 20), np.arange(20))
recipe = Recipe(
    iterations=2, snapshot_every=1, validate_every=1, batch_size=10, optimizer="adam", learning_rate=1e-3,
    moving_average=0.9,
)
arguments = {"filters": (2, 2), "blocks": (1, 1), "preactivation": True}
train(build_network("resnet", 2, 16, **arguments), recipe, ("happy", "sad"), faces, faces, "model", "workspace")
"""


def test_training_script_prints_its_progress_only(tmp_path):
    ended = run_script(tmp_path, configure() + TRAINING)
    assert ended.returncode == 0, ended.stderr
    assert ended.stdout == ""
    lines = [line for line in ended.stderr.replace("\r", "\n").split("\n") if line.strip()]
    assert lines
    assert [line for line in lines if "%|" not in line] == []  # a progress bar, no TensorFlow, absl or Python warning
    assert (tmp_path / "model" / "000002.weights.h5").exists()


SETTINGS = """
import os
import keras
import tensorflow
from tensorflow.python.framework import config

threads = tensorflow.config.threading.get_intra_op_parallelism_threads()
print(keras.backend.backend(), os.environ["TF_ENABLE_ONEDNN_OPTS"], threads, config.is_op_determinism_enabled())
"""


def test_params_set_the_runtime_without_variables(tmp_path):
    (tmp_path / ".keras").mkdir()
    (tmp_path / ".keras" / "keras.json").write_text(json.dumps({"backend": "numpy"}))
    ended = run_script(tmp_path, configure(onednn=0, threads=3) + SETTINGS)
    assert (ended.returncode, ended.stdout) == (0, "tensorflow 0 3 True\n"), ended.stderr


def test_params_take_precedence_over_variables(tmp_path):
    ended = run_script(tmp_path, configure(onednn=1) + SETTINGS, KERAS_BACKEND="numpy", TF_ENABLE_ONEDNN_OPTS="0")
    assert (ended.returncode, ended.stdout) == (0, "tensorflow 1 0 True\n"), ended.stderr


@pytest.mark.parametrize("backend", ["jax", "torch"])
def test_missing_backend_is_a_user_error(tmp_path, backend):
    (tmp_path / f"{backend}.py").write_text(f"raise ModuleNotFoundError(\"No module named '{backend}'\")")
    ended = run_script(tmp_path, configure(backend=backend))
    assert ended.returncode == 1
    assert ended.stderr.splitlines()[-1] == (
        f"{UserError.__module__}.UserError: runtime.backend is {backend}, which is not installed "
        f"(No module named '{backend}'): install it or choose another backend"
    )


# In this process, which has imported Keras


def test_accepts_the_runtime_that_keras_started_with():
    runtime.configure(this_runtime(), 1)


@pytest.mark.parametrize("backend", OTHER_BACKENDS)
def test_rejects_other_backend_once_keras_is_imported(backend):
    with pytest.raises(RuntimeError, match=f"Keras was imported before .*'KERAS_BACKEND': '{backend}'"):
        runtime.configure(this_runtime(backend=backend), 1)


def test_rejects_other_onednn_once_keras_is_imported():
    with pytest.raises(RuntimeError, match=f"Keras was imported before .*'TF_ENABLE_ONEDNN_OPTS': '{OTHER_ONEDNN}'"):
        runtime.configure(this_runtime(onednn=OTHER_ONEDNN), 1)


@pytest.mark.parametrize("name", VARIABLES[:2])
def test_rejects_unset_variable_once_keras_is_imported(monkeypatch, name):
    here = this_runtime()
    monkeypatch.delenv(name)
    with pytest.raises(RuntimeError, match=name):
        runtime.configure(here, 1)


@pytest.mark.parametrize("backend", OTHER_BACKENDS)
def test_rejects_variable_changed_after_keras_was_imported(monkeypatch, backend):
    monkeypatch.setenv("KERAS_BACKEND", backend)
    with pytest.raises(RuntimeError, match=f"Keras was imported before .*'{backend}'"):
        runtime.configure(this_runtime(backend=backend), 1)


def test_rejection_leaves_seed_and_environment_alone():
    np.random.seed(5)  # noqa: NPY002
    before = np.random.get_state()[1].tolist(), dict(os.environ)  # noqa: NPY002
    with pytest.raises(RuntimeError):
        runtime.configure(this_runtime(onednn=OTHER_ONEDNN), 1)
    assert (np.random.get_state()[1].tolist(), dict(os.environ)) == before  # noqa: NPY002


def test_seed_is_that_of_python_numpy_and_keras():
    draws = []
    for seed in (4, 4, 5):
        runtime.configure(this_runtime(), seed)
        draws.append((random.random(), float(np.random.random()), float(keras.random.normal((1,))[0])))  # noqa: NPY002
    assert draws[0] == draws[1]
    assert all(one != other for one, other in zip(draws[0], draws[2], strict=True))


def test_stderr_works_after_configuring(capfd):
    runtime.configure(this_runtime(), 1)
    os.write(2, b"from C\n")
    print("from Python", file=sys.stderr)
    assert capfd.readouterr().err == "from C\nfrom Python\n"


# Descriptions


def test_description_names_backend_and_versions():
    described = runtime.describe(this_runtime())
    assert list(described) == ["backend", "backend_version", "keras_version", "device", "onednn", "threads"]
    assert described["backend"] == keras.backend.backend()
    assert described["keras_version"] == keras.__version__
    assert described["backend_version"] == sys.modules[described["backend"]].__version__


def test_description_repeats_onednn_and_threads():
    described = runtime.describe(this_runtime(onednn=OTHER_ONEDNN, threads=3))
    assert (described["onednn"], described["threads"]) == (OTHER_ONEDNN, 3)
    assert json.loads(json.dumps(described)) == described


class Backend(types.SimpleNamespace):
    """Stands for the module of a backend, on a machine with the given GPUs."""

    @classmethod
    def tensorflow(cls, *gpus):
        details = [{"device_name": gpu} if gpu else {} for gpu in gpus]
        experimental = types.SimpleNamespace(get_device_details=details.__getitem__)
        found = types.SimpleNamespace(list_physical_devices=lambda kind: [*range(len(gpus))], experimental=experimental)
        return cls(__version__="1.2", config=found)

    @classmethod
    def torch(cls, *gpus):
        cuda = types.SimpleNamespace(is_available=lambda: bool(gpus), get_device_name=gpus.__getitem__)
        return cls(__version__="1.2", cuda=cuda)

    @classmethod
    def jax(cls, *gpus):
        kinds = [("cpu", "cpu"), *(("gpu", gpu) for gpu in gpus)]
        found = [types.SimpleNamespace(platform=platform, device_kind=kind) for platform, kind in kinds]
        return cls(__version__="1.2", devices=lambda: found)


def describe_on(monkeypatch, backend, *gpus):
    importlib = types.SimpleNamespace(import_module=lambda name: getattr(Backend, name)(*gpus))
    monkeypatch.setattr(runtime, "importlib", importlib)
    return runtime.describe(this_runtime(backend=backend))


@pytest.mark.parametrize("backend", ["tensorflow", "jax", "torch"])
def test_device_is_the_first_gpu_if_there_is_one(monkeypatch, backend):
    described = describe_on(monkeypatch, backend, "Fast 9000", "Slow 1")
    assert (described["backend"], described["backend_version"], described["device"]) == (backend, "1.2", "Fast 9000")
    assert describe_on(monkeypatch, backend)["device"].split()[0] == platform.machine()


def test_gpu_without_a_name_is_called_gpu(monkeypatch):
    assert describe_on(monkeypatch, "tensorflow", None)["device"] == "GPU"


@pytest.mark.parametrize(
    ("cpuinfo", "words"),
    [
        ("flags : fpu sse avx avx2 avx512f\nflags : fpu", ["avx512f"]),
        ("flags : fpu avx avx2 fma", ["avx2"]),
        ("flags : fpu avx", ["avx"]),
        ("Features : fp asimd", ["asimd"]),
        ("flags : fpu sse", []),
        (None, []),
    ],
)
def test_processor_is_named_with_its_widest_vectors(tmp_path, monkeypatch, cpuinfo, words):
    if cpuinfo is not None:
        (tmp_path / "cpuinfo").write_text(cpuinfo)
    monkeypatch.setattr(runtime, "Path", lambda name: tmp_path / Path(name).name)
    described = describe_on(monkeypatch, "tensorflow")
    assert described["device"] == " ".join([platform.machine(), *words])
