"""How Keras computes: backend, oneDNN, threads, determinism. The only module that imports a backend by name."""

import os

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


def describe() -> dict[str, str]:
    """What a trained model owes its numbers to, beside data and recipe: backend and library versions."""
    backend = keras.backend.backend()
    module = __import__({"tensorflow": "tensorflow", "jax": "jax", "torch": "torch"}[backend])
    return {"backend": backend, "backend_version": str(module.__version__), "keras_version": keras.__version__}
