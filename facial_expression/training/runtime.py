"""The numerical runtime: backend, oneDNN, threads, determinism. The only module that imports a backend by name."""

import importlib
import os
import platform
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType

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
        its widest vector instructions, such as ``x86_64 avx2``; ``onednn`` and ``threads`` as in ``runtime``.
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
