"""Draw the sample pictures of the web page: synthetic people in color, whose faces move as the synthetic data's do.

python -m tools.make_samples app/static/samples

The expressions, the relief, the light and the creases are those of `facial_expression.data.synthetic`; skin, eyes,
mouth, hair and clothes are painted here, in color and at a higher resolution.
"""

import argparse
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import ArrayLike

from facial_expression.data.synthetic import canvas
from facial_expression.data.synthetic.expression import ACTION_UNITS, PROTOTYPES, Expression
from facial_expression.data.synthetic.features import Eyes, Mouth, draw_brow, random_eyes, random_mouth
from facial_expression.data.synthetic.head import draw_creases, draw_light, draw_relief
from facial_expression.data.synthetic.person import Person, random_person
from facial_expression.files import atomic_write

SUPERSAMPLING = 2
QUALITY = 88
Color = tuple[float, float, float]  # red, green, blue, 0 to 1
WHITE, LASHES, IRIS_RING = (0.98, 0.97, 0.95), (0.16, 0.10, 0.09), (0.10, 0.07, 0.06)
MOUTH_INSIDE, TEETH, TONGUE, BLUSH = (0.30, 0.07, 0.08), (0.99, 0.97, 0.94), (0.85, 0.42, 0.42), (0.90, 0.35, 0.28)


@dataclass(frozen=True)
class Look:
    """What a sample person looks like, beside the shape of the face."""

    skin: Color
    hair: Color
    clothes: Color
    style: str
    seed: int
    iris: Color = (0.30, 0.19, 0.11)
    feminine: bool = False
    glasses: bool = False
    beard: bool = False


def rgb(code: str) -> Color:
    """A color from its hexadecimal code, as ``ffcc00``."""
    red, green, blue = bytes.fromhex(code)
    return red / 255, green / 255, blue / 255


ANA = Look(rgb("f2c6a0"), rgb("7a3b1d"), rgb("e2583e"), "long", 4, rgb("4f6f52"), feminine=True)
BEN = Look(rgb("a06a45"), rgb("241a17"), rgb("f2b134"), "short", 12)
CHI = Look(rgb("f0caa5"), rgb("1f1a1e"), rgb("3f8f8b"), "bob", 7, feminine=True)
DEV = Look(rgb("c58a5c"), rgb("2b1c16"), rgb("5b6fc4"), "curly", 9, beard=True)
EVA = Look(rgb("e9b692"), rgb("d8d3cd"), rgb("b65c94"), "bun", 15, rgb("4a6a8a"), feminine=True, glasses=True)
SAMPLES: dict[str, tuple[tuple[str, Look], ...]] = {
    "friends": (("happy", ANA), ("surprise", BEN), ("happy", EVA), ("neutral", CHI), ("happy", DEV)),
    "happy": (("happy", ANA),),
    "surprise": (("surprise", EVA),),
    "sad": (("sad", CHI),),
}


class Picture:
    """A color picture (float32, RGB, 0 to 1) that is painted in face units around a movable origin."""

    def __init__(self, width: int, height: int):
        self.size = (width, height)
        self.pixels = np.ones((height * SUPERSAMPLING, width * SUPERSAMPLING, 3), np.float32)
        self.move(0, 0, 1)

    def move(self, x: float, y: float, unit: float, roll: float = 0.0) -> None:
        """Put the origin at a pixel, let a face unit be so many pixels, and turn by `roll` radians."""
        scale = unit * SUPERSAMPLING
        cosine, sine = scale * np.cos(roll), scale * np.sin(roll)
        self.unit = scale
        self.matrix = np.array([[cosine, -sine, x * SUPERSAMPLING], [sine, cosine, y * SUPERSAMPLING]])

    def mask(self, outline: ArrayLike, softness: float = 0.0) -> np.ndarray:
        """1 inside a polygon of shape (N, 2) and 0 outside, blurred by a standard deviation in face units."""
        layer = np.zeros(self.pixels.shape[:2], np.float32)
        cv2.fillPoly(layer, [self._fixed_point(outline)], 1.0, cv2.LINE_8, 4)
        return self._soften(layer, softness)

    def line(self, points: ArrayLike, width: float, softness: float = 0.0) -> np.ndarray:
        """Like `mask`, for a line with round ends."""
        layer = np.zeros(self.pixels.shape[:2], np.float32)
        thickness = max(1, round(width * self.unit))
        cv2.polylines(layer, [self._fixed_point(points)], False, 1.0, thickness, cv2.LINE_8, 4)
        return self._soften(layer, softness)

    def _fixed_point(self, points: ArrayLike) -> np.ndarray:
        places = np.asarray(points) @ self.matrix[:, :2].T + self.matrix[:, 2]
        return np.round(16 * places).astype(np.int32)

    def _soften(self, layer: np.ndarray, softness: float) -> np.ndarray:
        sigma = softness * self.unit
        if sigma and layer.any():
            part = _surroundings(layer, margin=int(4 * sigma) + 2)
            layer[part] = cv2.GaussianBlur(layer[part], (0, 0), sigma)
        return layer

    def layer(self, drawing: np.ndarray, outside: float = 0.0) -> np.ndarray:
        """A layer of the synthetic data's canvas, enlarged and put in place."""
        scale = 1 / canvas.FACE_UNIT
        to_units = np.array([[scale, 0, -scale * canvas.ORIGIN[0]], [0, scale, -scale * canvas.ORIGIN[1]], [0, 0, 1]])
        height, width = self.pixels.shape[:2]
        matrix = self.matrix @ to_units
        return cv2.warpAffine(drawing, matrix, (width, height), flags=cv2.INTER_CUBIC, borderValue=outside)

    def paint(self, mask: np.ndarray, color: ArrayLike, opacity: float = 1.0) -> None:
        """Lay a color, or an array of colors, over the picture where the mask is."""
        part = _surroundings(mask)
        colors = np.asarray(color, np.float32)
        above = colors[part] if colors.ndim == 3 else colors
        self.pixels[part] += (opacity * mask[part])[..., None] * (above - self.pixels[part])

    def finish(self) -> np.ndarray:
        """The picture as uint8 of shape (height, width, 3), RGB."""
        small = cv2.resize(self.pixels, self.size, interpolation=cv2.INTER_AREA)
        return np.round(255 * np.clip(small, 0, 1)).astype(np.uint8)


def _surroundings(mask: np.ndarray, margin: int = 0) -> tuple[slice, slice]:
    """Rows and columns in which a mask is not 0, and some around them."""
    rows, columns = (np.flatnonzero(mask.any(axis=axis)) for axis in (1, 0))
    if not rows.size:
        return slice(0), slice(0)
    return tuple(slice(max(0, places[0] - margin), places[-1] + margin + 1) for places in (rows, columns))


def make_person(look: Look) -> Person:
    """The shape of a face, without anything that is painted here."""
    person = random_person(np.random.default_rng(look.seed))
    lips = 0.085 if look.feminine else 0.065
    return replace(
        person, skin=0.8, feminine=look.feminine, age=0.1, beard=0.0, head_width=1.0, chin=1.56, lip_thickness=lips
    )


def make_expression(emotion: str) -> Expression:
    """The last of the typical expressions of an emotion, at full strength."""
    units = PROTOTYPES[emotion][-1]
    return Expression(*(units.get(unit, 0.0) for unit in ACTION_UNITS))


def paint_person(picture: Picture, look: Look, emotion: str) -> None:
    """Paint head and shoulders, from back to front."""
    person, expression = make_person(look), make_expression(emotion)
    generator = np.random.default_rng([look.seed, 1])
    mouth, eyes = random_mouth(person, expression, generator), random_eyes(person, expression, generator)
    eyes = replace(eyes, gaze=(0.0, -0.01), upper=max(eyes.upper, 0.05), lower=max(eyes.lower, 0.02))
    mouth = replace(mouth, slant=0.0)
    paint_behind(picture, look)
    relief = draw_relief(person, expression)
    light = 0.4 + 0.6 * draw_light(relief, np.random.default_rng(3))
    shade = picture.layer(light * draw_creases(person, expression, mouth), 1.0)
    outline = picture.mask(head_outline(person, expression), 0.006)
    skin = np.asarray(look.skin, np.float32) * warm(shade)
    picture.paint(outline, skin)
    paint_blush(picture, outline)
    if look.beard:
        paint_beard(picture, look, mouth, outline)
    paint_nose(picture, look, person)
    for side in (-1, 1):
        paint_eye(picture, look, person, eyes, side)
        paint_brow(picture, look, person, expression, side)
    paint_mouth(picture, look, person, expression, mouth)
    paint_hair(picture, look)
    if look.glasses:
        paint_glasses(picture, person)


def sharpen(mask: np.ndarray, slope: float = 6.0) -> np.ndarray:
    """An enlarged mask with an edge as sharp as the picture allows."""
    return np.clip((mask - 0.5) * slope + 0.5, 0, 1)


def warm(shade: np.ndarray) -> np.ndarray:
    """Light as a factor for each channel: shadows of skin turn red, not gray."""
    return np.clip(shade, 0, 1.12)[..., None] ** np.array([0.75, 1.05, 1.2], np.float32)


def curve(*points: tuple[float, float], count: int = 24) -> np.ndarray:
    """A smooth closed outline (Catmull-Rom spline) through some points, shape (N, 2)."""
    corners = np.array(points, float)
    before, after, beyond = np.roll(corners, 1, 0), np.roll(corners, -1, 0), np.roll(corners, -2, 0)
    t = np.linspace(0, 1, count, endpoint=False)[None, :, None]
    p0, p1, p2, p3 = (part[:, None, :] for part in (before, corners, after, beyond))
    spline = 2 * p1 + (p2 - p0) * t + (2 * p0 - 5 * p1 + 4 * p2 - p3) * t**2 + (3 * p1 - p0 - 3 * p2 + p3) * t**3
    return (0.5 * spline).reshape(-1, 2)


def mirrored(*points: tuple[float, float]) -> np.ndarray:
    """A smooth symmetric outline from its right half, from top to bottom."""
    return curve(*points, *((-x, y) for x, y in reversed(points)))


def head_outline(person: Person, expression: Expression) -> np.ndarray:
    """Half an ellipse for the skull and half a superellipse for the jaw, as in the synthetic data; shape (N, 2)."""
    angle, temples = np.linspace(0, np.pi, 90), 0.1
    chin = person.chin + 0.22 * expression.jaw_drop
    jaw_x = np.sign(np.cos(angle)) * np.abs(np.cos(angle)) ** (2 / person.jaw_squareness)
    jaw = canvas.points(person.head_width * jaw_x, temples + (chin - temples) * np.sin(angle))
    skull = canvas.points(-person.head_width * np.cos(angle), temples - 1.45 * np.sin(angle))
    return np.concatenate([jaw, skull])


def paint_behind(picture: Picture, look: Look) -> None:
    """Hair behind the head, neck and shoulders."""
    hair = np.array(look.hair)
    back = {
        "long": mirrored((0.4, -1.62), (1.12, -0.95), (1.3, 0.2), (1.28, 1.3), (1.42, 2.2), (0.5, 2.5)),
        "bob": mirrored((0.4, -1.62), (1.12, -1.0), (1.27, 0.0), (1.3, 0.9), (1.08, 1.28), (0.4, 1.2)),
    }
    if look.style in back:
        picture.paint(picture.mask(back[look.style], 0.01), 0.72 * hair)
    if look.style == "bun":
        picture.paint(picture.mask(canvas.ellipse((0.0, -1.72), (0.52, 0.45)), 0.01), 0.85 * hair)
    neck = np.array(look.skin) * (0.76, 0.66, 0.62)
    picture.paint(picture.mask(mirrored((0.5, 0.9), (0.48, 1.7), (0.72, 2.1), (0.3, 2.5)), 0.015), neck)
    shoulders = mirrored((0.0, 2.2), (0.34, 2.12), (0.55, 1.86), (0.95, 2.05), (1.6, 2.3), (1.95, 2.9), (2.05, 5.0))
    body = picture.mask(shoulders, 0.008)
    picture.paint(body, look.clothes)
    collar = mirrored((0.0, 2.2), (0.34, 2.12), (0.55, 1.86))[:49]
    picture.paint(picture.line(collar * (1, 1), 0.08, 0.008) * body, 0.82 * np.array(look.clothes))
    picture.paint(picture.line(collar * (-1, 1), 0.08, 0.008) * body, 0.82 * np.array(look.clothes))
    if look.style in ("short", "curly", "bun"):
        for side in (-1, 1):
            ear = picture.mask(canvas.ellipse((side * 1.03, 0.2), (0.14, 0.27)), 0.008)
            picture.paint(ear, np.array(look.skin) * (0.92, 0.82, 0.78))


def paint_blush(picture: Picture, outline: np.ndarray) -> None:
    for side in (-1, 1):
        cheek = picture.mask(canvas.ellipse((side * 0.58, 0.52), (0.2, 0.15)), 0.1)
        picture.paint(cheek * outline, BLUSH, 0.22)


def paint_beard(picture: Picture, look: Look, mouth: Mouth, outline: np.ndarray) -> None:
    chin = mirrored((0.2, 0.76), (0.52, 0.86), (0.98, 0.35), (1.02, 1.1), (0.6, 1.9))
    lips = picture.mask(canvas.ellipse((0, (mouth.upper + mouth.lower) / 2), (mouth.half_width + 0.07, 0.26)), 0.03)
    picture.paint(picture.mask(chin, 0.05) * outline * (1 - lips), look.hair, 0.5)


def paint_nose(picture: Picture, look: Look, person: Person) -> None:
    dark = np.array(look.skin) * (0.55, 0.42, 0.38)
    y, width = person.nose_length, person.nose_width
    for side in (-1, 1):
        picture.paint(picture.mask(canvas.ellipse((side * 0.08, y - 0.01), (0.052, 0.026)), 0.01), dark, 0.9)
        wing = [(side * (width + 0.03), y - 0.14), (side * (width + 0.045), y - 0.05), (side * (width - 0.03), y)]
        picture.paint(picture.line(wing, 0.028, 0.01), dark, 0.6)
    picture.paint(picture.mask(canvas.ellipse((0.02, y - 0.16), (0.05, 0.06)), 0.03), WHITE, 0.28)


def paint_eye(picture: Picture, look: Look, person: Person, eyes: Eyes, side: int) -> None:
    """One eye: shadow, white, iris, pupil, glint, lash line and the fold above it."""
    across = np.linspace(-1, 1, 25)
    arc = 1 - np.abs(across) ** 2.2
    x = side * (person.eye_distance + 1.12 * person.eye_width * across)
    droop = eyes.droop * np.maximum(across, 0)
    upper, lower = (
        -1.15 * eyes.upper * arc + droop - 0.015 * across,
        1.15 * eyes.lower * arc + 0.5 * droop - 0.015 * across,
    )
    opening = picture.mask(np.concatenate([canvas.points(x, upper), canvas.points(x, lower)[::-1]]), 0.004)
    dark = np.array(look.skin) * (0.62, 0.48, 0.44)
    picture.paint(picture.line(canvas.points(x, upper - 0.075), 0.025, 0.012), dark, 0.75)
    picture.paint(opening, WHITE)
    center = (side * person.eye_distance + eyes.gaze[0], eyes.gaze[1])
    for radius, color in ((0.108, IRIS_RING), (0.095, look.iris), (0.05, (0.03, 0.02, 0.02))):
        picture.paint(picture.mask(canvas.ellipse(center, (radius, radius)), 0.004) * opening, color)
    shadow = picture.line(canvas.points(x, upper), 0.06, 0.02) * opening
    picture.paint(shadow, IRIS_RING, 0.45)
    picture.paint(picture.mask(canvas.ellipse((center[0] - 0.035, center[1] - 0.035), (0.026, 0.026))), WHITE)
    picture.paint(picture.line(canvas.points(x, lower), 0.016, 0.006), dark, 0.7)
    picture.paint(picture.line(canvas.points(x, upper), 0.05 if look.feminine else 0.036, 0.006), LASHES)
    if look.feminine:
        flick = [
            (side * (person.eye_distance + 0.19), upper[-1] + 0.0),
            (side * (person.eye_distance + 0.27), upper[-1] - 0.06),
        ]
        picture.paint(picture.line(flick, 0.03, 0.006), LASHES)


def paint_brow(picture: Picture, look: Look, person: Person, expression: Expression, side: int) -> None:
    gray = np.zeros((canvas.SIDE, canvas.SIDE), np.float32)
    draw_brow(gray, side, replace(person, skin=1.0, hair=1.0, brow_thickness=0.06), expression)
    color = 0.8 * np.array(look.hair) if sum(look.hair) < 1.8 else 0.55 * np.array(look.hair)
    picture.paint(sharpen(picture.layer(cv2.GaussianBlur((gray > 0).astype(np.float32), (0, 0), 1.0)), 4), color, 0.95)


def paint_mouth(picture: Picture, look: Look, person: Person, expression: Expression, mouth: Mouth) -> None:
    """Lips, the inside of the mouth, teeth and tongue."""
    across = np.linspace(-1, 1, 41)
    x, arc = mouth.half_width * across, 1 - np.abs(across) ** (2 + 0.5 * expression.lip_corner_puller)
    upper = mouth.corner + (mouth.upper - mouth.corner) * arc
    lower = np.maximum(mouth.corner + (mouth.lower - mouth.corner) * arc, upper + 0.004)
    bow = 0.025 * np.exp(-((across / 0.15) ** 2))
    top = mouth.corner + (mouth.upper - mouth.upper_lip - mouth.corner) * (1 - np.abs(across) ** 1.7) + bow
    bottom = mouth.corner + (mouth.lower + mouth.lower_lip - mouth.corner) * (1 - np.abs(across) ** 2.2)
    skin = np.array(look.skin)
    lips = skin * ((0.86, 0.50, 0.50) if look.feminine else (0.80, 0.62, 0.58))

    def between(one: np.ndarray, other: np.ndarray, narrow: float = 1.0) -> np.ndarray:
        return picture.mask(
            np.concatenate([canvas.points(narrow * x, one), canvas.points(narrow * x, other)[::-1]]), 0.005
        )

    picture.paint(between(top, lower), 0.9 * lips)
    picture.paint(between(upper, bottom), lips)
    gap = mouth.lower - mouth.upper
    if gap > 0.03:
        inside = between(upper, lower)
        picture.paint(inside, MOUTH_INSIDE)
        tongue = canvas.ellipse((0, mouth.lower + 0.02), (0.6 * mouth.half_width, 0.32 * gap))
        picture.paint(picture.mask(tongue, 0.01) * inside, TONGUE)
        teeth = min(0.15, 0.8 * gap) * np.clip(0.25 + expression.lip_corner_puller, 0, 1)
        picture.paint(between(upper, np.minimum(upper + teeth, lower), 0.95) * inside, TEETH)
    dark = skin * (0.5, 0.32, 0.3)
    picture.paint(picture.line(canvas.points(x, upper), 0.022, 0.006), dark, 0.85)
    for side in (-1, 1):
        corner = [
            (side * 0.97 * mouth.half_width, mouth.corner),
            (side * (mouth.half_width + 0.04), mouth.corner - 0.02 * expression.lip_corner_puller),
        ]
        picture.paint(picture.line(corner, 0.035, 0.01), dark, 0.8)


def paint_hair(picture: Picture, look: Look) -> None:
    """Hair on top of the head, with a shine."""
    hair = np.array(look.hair)
    if look.style == "curly":
        shape = np.zeros(picture.pixels.shape[:2], np.float32)
        for angle in np.linspace(-0.12, np.pi + 0.12, 11):
            center = (-1.0 * np.cos(angle), -0.28 - 1.06 * np.sin(angle))
            shape = np.maximum(shape, picture.mask(canvas.ellipse(center, (0.34, 0.33)), 0.008))
        for x in (-0.5, 0.0, 0.5):
            shape = np.maximum(shape, picture.mask(canvas.ellipse((x, -1.02), (0.42, 0.3)), 0.008))
    else:
        shape = picture.mask(TOPS[look.style], 0.008)
    picture.paint(shape, hair)
    shine = picture.line([(-0.75, -1.05), (-0.35, -1.3), (0.1, -1.38)], 0.16, 0.07)
    picture.paint(shine * shape, np.minimum(1, hair + 0.25), 0.55)


TOPS = {
    "short": curve(
        (-1.08, 0.05), (-1.14, -0.7), (-0.85, -1.42), (0.0, -1.72), (0.85, -1.42), (1.14, -0.7), (1.08, 0.05),
        (0.94, -0.15), (0.78, -0.68), (0.3, -0.86), (-0.3, -0.86), (-0.78, -0.68), (-0.94, -0.15),
    ),
    "long": curve(
        (-1.2, 0.9), (-1.22, -0.6), (-0.8, -1.45), (0.0, -1.7), (0.8, -1.45), (1.22, -0.6), (1.2, 0.9),
        (0.98, 0.5), (0.9, -0.3), (0.35, -0.82), (0.15, -1.15), (-0.2, -0.8), (-0.86, -0.35), (-0.98, 0.5),
    ),
    "bob": curve(
        (-1.22, 1.1), (-1.24, -0.6), (-0.8, -1.45), (0.0, -1.68), (0.8, -1.45), (1.24, -0.6), (1.22, 1.1),
        (0.98, 0.8), (0.95, -0.2), (0.85, -0.52), (0.0, -0.6), (-0.85, -0.52), (-0.95, -0.2), (-0.98, 0.8),
    ),
    "bun": curve(
        (-1.05, 0.05), (-1.12, -0.7), (-0.8, -1.42), (0.0, -1.62), (0.8, -1.42), (1.12, -0.7), (1.05, 0.05),
        (0.92, -0.2), (0.7, -0.82), (0.25, -1.05), (-0.35, -0.95), (-0.74, -0.74), (-0.93, -0.2),
    ),
}  # fmt: skip


def paint_glasses(picture: Picture, person: Person) -> None:
    frame = rgb("8a2f3c")
    for side in (-1, 1):
        lens = canvas.ellipse((side * person.eye_distance, 0.02), (0.31, 0.27), 2.6)
        picture.paint(picture.mask(lens), WHITE, 0.08)
        picture.paint(picture.line(np.concatenate([lens, lens[:2]]), 0.035, 0.004), frame)
        picture.paint(picture.line([(side * 0.74, -0.04), (side * 0.98, -0.08)], 0.04, 0.004), frame)
    picture.paint(picture.line([(-0.125, -0.02), (0.0, -0.06), (0.125, -0.02)], 0.035, 0.004), frame)


def paint_backdrop(picture: Picture, top: Color, bottom: Color) -> None:
    """A wall that gets lighter towards the window, with soft spots of light."""
    height = len(picture.pixels)
    along = np.linspace(0, 1, height, dtype=np.float32)[:, None, None]
    picture.pixels[:] = np.float32(top) * (1 - along) + np.float32(bottom) * along
    generator = np.random.default_rng(8)
    picture.move(0, 0, 1)
    for _ in range(14):
        center = generator.uniform((0, 0), (picture.size[0], 0.75 * picture.size[1]))
        radius = generator.uniform(0.02, 0.07) * picture.size[0]
        spot = picture.mask(canvas.ellipse(tuple(center), (radius, radius)), 2)
        picture.paint(spot, (1.0, 0.95, 0.85), generator.uniform(0.06, 0.2))


def paint_bunting(picture: Picture) -> None:
    """A string of pennants across the top."""
    width = picture.size[0]
    x = np.linspace(-0.02, 1.02, 60) * width
    y = 0.035 * width + 0.05 * width * (1 - (2 * x / width - 1) ** 2)
    picture.paint(picture.line(canvas.points(x, y), 3), rgb("7a5a44"))
    colors = [rgb(code) for code in ("e2583e", "f2b134", "3f8f8b", "5b6fc4", "b65c94")]
    for number, place in enumerate(range(2, 57, 4)):
        pennant = [
            (x[place], y[place]),
            (x[place + 3], y[place + 3]),
            (x[place : place + 4].mean(), y[place] + 0.05 * width),
        ]
        picture.paint(picture.mask(pennant, 1), colors[number % len(colors)])


def draw_sample(name: str) -> np.ndarray:
    """A sample of ``SAMPLES`` as uint8 of shape (height, width, 3), RGB."""
    people = SAMPLES[name]
    if len(people) == 1:
        picture = Picture(800, 800)
        paint_backdrop(picture, rgb("f6d9b0"), rgb("f9efe0"))
        picture.move(400, 370, 170, 0.04)
        paint_person(picture, people[0][1], people[0][0])
        return picture.finish()
    picture = Picture(1600, 1000)
    paint_backdrop(picture, rgb("f4cf9f"), rgb("fbeedd"))
    paint_bunting(picture)
    places = [(540, 420, 0.05), (1060, 430, -0.06), (250, 560, -0.04), (800, 590, 0.02), (1350, 570, 0.05)]
    for (emotion, look), (x, y, roll) in zip(people, places, strict=True):
        picture.move(x, y, 128, roll)
        paint_person(picture, look, emotion)
    return picture.finish()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("directory", type=Path, help="where to write the JPEG files")
    options = parser.parse_args()
    for name in SAMPLES:
        path = options.directory / f"{name}.jpg"
        pixels = cv2.cvtColor(draw_sample(name), cv2.COLOR_RGB2BGR)
        _, data = cv2.imencode(".jpg", pixels, [cv2.IMWRITE_JPEG_QUALITY, QUALITY])
        with atomic_write(path) as temporary:
            temporary.write_bytes(data.tobytes())
        print(path)


if __name__ == "__main__":
    main()
