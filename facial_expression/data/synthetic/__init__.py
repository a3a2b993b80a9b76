"""Drawn faces with labels: data in FER2013's format that may be copied, changed and given away.

A face is drawn from the muscles outwards. An emotion is a set of action units of the Facial Action Coding System; they
move brows, lids, nose and mouth of a random person, who is lit, turned and photographed at random. The faces are no
substitute for real ones: they let the whole pipeline run, and be tested, without a download.
"""

from facial_expression.data.synthetic.drawing import draw_background, draw_face
from facial_expression.data.synthetic.sample import write_sample

__all__ = ["draw_background", "draw_face", "write_sample"]
