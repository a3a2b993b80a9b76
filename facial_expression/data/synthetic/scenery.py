"""What is behind the head and in front of it: backdrop, hair, clothes, glasses and a hand."""

import numpy as np

from facial_expression.data.synthetic.canvas import SIDE, X, Y, blur, clouds, ellipse, fill, over, points, stroke
from facial_expression.data.synthetic.person import Person

_HAND_CHANCE = 0.10
_HAIR_BLUR = 0.028


def draw_backdrop(generator: np.random.Generator) -> np.ndarray:
    """A wall in uneven light, with a few boxes on it."""
    gray = generator.uniform(0.1, 0.9)
    slope_x, slope_y = generator.uniform(-0.15, 0.15, 2)
    cells = int(generator.integers(2, 7))
    backdrop = (gray + slope_x * X[None, :] + slope_y * Y[:, None]).astype(np.float32)
    backdrop += clouds(generator, (cells, cells), 0.08)
    for _ in range(generator.integers(0, 4)):
        left, top = generator.uniform(-1.6, 1.6, 2)
        width, height = generator.uniform(0.1, 0.6, 2)
        box = [(left, top), (left + width, top), (left + width, top + height), (left, top + height)]
        fill(backdrop, box, np.clip(gray + generator.normal(0, 0.2), 0, 1))
    return backdrop


def draw_behind_head(layer: np.ndarray, person: Person, generator: np.random.Generator) -> None:
    """Long hair or ears, the neck and the shoulders."""
    if person.long_hair:
        _draw_long_hair(layer, person, generator)
    fill(layer, [(-0.55, 0.9), (0.55, 0.9), (0.62, 2.2), (-0.62, 2.2)], 0.55 * person.skin)
    shoulder = [(0.3, 1.95), (0.6, 1.55), (2.2, 1.85), (3.0, 2.6)]
    clothes = [(-x, y) for x, y in reversed(shoulder)] + shoulder
    fill(layer, clothes, generator.uniform(0.05, 0.9))
    if not person.long_hair:
        for side in (-1, 1):
            fill(layer, ellipse((side * (person.head_width + 0.02), 0.22), (0.11, 0.26)), 0.75 * person.skin)


def _draw_long_hair(layer: np.ndarray, person: Person, generator: np.random.Generator) -> None:
    length, width, flare = generator.uniform(0.9, 1.9), generator.uniform(1.15, 1.32), generator.uniform(-0.1, 0.2)
    angle = np.linspace(0, np.pi, 30)
    crown = points(-width * np.cos(angle), -0.2 - 1.2 * np.sin(angle))
    strand = [(width + 0.6 * flare, 0.7), (width + flare, length), (0.6, length + 0.15)]
    fill(layer, np.concatenate([crown, strand, [(-x, y) for x, y in reversed(strand)]]), person.hair)


def draw_hair(layer: np.ndarray, person: Person, light: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    """The layer with the hair on top of the head laid over it: a cap with a parting, streaked."""
    if person.bald:
        return layer
    uniform, normal = generator.uniform, generator.normal
    hairline, parting, crown = uniform(-0.95, -0.62), uniform(-0.6, 0.6), uniform(1.5, 1.75)
    sideburn = uniform(-0.1, 0.8) if person.feminine else uniform(-0.35, 0.35)
    across = np.linspace(-1, 1, 13)
    fringe = hairline + 0.9 * across**4 * (sideburn - hairline) + 0.12 * np.abs(across - parting)
    inner = points(0.93 * person.head_width * across, fringe + normal(0, 0.02, 13))
    angle = np.linspace(0, np.pi, 30)
    outer = points((person.head_width + 0.12) * -np.cos(angle), 0.05 - crown * np.sin(angle) + normal(0, 0.015, 30))
    outer[[0, -1], 1] = sideburn
    shape = np.zeros((SIDE, SIDE), np.float32)
    fill(shape, np.concatenate([outer, inner[::-1]]), 1)
    streaks = clouds(generator, (48, 5), 0.09 * (0.3 + person.hair))
    hair = np.clip(np.float32(person.hair) * (np.float32(0.7) + np.float32(0.5) * light) + streaks, 0, 1)
    return over(layer, hair, blur(shape, _HAIR_BLUR))


def draw_glasses(layer: np.ndarray, person: Person, generator: np.random.Generator) -> None:
    """Frames around both eyes, where the person wears any."""
    if not person.glasses:
        return
    gray, squareness = generator.uniform(0.03, 0.25), generator.uniform(3.0, 4.5)
    width, height = generator.uniform(0.25, 0.30), generator.uniform(0.17, 0.24)
    eye = person.eye_distance
    for side in (-1, 1):
        stroke(layer, ellipse((side * eye, 0.03), (width, height), squareness), gray, 0.035)
        stroke(layer, [(side * (eye + width), -0.02), (side * person.head_width, -0.05)], gray, 0.03)
    stroke(layer, [(width - eye, -0.01), (0.0, -0.05), (eye - width, -0.01)], gray, 0.035)


def draw_hand(layer: np.ndarray, person: Person, generator: np.random.Generator) -> None:
    """Sometimes, four fingers at the cheek, the chin or the mouth."""
    if generator.random() >= _HAND_CHANCE:
        return
    x, y = generator.choice([-1, 1]) * generator.uniform(0.35, 1.0), generator.uniform(0.9, 1.5)
    angle = generator.uniform(-0.5, 0.5)
    for position in 0.15 * np.array([-1.5, -0.5, 0.5, 1.5]):
        tip = (x + position * np.cos(angle), y + position * np.sin(angle) - generator.uniform(0, 0.1))
        finger = [tip, (tip[0] + 0.54 * np.sin(angle), tip[1] + 0.9)]
        stroke(layer, finger, 0.5 * person.skin, 0.18)
        stroke(layer, finger, 0.9 * person.skin, 0.13)
