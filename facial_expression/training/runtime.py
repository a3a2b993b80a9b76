"""The numerical runtime: backend, oneDNN, threads, determinism. The only module that imports a backend by name."""

import importlib
import os
import platform
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from facial_expression.errors import UserError
from facial_expression.params import Runtime


def configure(runtime: Runtime, seed: int) -> None:
    """Set up deterministic computation and seed everything. Call this before anything imports Keras.

    Results depend on the number of threads, among which sums are split, and on the kind of processor, but not on the
    number of cores that run these threads.

    Args:
        runtime: backend, oneDNN and threads; 0 threads are one per core.
        seed: seed of Keras, NumPy and Python.

    Raises:
        UserError: the backend is not installed.
        RuntimeError: Keras was imported before, with another backend or oneDNN setting.
    """
    environment = {"KERAS_BACKEND": runtime.backend, "TF_ENABLE_ONEDNN_OPTS": str(runtime.onednn)}
    keras = sys.modules.get("keras")
    fits = all(os.environ.get(name) == value for name, value in environment.items())
    if keras and not (fits and keras.backend.backend() == runtime.backend):
        raise RuntimeError(f"Keras was imported before runtime.configure, without {environment}")
    os.environ.update(environment)
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    try:
        with _silent_stderr():
            backend = importlib.import_module(runtime.backend)
            keras = importlib.import_module("keras")
    except ModuleNotFoundError as error:
        advice = "install it or choose another backend"
        raise UserError(f"runtime.backend is {runtime.backend}, which is not installed ({error}): {advice}") from None
    if runtime.backend == "tensorflow":
        if runtime.threads:
            backend.config.threading.set_intra_op_parallelism_threads(runtime.threads)
        backend.config.experimental.enable_op_determinism()
    elif runtime.backend == "torch":
        backend.use_deterministic_algorithms(True)
        if runtime.threads:
            backend.set_num_threads(runtime.threads)
    keras.utils.set_random_seed(seed)


@contextmanager
def distribute(runtime: Runtime) -> Iterator[None]:
    """Networks that are built in this block train on several devices at once, each on its part of every batch.

    The devices are GPUs, or without one parts of the CPU. Batch normalization takes its statistics of each device's
    part, and dropout draws anew on each; all else equals a training on one device, but for rounding. Nothing happens
    for one device.

    Args:
        runtime: ``devices``, and the backend, which must be TensorFlow for more than one.

    Raises:
        UserError: another backend, or fewer GPUs than devices.
    """
    if runtime.devices == 1:
        yield
        return
    if runtime.backend != "tensorflow":
        raise UserError(f"runtime.devices is {runtime.devices}, which needs the backend tensorflow")
    tensorflow = importlib.import_module("tensorflow")
    gpus = tensorflow.config.list_physical_devices("GPU")
    if 0 < len(gpus) < runtime.devices:
        raise UserError(f"runtime.devices is {runtime.devices}, but this machine has {len(gpus)} GPU(s)")
    if not gpus:
        (cpu,) = tensorflow.config.list_physical_devices("CPU")
        part = tensorflow.config.LogicalDeviceConfiguration()
        tensorflow.config.set_logical_device_configuration(cpu, [part] * runtime.devices)
    kind = "GPU" if gpus else "CPU"
    with _silent_stderr():
        strategy = tensorflow.distribute.MirroredStrategy([f"{kind}:{number}" for number in range(runtime.devices)])
    with strategy.scope():
        yield


def feed(make_batches: Callable[[], Iterator[tuple[np.ndarray, np.ndarray]]]) -> Any:
    """What ``fit`` of a network takes its batches from: within :func:`distribute`, a dataset of TensorFlow.

    Args:
        make_batches: returns an endless iterator over images and targets, the same one each time: on its way to several
            devices, TensorFlow starts over before the first step.
    """
    tensorflow = sys.modules.get("tensorflow")
    if not tensorflow or not tensorflow.distribute.has_strategy():
        return make_batches()
    specification = tuple(
        tensorflow.TensorSpec(array.shape, tensorflow.as_dtype(array.dtype)) for array in next(make_batches())
    )
    return tensorflow.data.Dataset.from_generator(make_batches, output_signature=specification)


@contextmanager
def _silent_stderr() -> Iterator[None]:
    """Discard what C++ code writes to stderr: TensorFlow logs to it on import before any log level applies."""
    sys.stderr.flush()
    kept, nowhere = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 2)
    try:
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)


def describe(runtime: Runtime) -> dict[str, str | int]:
    """What determines the numbers of a training beside data and recipe.

    Returns:
        ``backend``, ``backend_version`` and ``keras_version``; ``device``, the GPU's name or the kind of processor with
        its widest vector instructions, such as ``x86_64 avx2``; ``onednn`` and ``threads`` as in ``runtime``, and
        ``devices`` if there are several.
    """
    import keras

    backend = importlib.import_module(runtime.backend)
    return {
        "backend": runtime.backend,
        "backend_version": str(backend.__version__),
        "keras_version": keras.__version__,
        "device": _gpu(runtime.backend, backend) or _processor(),
        "onednn": runtime.onednn,
        "threads": runtime.threads,
        **({"devices": runtime.devices} if runtime.devices > 1 else {}),
    }


def _gpu(name: str, backend: ModuleType) -> str | None:
    """Name of the first GPU that the backend uses, if there is one."""
    if name == "torch":
        return backend.cuda.get_device_name(0) if backend.cuda.is_available() else None
    if name == "jax":
        return next((device.device_kind for device in backend.devices() if device.platform == "gpu"), None)
    gpus = backend.config.list_physical_devices("GPU")
    return backend.config.experimental.get_device_details(gpus[0]).get("device_name", "GPU") if gpus else None


def _processor() -> str:
    words = [platform.machine()]
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        flags = set(cpuinfo.read_text().split())
        words += [name for name in ("avx512f", "avx2", "avx", "asimd") if name in flags][:1]
    return " ".join(words)
