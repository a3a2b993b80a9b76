"""Time the package ``fer`` on one photo, in an environment of its own; :mod:`benchmarks.serving` calls this.

    PYTHON benchmarks/peer.py PHOTO REPETITIONS

Nothing of this project is imported: ``fer`` needs another OpenCV. Prints one line of JSON: for each of the two forms in
which the package brings its network, the median seconds from the file's bytes to the faces' expressions, and the number
of faces. The detector is the Haar cascade, the faster of its two.
"""

import json
import statistics
import sys
import time
from pathlib import Path

import cv2
import numpy as np
from fer.fer import FER


def main(path: str, repetitions: int) -> None:
    cv2.setNumThreads(1)
    data = Path(path).read_bytes()
    forms = {"TensorFlow Lite": FER(use_tflite=True), "Keras": FER(use_tflite=False)}
    print(json.dumps({form: measure(detector, data, repetitions) for form, detector in forms.items()}))


def measure(detector: FER, data: bytes, repetitions: int) -> dict:
    seconds = []
    for _ in range(1 + repetitions):  # the first does not count
        start = time.perf_counter()
        faces = detector.detect_emotions(cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR))
        seconds.append(time.perf_counter() - start)
    return {"seconds": statistics.median(seconds[1:]), "faces": len(faces)}


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
