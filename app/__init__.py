"""The web application: an HTTP API and a page. Finding and classifying faces is left to ``Recognizer``."""

import os

os.environ.setdefault("OPENCV_IPP", "avx2")  # OpenCV enlarges alike on every processor, as in training
