"""Emotions as action units: the Facial Action Coding System (Ekman and Friesen, Consulting Psychologists Press, 1978).

An action unit is what one muscle, or a few that act together, does to the face. Emotions have typical combinations of
them, often several (Ekman, Friesen and Hager, "FACS Investigator's Guide", 2002).
"""

from dataclasses import dataclass

import numpy as np

from facial_expression.emotions import NAMES, in_order

ACTION_UNITS = (1, 2, 4, 5, 6, 7, 9, 10, 12, 15, 17, 20, 23, 25, 26)
"""FACS numbers of the action units that the drawing knows, in the order of the fields of :class:`Expression`."""


@dataclass(frozen=True)
class Expression:
    """How strongly each action unit is active: 0 at rest, 1 fully."""

    inner_brow_raiser: float = 0.0
    outer_brow_raiser: float = 0.0
    brow_lowerer: float = 0.0
    upper_lid_raiser: float = 0.0
    cheek_raiser: float = 0.0
    lid_tightener: float = 0.0
    nose_wrinkler: float = 0.0
    upper_lip_raiser: float = 0.0
    lip_corner_puller: float = 0.0
    lip_corner_depressor: float = 0.0
    chin_raiser: float = 0.0
    lip_stretcher: float = 0.0
    lip_tightener: float = 0.0
    lips_part: float = 0.0
    jaw_drop: float = 0.0

    def effect(self, weights: dict[str, float]) -> float:
        """The sum of the activations, each times its weight."""
        return sum(weight * getattr(self, name) for name, weight in weights.items())


PROTOTYPES = {
    "angry": (
        {4: 1.0, 5: 0.3, 7: 0.6, 9: 0.15, 17: 0.3, 23: 0.9},
        {4: 1.0, 5: 0.5, 7: 0.4, 9: 0.3, 10: 0.6, 20: 0.3, 25: 0.8, 26: 0.35},
    ),
    "disgust": (
        {4: 0.5, 6: 0.3, 7: 0.7, 9: 1.0, 10: 0.7, 15: 0.4, 17: 0.5},
        {4: 0.4, 7: 0.7, 9: 1.0, 10: 1.0, 25: 0.6, 26: 0.15},
    ),
    "fear": (
        {1: 0.9, 2: 0.45, 4: 0.6, 5: 0.9, 20: 0.8, 25: 0.8, 26: 0.3},
        {1: 0.9, 2: 0.6, 4: 0.5, 5: 1.0, 20: 0.4, 25: 1.0, 26: 0.65},
    ),
    "happy": (
        {6: 0.8, 12: 1.0, 25: 0.9, 26: 0.2},
        {6: 0.5, 12: 0.8},
        {6: 1.0, 12: 1.0, 25: 1.0, 26: 0.5},
    ),
    "sad": (
        {1: 0.8, 4: 0.5, 7: 0.3, 15: 0.9, 17: 0.5},
        {1: 0.7, 4: 0.7, 7: 0.7, 15: 0.7, 20: 0.3, 25: 0.35},
    ),
    "surprise": (
        {1: 1.0, 2: 1.0, 5: 0.8, 25: 1.0, 26: 0.95},
        {1: 0.9, 2: 0.9, 5: 0.7, 25: 0.8, 26: 0.5},
    ),
    "neutral": ({},),
}
"""Typical combinations for each emotion: FACS number to activation."""

_STRENGTH = (6.0, 1.0)  # beta distribution: most expressions are clear, some are weak
_BLEND_CHANCE, _BLEND_SHARE = 0.25, (0.05, 0.30)
_JITTER = 0.08
_TWITCH_CHANCE, _TWITCH = 0.05, 0.25
_LARGEST = 1.15


def random_expression(emotion: str, generator: np.random.Generator) -> Expression:
    """A random expression of an emotion: of random strength, sometimes mixed with another emotion, never quite pure.

    Raises:
        ValueError: ``emotion`` is not an emotion of this project.
    """
    in_order([emotion])
    activation = generator.beta(*_STRENGTH) * _prototype(emotion, generator)
    if generator.random() < _BLEND_CHANCE:
        other = NAMES[generator.integers(len(NAMES))]
        activation += generator.uniform(*_BLEND_SHARE) * _prototype(other, generator)
    activation += generator.normal(0, _JITTER, len(ACTION_UNITS))
    activation += _TWITCH * (generator.random(len(ACTION_UNITS)) < _TWITCH_CHANCE)
    return Expression(*np.clip(activation, 0, _LARGEST).tolist())


def _prototype(emotion: str, generator: np.random.Generator) -> np.ndarray:
    variants = PROTOTYPES[emotion]
    chosen = variants[generator.integers(len(variants))]
    return np.array([chosen.get(unit, 0.0) for unit in ACTION_UNITS])
