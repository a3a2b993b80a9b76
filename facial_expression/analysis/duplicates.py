"""Near duplicates: pictures that show the same photo with other light, crop or compression.

Candidates have similar perceptual hashes (Zauner 2010, "Implementation and Benchmarking of Perceptual Image Hash
Functions", section 3.2.1: the signs of the lowest cosine frequencies). Correlation of the gray levels then decides,
since faces of the same pose share their low frequencies.
"""

import cv2
import numpy as np
import pandas as pd
from scipy.sparse import csr_array
from scipy.sparse.csgraph import connected_components

_SIDE = 32  # of the pictures whose frequencies are taken
_LOWEST = 8  # frequencies in each direction, hence 64 bits
_MOST_DIFFERENT = 0.9999  # correlation of pictures that are not identical, such as one a gray level brighter
_CHUNK = 512  # pictures compared with all others at a time


def perceptual_hashes(images: np.ndarray) -> np.ndarray:
    """Perceptual hashes: uint64, shape (N,), of images (uint8, shape (N, size, size))."""
    bits = np.empty((len(images), _LOWEST**2), bool)
    for number, image in enumerate(images):
        small = cv2.resize(image, (_SIDE, _SIDE), interpolation=cv2.INTER_AREA).astype(np.float32)
        lowest = np.asarray(cv2.dct(small))[:_LOWEST, :_LOWEST].ravel()
        bits[number] = lowest > np.median(lowest)
    return np.packbits(bits, axis=1).view(np.uint64).ravel()


def similar_pairs(images: np.ndarray, largest_distance: int) -> pd.DataFrame:
    """Pairs of pictures with similar hashes.

    Args:
        images: uint8, shape (N, size, size).
        largest_distance: bits of 64 in which two hashes may differ.

    Returns:
        The columns ``first`` and ``second`` (indices, first < second, ascending), ``distance`` (bits) and
        ``correlation`` (of the gray levels, -1 to 1; 1 for identical pictures alone, 0 where one is of a single gray).
    """
    hashes = perceptual_hashes(images)
    found = []
    for start in range(0, len(hashes), _CHUNK):
        distances = np.bitwise_count(hashes[start : start + _CHUNK, None] ^ hashes[None, start:])
        first, second = np.nonzero(distances <= largest_distance)
        later = second > first
        first, second = first[later], second[later]
        found.append(np.stack([first + start, second + start, distances[first, second]]))
    first, second, distance = np.concatenate(found, axis=1).astype(np.int64)
    pairs = pd.DataFrame({"first": first, "second": second, "distance": distance})
    pairs["correlation"] = _correlations(images, first, second)
    return pairs


def _correlations(images: np.ndarray, first: np.ndarray, second: np.ndarray) -> np.ndarray:
    correlations = np.empty(len(first))
    for number, (one, other) in enumerate(zip(first, second, strict=True)):
        left, right = (images[index].astype(np.float64).ravel() for index in (one, other))
        left, right = left - left.mean(), right - right.mean()
        scale = np.sqrt((left**2).sum() * (right**2).sum())
        # A picture of a single gray correlates with nothing but itself.
        correlation = round((left * right).sum() / scale, 4) if scale else 0.0
        identical = np.array_equal(images[one], images[other])
        correlations[number] = 1.0 if identical else min(correlation, _MOST_DIFFERENT)
    return correlations


def group_pairs(pairs: pd.DataFrame, count: int) -> np.ndarray:
    """Number of each picture's group: int, shape (count,), equal for pictures that a chain of pairs connects."""
    links = csr_array((np.ones(len(pairs)), (pairs["first"], pairs["second"])), shape=(count, count))
    return connected_components(links, directed=False)[1]
