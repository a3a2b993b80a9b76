"""How Keras computes: backend, oneDNN, threads, determinism. The only module that imports a backend by name."""

import importlib
import os
import platform
from pathlib import Path
from types import ModuleType

import keras

from facial_expression.params import Runtime


def prepare(runtime: Runtime, seed: int) -> None:
    """Make computation deterministic and seed everything.

    The result depends on the number of threads, among which sums are split, and on the kind of processor. It does not
    depend on the number of cores that a given number of threads finds; 0 threads are as many as there are cores.

    Args:
        runtime: backend and oneDNN have to be in the environment before Keras is imported, so here they are checked.
        seed: of Keras, numpy and Python.

    Raises:
        RuntimeError: the environment differs from ``runtime``; the message gives the words to put before the command.
    """
    wanted = {"KERAS_BACKEND": runtime.backend, "TF_ENABLE_ONEDNN_OPTS": str(runtime.onednn)}
    if keras.backend.backend() != runtime.backend or any(os.environ.get(key) != wanted[key] for key in wanted):
        words = " ".join(f"{key}={value}" for key, value in wanted.items())
        raise RuntimeError(
            f"params.yaml asks for another runtime: run `dvc repro`, or put `{words}` before the command"
        )
    if runtime.backend == "tensorflow":
        import tensorflow

        if runtime.threads:
            tensorflow.config.threading.set_intra_op_parallelism_threads(runtime.threads)
        tensorflow.config.experimental.enable_op_determinism()
    elif runtime.backend == "torch":
        import torch

        torch.use_deterministic_algorithms(True)
        if runtime.threads:
            torch.set_num_threads(runtime.threads)
    keras.utils.set_random_seed(seed)


def describe(runtime: Runtime) -> dict[str, str | int]:
    """What a trained model owes its numbers to, beside data and recipe: how and on what Keras computes here.

    Returns:
        ``backend``, ``backend_version`` and ``keras_version``; ``device``, the GPU's name or the processor's kind with
        its widest vector instructions, such as ``x86_64 avx2``; ``onednn`` and ``threads`` as in ``runtime``.
    """
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
    """Name of the first GPU that the backend computes on, None if there is none."""
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
