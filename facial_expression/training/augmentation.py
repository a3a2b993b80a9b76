"""Random augmentation of training faces.

Each batch has its own generator, so a resumed training sees the same images as one that was never interrupted.
"""

import cv2
import numpy as np

from facial_expression.params import Augmentation


def augment(
    images: np.ndarray, targets: np.ndarray, settings: Augmentation, generator: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Augment a batch.

    Args:
        images: uint8, shape (N, size, size).
        targets: float32, shape (N, classes), one-hot.
        settings: strengths; all zero leaves the batch unchanged.
        generator: the source of randomness.

    Returns:
        Images (uint8, or float32 in 0 to 255 after mixup) and targets (float32, rows summing to 1). The input arrays
        are not modified.
    """
    if settings.flip or settings.shift or settings.rotation or settings.scale:
        images = _move(images, settings, generator)
    if settings.contrast:
        images = _change_contrast(images, settings.contrast, generator)
    if settings.cutout:
        images = _cut_out(images, settings.cutout, generator)
    if settings.mixup:
        images, targets = _mix_up(images, targets, settings.mixup, generator)
    return images, targets


def _move(images: np.ndarray, settings: Augmentation, generator: np.random.Generator) -> np.ndarray:
    """Flip, shift, rotate and scale: one affine warp per image, or none for flips alone."""
    count, size = len(images), images.shape[1]
    angle = np.radians(generator.uniform(-settings.rotation, settings.rotation, count))
    scale = 1 + generator.uniform(-settings.scale, settings.scale, count)
    mirrored = generator.random(count) < settings.flip
    shift = generator.uniform(-settings.shift, settings.shift, (count, 2))
    if not (settings.shift or settings.rotation or settings.scale):
        moved = images.copy()
        moved[mirrored] = images[mirrored, :, ::-1]
        return moved
    mirror = np.where(mirrored, -1.0, 1.0)
    cosine, sine = scale * np.cos(angle), scale * np.sin(angle)
    linear = np.stack([mirror * cosine, -sine, mirror * sine, cosine], axis=-1).reshape(count, 2, 2)
    center = np.full(2, (size - 1) / 2)
    offset = center + shift - linear @ center
    warps = np.concatenate([linear, offset[..., None]], axis=-1)
    moved = np.empty(images.shape, np.uint8)
    for image, warp, target in zip(images, warps, moved, strict=True):
        cv2.warpAffine(image, warp, (size, size), target, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return moved


def _change_contrast(images: np.ndarray, strength: float, generator: np.random.Generator) -> np.ndarray:
    """Stretch the gray levels around each image's mean and shift them, each by up to ``strength`` of the range."""
    gain = generator.uniform(1 - strength, 1 + strength, (len(images), 1)).astype(np.float32)
    shift = 128 * generator.uniform(-strength, strength, (len(images), 1)).astype(np.float32)
    mean = images.mean(axis=(1, 2), dtype=np.float32)[:, None]
    # A table of 256 gray levels per image is cheaper than arithmetic on each pixel.
    tables = np.clip(np.rint((np.arange(256, dtype=np.float32) - mean) * gain + mean + shift), 0, 255).astype(np.uint8)
    changed = np.empty(images.shape, np.uint8)
    for image, table, target in zip(images, tables, changed, strict=True):
        cv2.LUT(image, table, target)
    return changed


def _cut_out(images: np.ndarray, side: int, generator: np.random.Generator) -> np.ndarray:
    """A gray square at a random position, possibly partly outside (DeVries and Taylor, arXiv:1708.04552)."""
    images, size = images.copy(), images.shape[1]
    for image, (row, column) in zip(images, generator.integers(0, size, (len(images), 2)), strict=True):
        top, left = max(row - side // 2, 0), max(column - side // 2, 0)
        image[top : row - side // 2 + side, left : column - side // 2 + side] = 128
    return images


def _mix_up(
    images: np.ndarray, targets: np.ndarray, alpha: float, generator: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Blend each image and its target with another of the batch (Zhang et al., arXiv:1710.09412)."""
    weight = generator.beta(alpha, alpha, len(images)).astype(np.float32)
    other = generator.permutation(len(images))
    mixed = weight[:, None, None] * images + (1 - weight)[:, None, None] * images[other]
    return mixed, weight[:, None] * targets + (1 - weight)[:, None] * targets[other]
