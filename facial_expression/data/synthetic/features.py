"""Facial features: eyes, brows, nose and mouth.

The tables say how far an action unit at full activation moves a part of the face, in face units: down, outwards and
wider are positive. The other numbers are the face at rest.
"""

from dataclasses import dataclass

import numpy as np

from facial_expression.data.synthetic.canvas import ellipse, fill, fill_between, stroke
from facial_expression.data.synthetic.expression import Expression
from facial_expression.data.synthetic.person import Person

_Effects = dict[str, float]

_BROW: tuple[
    tuple[tuple[float, float], _Effects, _Effects], ...
] = (  # x and y at rest of the inner end, the peak and the outer end; how action units move x and y
    ((0.17, -0.25), {"brow_lowerer": -0.05}, {"inner_brow_raiser": -0.15, "brow_lowerer": 0.13, "nose_wrinkler": 0.03}),
    (
        (0.46, -0.345),
        {},
        {"inner_brow_raiser": -0.06, "outer_brow_raiser": -0.13, "brow_lowerer": 0.09, "nose_wrinkler": 0.03},
    ),
    ((0.74, -0.235), {}, {"outer_brow_raiser": -0.11, "brow_lowerer": 0.02}),
)

_UPPER_LID = {  # share of the opening at rest
    "upper_lid_raiser": 0.75,
    "lid_tightener": -0.50,
    "cheek_raiser": -0.30,
    "nose_wrinkler": -0.25,
    "brow_lowerer": -0.10,
}
_LOWER_LID = {"upper_lid_raiser": 0.25, "lid_tightener": -0.55, "cheek_raiser": -0.80, "nose_wrinkler": -0.50}
_BLINK_CHANCE = 0.03

_MOUTH_HALF_WIDTH = {
    "lip_corner_puller": 0.15,
    "lip_stretcher": 0.10,
    "jaw_drop": -0.09,
    "lip_tightener": -0.05,
    "chin_raiser": -0.02,
}
_MOUTH_CORNER = {"lip_corner_puller": -0.16, "lip_corner_depressor": 0.13, "lip_stretcher": 0.02}
_MOUTH_HEIGHT = {"jaw_drop": 0.10, "chin_raiser": -0.02}
_MOUTH_OPENING = {"lips_part": 0.12, "jaw_drop": 0.34}
_UPPER_LIP = {"upper_lip_raiser": -0.07, "nose_wrinkler": -0.04, "lip_corner_puller": 0.025, "chin_raiser": -0.03}
_UPPER_LIP_THICKNESS = {"lip_tightener": -0.60, "lip_corner_puller": -0.30}  # share of the thickness at rest
_LOWER_LIP_THICKNESS = {"lip_tightener": -0.55, "lip_corner_puller": -0.20, "chin_raiser": 0.20}
_TEETH = {"lip_corner_puller": 1.1, "upper_lip_raiser": 0.6, "lip_stretcher": 0.5, "jaw_drop": -0.4}  # share shown


@dataclass(frozen=True)
class Eyes:
    """The opening of both eyes and where they look, in face units."""

    upper: float
    lower: float
    droop: float
    gaze: tuple[float, float]


def random_eyes(person: Person, expression: Expression, generator: np.random.Generator) -> Eyes:
    """How far the eyes are open, and their gaze."""
    upper = max(0.022, 0.082 * (1 + expression.effect(_UPPER_LID)) * person.eye_openness)
    lower = max(0.012, 0.052 * (1 + expression.effect(_LOWER_LID)))
    if generator.random() < _BLINK_CHANCE:
        upper, lower = 0.015, 0.020
    gaze = (generator.normal(0, 0.03), generator.normal(0, 0.012) - 0.015)
    return Eyes(upper, lower, 0.03 * _inner_brow_alone(expression), gaze)


def draw_eye(layer: np.ndarray, side: int, person: Person, expression: Expression, eyes: Eyes) -> None:
    """One eye, the left (-1) or the right (1) of the picture: lid, white, iris, pupil, glint and lash line."""
    outwards = np.linspace(-1, 1, 13)
    x = side * (person.eye_distance + person.eye_width * outwards)
    arc = 1 - np.abs(outwards) ** 2.2
    droop = eyes.droop * np.maximum(outwards, 0)
    upper = -person.eye_tilt * outwards - eyes.upper * arc + droop
    lower = -person.eye_tilt * outwards + eyes.lower * arc + 0.5 * droop
    fill_between(layer, x, upper - 0.07 - 0.02 * arc, upper, 0.80 * person.skin)
    fill_between(layer, x, upper, lower, min(0.92, 0.55 * person.skin + 0.45))
    rightwards = np.argsort(x)
    center_x, center_y = side * person.eye_distance + eyes.gaze[0], eyes.gaze[1]
    for radius, gray in ((0.092, person.iris), (0.045, 0.02)):
        disk = ellipse((center_x, center_y), (radius, radius))
        lids = [np.interp(disk[:, 0], x[rightwards], lid[rightwards]) for lid in (upper, lower)]
        disk[:, 1] = np.clip(disk[:, 1], *lids)
        fill(layer, disk, gray)
    if eyes.upper > 0.04:
        fill(layer, ellipse((center_x - 0.035, center_y - 0.02), (0.024, 0.022)), 0.95)
    crease = upper - 0.075 + 0.03 * expression.lid_tightener
    stroke(layer, np.stack([x, upper], axis=1), 0.12, 0.047 if person.feminine else 0.035)
    stroke(layer, np.stack([x, lower], axis=1), 0.55 * person.skin, 0.018)
    stroke(layer, np.stack([x, crease], axis=1), 0.62 * person.skin, 0.020)


def draw_brow(layer: np.ndarray, side: int, person: Person, expression: Expression) -> None:
    """One brow: a quadratic curve through three points, thinner towards the temple."""
    inner, peak, outer = (
        np.array([x + expression.effect(moves_x), y + expression.effect(moves_y)]) for (x, y), moves_x, moves_y in _BROW
    )
    outer[1] += 0.03 * _inner_brow_alone(expression)
    along = np.linspace(0, 1, 10)[:, None]
    control = 2 * peak - (inner + outer) / 2
    curve = (1 - along) ** 2 * inner + 2 * along * (1 - along) * control + along**2 * outer
    x = side * (curve[:, 0] + person.eye_distance - 0.43)
    half = person.brow_thickness * (1 - 0.65 * along[:, 0] ** 2)
    fill_between(layer, x, curve[:, 1] - half, curve[:, 1] + 0.9 * half, 0.17 * person.skin + 0.6 * person.hair)


def draw_nostril(layer: np.ndarray, side: int, person: Person, expression: Expression) -> None:
    """One nostril and the edge of its wing."""
    y, width = person.nose_length, person.nose_width
    fill(layer, ellipse((side * 0.085, y - 0.03 * expression.nose_wrinkler), (0.055, 0.028)), 0.28 * person.skin)
    wing = [(side * (width + 0.04), y - 0.14), (side * (width + 0.05), y - 0.05), (side * (width - 0.03), y)]
    stroke(layer, wing, 0.6 * person.skin, 0.03)


@dataclass(frozen=True)
class Mouth:
    """Where the lips are, in face units: heights are y at the middle, thicknesses are those of the lips."""

    half_width: float
    corner: float
    upper: float
    lower: float
    upper_lip: float
    lower_lip: float
    slant: float


def random_mouth(person: Person, expression: Expression, generator: np.random.Generator) -> Mouth:
    """What the action units make of this person's mouth."""
    middle = person.mouth + expression.effect(_MOUTH_HEIGHT)
    opening = expression.effect(_MOUTH_OPENING)
    upper = middle - 0.15 * opening + expression.effect(_UPPER_LIP)
    bared = 0.05 * expression.lips_part * (expression.upper_lip_raiser + expression.lip_corner_puller)
    return Mouth(
        half_width=0.39 + expression.effect(_MOUTH_HALF_WIDTH) + generator.normal(0, 0.012),
        corner=middle + 0.02 + 0.35 * opening + expression.effect(_MOUTH_CORNER) + generator.normal(0, 0.008),
        upper=upper,
        lower=upper + 0.012 + opening + bared,
        upper_lip=person.lip_thickness * (1 + expression.effect(_UPPER_LIP_THICKNESS)),
        lower_lip=1.3 * person.lip_thickness * (1 + expression.effect(_LOWER_LIP_THICKNESS)),
        slant=generator.normal(0, 0.012),
    )


def draw_mouth(layer: np.ndarray, person: Person, expression: Expression, mouth: Mouth) -> None:
    """Lips, what shows between them, and the line where they meet."""
    across = np.linspace(-1, 1, 25)
    x, level = mouth.half_width * across, mouth.corner + mouth.slant * across
    inner_arc = 1 - np.abs(across) ** (2 + 0.8 * expression.lip_stretcher + 0.5 * expression.lip_corner_puller)
    inner_upper = level + (mouth.upper - mouth.corner) * inner_arc
    inner_lower = np.maximum(level + (mouth.lower - mouth.corner) * inner_arc, inner_upper + 0.004)
    cupids_bow = 0.025 * np.exp(-((across / 0.15) ** 2))
    outer_upper = level + (mouth.upper - mouth.upper_lip - mouth.corner) * (1 - np.abs(across) ** 1.7) + cupids_bow
    outer_lower = level + (mouth.lower + mouth.lower_lip - mouth.corner) * (1 - np.abs(across) ** 2.2)
    lips = person.lips * person.skin
    fill_between(layer, x, outer_upper, inner_upper + 0.01, 0.88 * lips)
    fill_between(layer, x, inner_lower - 0.01, outer_lower, lips)
    _draw_inside_of_mouth(layer, person, expression, mouth, (x, inner_upper, inner_lower))
    stroke(layer, np.stack([x, inner_upper], axis=1), 0.25 * person.skin, 0.026)
    dip = expression.effect({"lip_corner_puller": -0.02, "lip_corner_depressor": 0.03})
    for side in (-1, 1):
        corner = mouth.corner + side * mouth.slant
        ends = [(side * 0.97 * mouth.half_width, corner), (side * (mouth.half_width + 0.03), corner + dip)]
        stroke(layer, ends, 0.4 * person.skin, 0.035)


def _draw_inside_of_mouth(
    layer: np.ndarray,
    person: Person,
    expression: Expression,
    mouth: Mouth,
    opening: tuple[np.ndarray, np.ndarray, np.ndarray],
) -> None:
    x, upper, lower = opening
    gap = mouth.lower - mouth.upper
    if gap <= 0.03:
        return
    fill_between(layer, x, upper, lower, 0.07)
    teeth = min(0.14, 0.85 * gap) * np.clip(0.3 + expression.effect(_TEETH), 0, 1)
    if teeth > 0.015:
        gray = min(0.95, 0.3 * person.skin + 0.62)
        fill_between(layer, 0.93 * x, upper + 0.005, np.minimum(upper + teeth, lower), gray)
    if gap > 0.28:
        tongue = ellipse((0, mouth.lower - 0.03), (0.55 * mouth.half_width, 0.06))
        tongue[:, 1] = np.minimum(tongue[:, 1], mouth.lower)
        fill(layer, tongue, 0.3)


def _inner_brow_alone(expression: Expression) -> float:
    """How far the inner end of the brow rises without the outer one: the slant of sorrow."""
    return expression.inner_brow_raiser * max(0.0, 1 - expression.outer_brow_raiser)
