"""Landmarks of faces of any position and size, and the aligner that tests of crops and tables share."""

import numpy as np

from facial_expression.faces.crops import Aligner
from facial_expression.faces.mean_shape import load_mean_shape

MEAN_SHAPE = load_mean_shape()
RIGHT_EYE, LEFT_EYE, MOUTH, CHIN = slice(36, 42), slice(42, 48), slice(48, 60), 8


def make_aligner(landmark_set="inner_eyes_and_bottom_lip", border="black", size=48, margin=0.0) -> Aligner:
    """The aligner of the study, except for the given settings."""
    return Aligner(landmark_set, border, size, margin, MEAN_SHAPE)


def transform(shape: np.ndarray, angle: float, scale: float, shift: tuple[float, float]) -> np.ndarray:
    """A shape (68, 2) rotated by an angle in radians, scaled and shifted."""
    rotation = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    return scale * shape @ rotation + shift
