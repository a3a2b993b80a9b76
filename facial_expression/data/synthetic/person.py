"""The person: everything about a face that no muscle changes."""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Person:
    """One person; lengths are in face units and half of what they measure, where the face is symmetric."""

    skin: float  # gray, 0 to 1, as hair and iris
    hair: float
    iris: float
    lips: float  # gray as a share of the skin's
    beard: float  # how much it darkens the skin, 0 for none
    feminine: bool
    age: float  # 0 young to 1 old
    head_width: float
    chin: float  # y
    jaw_squareness: float  # exponent of the superellipse
    eye_distance: float
    eye_width: float
    eye_tilt: float  # how much higher the outer corners are
    eye_openness: float  # 1 is usual
    brow_thickness: float
    nose_length: float
    nose_width: float
    nose_height: float
    mouth: float  # y
    lip_thickness: float
    long_hair: bool
    bald: bool
    glasses: bool


def random_person(generator: np.random.Generator) -> Person:
    """A random person: of either sex and of any shade of skin with equal chance, more often young than old."""
    normal, uniform, chance = generator.normal, generator.uniform, generator.random
    skin = uniform(0.40, 0.88)
    feminine = bool(chance() < 0.5)
    lightest_hair = 0.6 if skin > 0.55 else 0.36
    return Person(
        skin=skin,
        hair=lightest_hair * float(np.clip(normal(0.30, 0.22), 0.07, 1.0)),
        iris=uniform(0.05, 0.30),
        lips=uniform(0.50, 0.74) if feminine else uniform(0.68, 0.85),
        beard=uniform(0.15, 0.60) if not feminine and chance() < 0.4 else 0.0,
        feminine=feminine,
        age=uniform(0, 1) ** 2,
        head_width=normal(1, 0.035),
        chin=normal(1.62, 0.05),
        jaw_squareness=uniform(1.9, 2.7),
        eye_distance=normal(0.43, 0.012),
        eye_width=normal(0.185, 0.012),
        eye_tilt=normal(0.015, 0.012),
        eye_openness=normal(1, 0.08),
        brow_thickness=normal(0.047 if feminine else 0.065, 0.010),
        nose_length=normal(0.62, 0.025),
        nose_width=normal(0.17, 0.018),
        nose_height=normal(0.34, 0.03),
        mouth=normal(0.94, 0.025),
        lip_thickness=max(0.04, normal(0.088 if feminine else 0.066, 0.014)),
        long_hair=feminine and bool(chance() < 0.75),
        bald=bool(chance() < (0.03 if feminine else 0.2)),
        glasses=bool(chance() < 0.12),
    )
