"""The head itself: its outline, its relief, the light on it, its skin and its creases."""

import numpy as np

from facial_expression.data.synthetic.canvas import FACE_UNIT, X, Y, blur, clouds, fill, points, stroke
from facial_expression.data.synthetic.expression import Expression
from facial_expression.data.synthetic.features import Mouth
from facial_expression.data.synthetic.person import Person

_EDGE_BLUR = 0.014
_RELIEF_BLUR = 0.03
_CREASE_BLUR = 0.025
_CREASE_DEPTH = 0.5
_FOREHEAD, _TEMPLES = -1.35, 0.1  # y of the top of the skull, and where the jaw begins
_BRIGHTEST = 1.08


def draw_outline(person: Person, expression: Expression) -> np.ndarray:
    """A layer that is 1 on the head and 0 around it: half an ellipse for the skull, half a superellipse for the jaw."""
    angle = np.linspace(0, np.pi, 30)
    cosine, sine = np.cos(angle), np.sin(angle)
    width = person.head_width
    jaw = points(
        width * np.sign(cosine) * np.abs(cosine) ** (2 / person.jaw_squareness),
        _TEMPLES + (_chin(person, expression) - _TEMPLES) * sine,
    )
    skull = points(-width * cosine, _TEMPLES + (_FOREHEAD - _TEMPLES) * sine)
    outline = np.zeros((len(Y), len(X)), np.float32)
    fill(outline, np.concatenate([jaw, skull]), 1)
    return blur(outline, _EDGE_BLUR)


def draw_relief(person: Person, expression: Expression) -> np.ndarray:
    """Height of the face above the picture plane in face units: an ellipsoid with bumps, hollows and a nose."""
    chin = _chin(person, expression)
    half_height = (chin - _FOREHEAD) / 2
    across = (X / (1.08 * person.head_width)) ** 2
    along = ((Y - chin + half_height) / (1.05 * half_height)) ** 2
    relief = np.sqrt(np.maximum(1.02 - across[None, :] - along[:, None], 0))
    # One bump after the other, not one matrix product: its rounding would depend on the number of threads.
    for height, x, y, width, length in _bumps(person, expression):
        relief += (height * np.exp(-(((Y - y) / length) ** 2)))[:, None] * np.exp(-(((X - x) / width) ** 2))
    rise = np.clip((Y + 0.22) / (person.nose_length + 0.1), 0, 1) ** 1.3
    tip = 1 / (1 + np.exp((Y - person.nose_length) / 0.028))
    ridge = np.exp(-((X / (0.62 * person.nose_width)) ** 2))
    relief += (person.nose_height * rise * tip)[:, None] * ridge
    return blur(relief.astype(np.float32), _RELIEF_BLUR)


def _bumps(person: Person, expression: Expression) -> list[tuple[float, float, float, float, float]]:
    """Height, x, y, width and length of each bump of the relief; hollows have negative heights."""
    chin = _chin(person, expression)
    cheek = 0.07 + 0.10 * max(expression.cheek_raiser, 0.7 * expression.lip_corner_puller)
    brow = -0.27 + expression.effect({"brow_lowerer": 0.08, "outer_brow_raiser": -0.05})
    bumps = [
        (0.09, 0.0, person.mouth + 0.02, 0.36, 0.17),  # lips
        (-0.05, 0.0, person.mouth + 0.27, 0.20, 0.06),  # groove below the lips
        (0.08 + 0.06 * expression.chin_raiser, 0.0, chin - 0.22, 0.24, 0.14),  # chin
    ]
    for side in (-1, 1):
        bumps += [
            (0.10, side * person.nose_width, person.nose_length - 0.07, 0.075, 0.085),  # nostril wing
            (-0.15 - 0.03 * expression.brow_lowerer, side * (person.eye_distance - 0.05), -0.04, 0.25, 0.14),  # socket
            (0.06, side * 0.42, brow, 0.30, 0.09),  # brow ridge
            (cheek, side * 0.52, 0.48 - 0.10 * expression.cheek_raiser, 0.22, 0.18),  # cheek
        ]
    return bumps


def draw_light(relief: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    """Lambert shading: ambient light and one lamp, somewhere in front of the face and above it."""
    slope_y, slope_x = np.gradient(relief, np.float32(1 / FACE_UNIT))
    azimuth, elevation = generator.normal(0, 0.55), generator.uniform(0.05, 0.75)
    lamp_x, lamp_y, lamp_z = np.array(
        [np.sin(azimuth) * np.cos(elevation), -np.sin(elevation), np.cos(azimuth) * np.cos(elevation)], np.float32
    )
    facing = (lamp_z - slope_x * lamp_x - slope_y * lamp_y) / np.sqrt(slope_x**2 + slope_y**2 + 1)
    ambient = np.float32(generator.uniform(0.35, 0.60))
    return ambient + np.float32(_BRIGHTEST - ambient) * np.clip(facing, 0, 1.2)


def draw_skin(person: Person, generator: np.random.Generator) -> np.ndarray:
    """Blotchy skin, with a beard where the person has one."""
    skin = clouds(generator, (6, 6), 0.018) + np.float32(person.skin)
    if person.beard:
        distance = np.abs(X)[None, :]
        upper_edge = person.mouth - 0.16 - 0.5 * np.maximum(distance - 0.3, 0) + 0.25 * np.maximum(0.25 - distance, 0)
        skin *= (1 - person.beard / (1 + np.exp(-9 * (Y[:, None] - upper_edge)))).astype(np.float32)
    return skin


def draw_creases(person: Person, expression: Expression, mouth: Mouth) -> np.ndarray:
    """The share of light, 0 to 1, that furrows leave: one layer to multiply the shading with."""
    creases = np.zeros((len(Y), len(X)), np.float32)
    for side in (-1, 1):
        for depth, width, line in _side_creases(person, expression):
            if depth > 0.05:
                stroke(creases, np.array(line) * (side, 1), depth, width)
    if expression.inner_brow_raiser > 0.3:
        lifted = 0.03 * expression.outer_brow_raiser
        for y in (-0.68, -0.55):
            forehead = [(-0.45, y - lifted), (0.0, y + 0.02), (0.45, y - lifted)]
            stroke(creases, forehead, 0.45 * expression.inner_brow_raiser, 0.025)
    below_lip = mouth.lower + mouth.lower_lip + 0.03
    stroke(creases, [(-0.18, below_lip), (0.0, below_lip + 0.015), (0.18, below_lip)], 0.4, 0.05)
    return 1 - _CREASE_DEPTH * np.minimum(blur(creases, _CREASE_BLUR), 1.2)


def _side_creases(person: Person, expression: Expression) -> list[tuple[float, float, list[tuple[float, float]]]]:
    """Depth, width and line of each crease in the right half of the picture."""
    smile, stretch, wrinkle = expression.lip_corner_puller, expression.lip_stretcher, expression.nose_wrinkler
    laughter = expression.cheek_raiser if expression.cheek_raiser > 0.45 else 0.0
    eye, nose, lips = person.eye_distance, person.nose_length, person.mouth
    pull = max(smile, wrinkle, expression.upper_lip_raiser, 0.5 * stretch)
    pouch = 0.25 * person.age + expression.effect({"cheek_raiser": 0.30, "lid_tightener": 0.15})
    fold = [
        (person.nose_width + 0.03, nose - 0.12),
        (0.33 + 0.06 * smile, lips - 0.17),
        (0.44 + 0.12 * smile + 0.05 * stretch, lips + 0.02),
    ]
    return [
        (0.10 + 0.38 * pull + 0.20 * person.age, 0.035, fold),  # from nose to mouth
        (pouch, 0.030, [(eye - 0.15, 0.12), (eye, 0.165), (eye + 0.15, 0.13)]),  # below the eye
        (0.40 * laughter, 0.025, [(eye + 0.22, 0.03), (eye + 0.33, -0.02)]),  # crow's feet
        (0.35 * laughter, 0.025, [(eye + 0.22, 0.07), (eye + 0.33, 0.10)]),
        (0.70 * expression.brow_lowerer, 0.030, [(0.07, -0.15), (0.075, -0.33)]),  # frown
        (0.80 * wrinkle, 0.030, [(0.16, 0.08), (0.05, -0.02), (0.0, 0.0)]),  # wrinkled nose
        (0.60 * wrinkle, 0.025, [(0.17, 0.20), (0.06, 0.10)]),
    ]


def _chin(person: Person, expression: Expression) -> float:
    return person.chin + 0.22 * expression.jaw_drop
