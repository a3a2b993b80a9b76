"""The command ``facial-expression``."""

import os

os.environ.setdefault("OPENCV_IPP", "avx2")  # OpenCV enlarges alike on every processor, as in training
