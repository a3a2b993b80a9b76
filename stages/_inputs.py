"""What a network sees: the filtered faces with the images of one input."""

from facial_expression.data.face_table import FaceTable, read_face_table
from stages._stage import ALIGNED, CENTERED, DECODED, FILTERED

INPUTS = {"decoded": DECODED, "aligned": ALIGNED, "centered": CENTERED}


def read_input(name: str) -> FaceTable:
    """The filtered faces with the images that a network sees: ``aligned``, ``centered`` or ``decoded``."""
    return read_face_table(FILTERED).with_images_of(read_face_table(INPUTS[name], memory_map=True))
