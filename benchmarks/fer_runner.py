"""Measure the package ``fer`` in an environment of its own; the other benchmarks call this.

    PYTHON benchmarks/peer.py photo PHOTO REPETITIONS     # how long one photo takes
    PYTHON benchmarks/peer.py faces FACES.npy             # what it says of FER2013's pictures

The environment, without what ``fer`` needs for its other detector::

    python3 -m venv /tmp/fer
    /tmp/fer/bin/pip install --no-deps fer==25.10.3
    /tmp/fer/bin/pip install tensorflow==2.21.0 'opencv-contrib-python<5' requests 'setuptools<81' pillow

Nothing of this project is imported: ``fer`` needs another OpenCV. Prints one line of JSON. For a photo, by the two
forms in which the package brings its network: the median seconds from the file's bytes to the faces' expressions, and
the number of faces. For faces, uint8, shape (N, 48, 48): a list of seven scores each, in FER2013's order of classes.
The detector is the Haar cascade, the faster of its two; faces are not sought in pictures that show nothing else.
"""

import json
import statistics
import sys
import time
from pathlib import Path

import cv2
import numpy as np
from fer.fer import FER


def photo(path: str, repetitions: str) -> dict[str, dict]:
    cv2.setNumThreads(1)
    data = Path(path).read_bytes()
    forms = {"TensorFlow Lite": FER(use_tflite=True), "Keras": FER(use_tflite=False)}
    return {form: time_photo(detector, data, int(repetitions)) for form, detector in forms.items()}


def time_photo(detector: FER, data: bytes, repetitions: int) -> dict:
    seconds = []
    for _ in range(1 + repetitions):  # the first does not count
        start = time.perf_counter()
        faces = detector.detect_emotions(cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR))
        seconds.append(time.perf_counter() - start)
    return {"seconds": statistics.median(seconds[1:]), "faces": len(faces)}


def faces(path: str) -> list[list[float]]:
    # detect_emotions prepares a face like this, and rounds what comes out to two decimals.
    large = [cv2.resize(picture, (64, 64)) for picture in np.load(path)]
    pixels = (np.array(large, np.float32) / 255 - 0.5) * 2
    detector = FER(use_tflite=False)
    batches = (pixels[start : start + 500] for start in range(0, len(pixels), 500))
    return np.concatenate([detector._classify_emotions(batch) for batch in batches]).tolist()


if __name__ == "__main__":
    print(json.dumps({"photo": photo, "faces": faces}[sys.argv[1]](*sys.argv[2:])))
