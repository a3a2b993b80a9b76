"""Synthetic faces with labels: data in FER2013's format that may be copied, changed and shared freely.

A face is built from its muscles. An emotion is a set of action units of the Facial Action Coding System, which move
brows, lids, nose and mouth of a random person under random light, pose and camera. They do not replace real faces: they
let the whole pipeline run, and be tested, without a download.
"""

from facial_expression.data.synthetic.drawing import draw_background, draw_face
from facial_expression.data.synthetic.sample import write_sample

__all__ = ["draw_background", "draw_face", "write_sample"]
