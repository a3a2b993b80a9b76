"""The page's samples, which a script draws."""

import cv2
import numpy as np

from helpers.project import ROOT
from tools.make_samples import SAMPLES, draw_sample


def test_sample_is_what_script_draws():
    stored = cv2.imread(str(ROOT / "app/static/samples/sad.jpg"))
    drawn = cv2.cvtColor(draw_sample("sad"), cv2.COLOR_RGB2BGR)
    assert stored.shape == drawn.shape
    assert np.abs(stored.astype(int) - drawn).mean() < 2  # JPEG's loss


def test_every_sample_is_on_the_page():
    page = (ROOT / "app/static/index.html").read_text(encoding="utf-8")
    files = {path.stem for path in (ROOT / "app/static/samples").iterdir()}
    assert files == set(SAMPLES)
    assert all(f'data-sample="static/samples/{name}.jpg"' in page for name in SAMPLES)
