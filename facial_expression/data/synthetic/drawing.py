"""One picture, layer by layer."""

import numpy as np

from facial_expression.data.synthetic.camera import take_picture, turn_head
from facial_expression.data.synthetic.canvas import over
from facial_expression.data.synthetic.expression import Expression, random_expression
from facial_expression.data.synthetic.features import (
    Mouth,
    draw_brow,
    draw_eye,
    draw_mouth,
    draw_nostril,
    random_eyes,
    random_mouth,
)
from facial_expression.data.synthetic.head import draw_creases, draw_light, draw_outline, draw_relief, draw_skin
from facial_expression.data.synthetic.person import Person, random_person
from facial_expression.data.synthetic.scenery import (
    draw_backdrop,
    draw_behind_head,
    draw_glasses,
    draw_hair,
    draw_hand,
)


def draw_face(emotion: str, generator: np.random.Generator) -> np.ndarray:
    """Draw one random face.

    Args:
        emotion: a name of :mod:`facial_expression.emotions`.
        generator: decides everything else; the same state gives the same picture.

    Returns:
        uint8, shape (48, 48): gray levels.

    Raises:
        ValueError: ``emotion`` is not an emotion of this project.
    """
    expression = random_expression(emotion, generator)
    person = random_person(generator)
    mouth = random_mouth(person, expression, generator)
    scene = draw_backdrop(generator)
    draw_behind_head(scene, person, generator)
    outline = draw_outline(person, expression)
    relief = draw_relief(person, expression)
    light = draw_light(relief, generator)
    surface = _draw_surface(person, expression, mouth, generator)
    scene = over(scene, surface * light * draw_creases(person, expression, mouth), outline)
    scene = draw_hair(scene, person, light, generator)
    draw_glasses(scene, person, generator)
    draw_hand(scene, person, generator)
    return take_picture(turn_head(scene, relief * outline, generator), generator)


def draw_background(generator: np.random.Generator) -> np.ndarray:
    """Draw a picture without a face (uint8, shape (48, 48)), as FER2013 has a few."""
    return take_picture(draw_backdrop(generator), generator)


def _draw_surface(person: Person, expression: Expression, mouth: Mouth, generator: np.random.Generator) -> np.ndarray:
    """The face in even light: skin and everything on it."""
    surface = draw_skin(person, generator)
    eyes = random_eyes(person, expression, generator)
    for side in (-1, 1):
        draw_eye(surface, side, person, expression, eyes)
        draw_brow(surface, side, person, expression)
        draw_nostril(surface, side, person, expression)
    draw_mouth(surface, person, expression, mouth)
    return surface
