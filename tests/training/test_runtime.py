"""The runtime: what it refuses, with the words that help, and what it makes deterministic."""

import json
import os
import platform
import random
import re
import subprocess
import sys
import types
from pathlib import Path

import keras
import numpy as np
import pytest

from facial_expression import runtime
from facial_expression.params import Runtime


def wanted(**values):
    """The runtime of this process, with other values where given."""
    here = {"backend": keras.backend.backend(), "onednn": int(os.environ["TF_ENABLE_ONEDNN_OPTS"])}
    return Runtime(**here | {"threads": 0, "workers": 1} | values)


def other_onednn():
    return 1 - int(os.environ["TF_ENABLE_ONEDNN_OPTS"])


def test_environment_that_fits_is_accepted():
    runtime.prepare(wanted(), 1)


@pytest.mark.parametrize("backend", ["tensorflow", "jax", "torch"])
def test_other_backend_is_refused_with_the_words_to_use(backend):
    if backend == keras.backend.backend():
        pytest.skip(f"{backend} runs these tests")
    words = f"KERAS_BACKEND={backend} TF_ENABLE_ONEDNN_OPTS={os.environ['TF_ENABLE_ONEDNN_OPTS']}"
    with pytest.raises(RuntimeError, match=f"params.yaml .* run `dvc repro`, or put `{words}` before the command"):
        runtime.prepare(wanted(backend=backend), 1)


def test_other_onednn_is_refused_with_the_words_to_use():
    words = f"KERAS_BACKEND={keras.backend.backend()} TF_ENABLE_ONEDNN_OPTS={other_onednn()}"
    with pytest.raises(RuntimeError, match=f"`{words}`"):
        runtime.prepare(wanted(onednn=other_onednn()), 1)


@pytest.mark.parametrize("name", ["KERAS_BACKEND", "TF_ENABLE_ONEDNN_OPTS"])
def test_unset_variable_is_refused_for_keras_would_choose_by_itself(monkeypatch, name):
    asked = wanted()
    monkeypatch.delenv(name)
    with pytest.raises(RuntimeError, match=name):
        runtime.prepare(asked, 1)


def test_environment_changed_after_keras_was_imported_does_not_deceive(monkeypatch):
    other = "jax" if keras.backend.backend() != "jax" else "torch"
    monkeypatch.setenv("KERAS_BACKEND", other)
    with pytest.raises(RuntimeError, match=f"KERAS_BACKEND={other}"):
        runtime.prepare(wanted(backend=other), 1)


def test_refusal_leaves_the_seed_alone():
    np.random.seed(5)  # noqa: NPY002
    before = np.random.get_state()[1].tolist()  # noqa: NPY002
    with pytest.raises(RuntimeError):
        runtime.prepare(wanted(onednn=other_onednn()), 1)
    assert np.random.get_state()[1].tolist() == before  # noqa: NPY002


def draw():
    return random.random(), float(np.random.random()), float(keras.random.normal((1,))[0])  # noqa: NPY002


def test_seed_is_that_of_python_numpy_and_keras():
    draws = []
    for seed in (4, 4, 5):
        runtime.prepare(wanted(), seed)
        draws.append(draw())
    assert draws[0] == draws[1]
    assert all(one != other for one, other in zip(draws[0], draws[2], strict=True))


def test_words_of_the_refusal_help_and_threads_are_set():
    with pytest.raises(RuntimeError) as refused:
        runtime.prepare(wanted(onednn=other_onednn()), 1)
    words = re.search(r"put `(.*?)` before the command", str(refused.value)).group(1)
    asked = wanted(onednn=other_onednn(), threads=3).model_dump()
    code = (
        "import tensorflow\n"
        "from facial_expression import params, runtime\n"
        f"runtime.prepare(params.Runtime(**{asked!r}), 1)\n"
        "from tensorflow.python.framework import config\n"
        "print(tensorflow.config.threading.get_intra_op_parallelism_threads(), config.is_op_determinism_enabled())"
    )
    environment = os.environ | dict(word.split("=") for word in words.split())
    environment["PYTHONPATH"] = str(Path(__file__).parents[1])
    helped = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=False)
    assert helped.stdout.split() == ["3", "True"], helped.stderr


def test_description_names_backend_and_versions():
    described = runtime.describe(wanted())
    assert described["backend"] == keras.backend.backend()
    assert described["keras_version"] == keras.__version__
    assert list(described) == ["backend", "backend_version", "keras_version", "device", "onednn", "threads"]
    assert described["backend_version"] == sys.modules[described["backend"]].__version__


def test_description_says_how_the_runtime_was_set():
    described = runtime.describe(wanted(onednn=other_onednn(), threads=3))
    assert (described["onednn"], described["threads"]) == (other_onednn(), 3)
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


def described_on(monkeypatch, backend, *gpus):
    fake = types.SimpleNamespace(import_module=lambda name: getattr(Backend, name)(*gpus))
    monkeypatch.setattr(runtime, "importlib", fake)
    return runtime.describe(wanted(backend=backend))


@pytest.mark.parametrize("backend", ["tensorflow", "jax", "torch"])
def test_device_is_the_first_gpu_where_there_is_one(monkeypatch, backend):
    described = described_on(monkeypatch, backend, "Fast 9000", "Slow 1")
    assert (described["backend"], described["backend_version"], described["device"]) == (backend, "1.2", "Fast 9000")
    assert described_on(monkeypatch, backend)["device"].split()[0] == platform.machine()


def test_gpu_without_a_name_is_a_gpu(monkeypatch):
    assert described_on(monkeypatch, "tensorflow", None)["device"] == "GPU"


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
    described = described_on(monkeypatch, "tensorflow")
    assert described["device"] == " ".join([platform.machine(), *words])
