"""Run the package ``fer`` in an environment of its own, for the other benchmarks.

``fer`` needs another OpenCV than this project, so :func:`run_fer` runs this file as a script with the Python of that
environment. To create the environment, without the dependencies of the package's second detector, MTCNN::

    python3 -m venv /tmp/fer
    /tmp/fer/bin/pip install --no-deps fer==25.10.3
    /tmp/fer/bin/pip install tensorflow==2.21.0 'opencv-contrib-python<5' requests 'setuptools<81' pillow

With them, which takes 6 GB::

    /tmp/fer/bin/pip install fer==25.10.3 tensorflow==2.21.0 'opencv-contrib-python<5' 'setuptools<81'

The script prints one line of JSON::

    PYTHON benchmarks/fer_runner.py photo PHOTO ROUNDS     # time per photo
    PYTHON benchmarks/fer_runner.py faces FACES.npy        # predictions for images of FER2013
    PYTHON benchmarks/fer_runner.py photos mtcnn PHOTO…    # faces and time in many photos; haar for the other detector
"""

import importlib
import json
import os
import resource
import statistics
import subprocess
import sys
import time
from pathlib import Path

import cv2
import numpy as np


def run_fer(python: Path, *arguments: str | Path, threads: int = 1) -> dict | list:
    """Run this file with ``python`` on some cores and return what it prints; exit if it fails."""
    variables = {"OMP_NUM_THREADS": str(threads), "TF_CPP_MIN_LOG_LEVEL": "3", "CUDA_VISIBLE_DEVICES": ""}
    command = [python, __file__, *arguments]
    finished = subprocess.run(command, capture_output=True, text=True, env=os.environ | variables)
    if finished.returncode:
        sys.exit(f"{python} cannot run fer: {finished.stderr[-500:]}")
    return json.loads(finished.stdout.splitlines()[-1])


def time_photo(path: str, rounds: str) -> dict[str, dict]:
    """Median seconds from the file's bytes to the expressions, and number of faces, by format of the network.

    The detector is the Haar cascade, the faster of the package's two.
    """
    from fer.fer import FER

    cv2.setNumThreads(1)
    data = Path(path).read_bytes()
    results = {}
    for network, detector in {"TensorFlow Lite": FER(use_tflite=True), "Keras": FER(use_tflite=False)}.items():
        seconds = []
        for _ in range(1 + int(rounds)):
            start = time.perf_counter()
            faces = detector.detect_emotions(cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR))
            seconds.append(time.perf_counter() - start)
        results[network] = {"seconds": statistics.median(seconds[1:]), "faces": len(faces)}  # without the warm-up
    return results


def recognize_photos(detector: str, *paths: str) -> dict:
    """Number of faces, CPU and wall seconds from bytes to expressions for each photo, and the peak memory in MB.

    ``detector`` is ``haar`` or ``mtcnn``. Photos on which the package fails have no faces.
    """
    if detector == "mtcnn":
        importlib.import_module("facenet_pytorch")  # before TensorFlow, or PyTorch's LLVM aborts the process
    from fer.fer import FER

    cv2.setNumThreads(int(os.environ["OMP_NUM_THREADS"]))
    recognizer = FER(mtcnn=detector == "mtcnn")
    faces, seconds, wall_seconds = [], [], []
    for path in [paths[0], *paths]:  # the first one is the warm-up
        data = Path(path).read_bytes()
        start, wall_start = time.process_time(), time.perf_counter()
        try:
            found = recognizer.detect_emotions(cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR))
        except Exception as error:
            print(f"fer fails on {path}: {error}", file=sys.stderr)
            found = []
        faces.append(len(found))
        seconds.append(time.process_time() - start)
        wall_seconds.append(time.perf_counter() - wall_start)
    unit = 1 if sys.platform == "darwin" else 1024
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e6
    return {"faces": faces[1:], "seconds": seconds[1:], "wall_seconds": wall_seconds[1:], "megabytes": peak}


def classify_faces(path: str) -> list[list[float]]:
    """Seven scores per face, in FER2013's order of classes, for images (uint8, shape (N, 48, 48)) without detection."""
    from fer.fer import FER

    # detect_emotions preprocesses faces in the same way, but rounds the scores to two decimals.
    enlarged = [cv2.resize(image, (64, 64)) for image in np.load(path)]
    pixels = (np.array(enlarged, np.float32) / 255 - 0.5) * 2
    detector = FER(use_tflite=False)
    batches = (pixels[start : start + 500] for start in range(0, len(pixels), 500))
    return np.concatenate([detector._classify_emotions(batch) for batch in batches]).tolist()


METHODS = {"photo": time_photo, "faces": classify_faces, "photos": recognize_photos}

if __name__ == "__main__":
    print(json.dumps(METHODS[sys.argv[1]](*sys.argv[2:])))
