"""Settings of all tests: numerical libraries compute as in the pipeline, and property tests are reproducible."""

import os

from hypothesis import settings

# As facial_expression.training.runtime and dvc.yaml set them; Keras and OpenCV read them when they are first used.
os.environ.setdefault("KERAS_BACKEND", "tensorflow")
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
os.environ.setdefault("OPENCV_IPP", "avx2")

settings.register_profile("reproducible", deadline=None, derandomize=True)
settings.load_profile("reproducible")


def pytest_collection_modifyitems(items):
    """Start the pipeline's tests first: they take longest and would otherwise run alone at the end."""
    items.sort(key=lambda item: item.path.name != "test_chain.py")
