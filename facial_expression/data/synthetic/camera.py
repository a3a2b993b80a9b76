"""How the camera sees the drawing: the head turned and placed in the picture, and the picture taken."""

import cv2
import numpy as np

from facial_expression.data.synthetic.canvas import FACE_UNIT, MARGIN, ORIGIN, PICTURE_SIDE, SIDE, SUPERSAMPLING, blur

_YAW, _PITCH, _ROLL = 0.28, 0.12, 0.16  # standard deviations, radians
_SCALE, _SHIFT = 0.09, 1.6 * SUPERSAMPLING  # standard deviations, as a share and in pixels of the canvas
# Faces below about 14 pixels of half width escape dlib's detector, as many of FER2013's do.
_FAR_CHANCE, _FAR_SCALE = 0.25, (0.62, 0.82)
_NOISE = (0.003, 0.018)  # standard deviation
_PIVOT_HEIGHT = np.float32(0.35)  # the height that stays in place when the head turns, in face units
_PIVOT = np.array([ORIGIN[0], SIDE / 2], np.float32)
_INSIDE_MARGIN = np.arange(MARGIN, SIDE - MARGIN, dtype=np.float32)
_COLUMNS, _ROWS = np.meshgrid(_INSIDE_MARGIN, _INSIDE_MARGIN)


def turn_head(scene: np.ndarray, relief: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    """The scene with the head turned, tilted, scaled and moved, without its margin.

    Turning moves what is high sideways, in proportion to its height: a parallax, true for small angles.

    Args:
        scene: the layer to turn.
        relief: height above the picture plane in face units, 0 beside the head.
        generator: draws the angles, the scale and the place.
    """
    yaw, pitch, roll = generator.normal(0, (_YAW, _PITCH, _ROLL))
    far = generator.random() < _FAR_CHANCE
    scale = generator.uniform(*_FAR_SCALE) if far else generator.normal(1, _SCALE)
    shift = generator.normal(0, _SHIFT, 2).astype(np.float32)
    cosine, sine = np.float32(np.cos(roll) / scale), np.float32(np.sin(roll) / scale)
    x, y = _COLUMNS - _PIVOT[0] - shift[0], _ROWS - _PIVOT[1] - shift[1]
    source_x, source_y = cosine * x + sine * y + _PIVOT[0], cosine * y - sine * x + _PIVOT[1]
    height = cv2.remap(blur(relief, 0.05), source_x, source_y, cv2.INTER_LINEAR) - _PIVOT_HEIGHT
    source_x -= np.float32(FACE_UNIT * np.sin(yaw)) * height
    source_y += np.float32(FACE_UNIT * np.sin(pitch)) * height
    return cv2.remap(scene, source_x, source_y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)


def take_picture(view: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    """What the camera sees, a layer without margin, as uint8 of shape (48, 48): out of focus, exposed and noisy."""
    sigma = SUPERSAMPLING * generator.uniform(0.25, 0.60)
    focused = cv2.GaussianBlur(view, (0, 0), sigma)
    small = cv2.resize(focused, (PICTURE_SIDE, PICTURE_SIDE), interpolation=cv2.INTER_AREA).astype(np.float64)
    contrast, brightness = generator.uniform(0.8, 1.4), np.clip(generator.normal(0.5, 0.09), 0.28, 0.75)
    exposed = (small - small.mean()) * contrast + brightness
    noisy = exposed + generator.normal(0, generator.uniform(*_NOISE), small.shape)
    return np.round(np.clip(noisy, 0, 1) * 255).astype(np.uint8)
