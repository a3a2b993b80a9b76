"""Moving pictures of synthetic faces: what a fake camera shows, and a video file."""

from pathlib import Path

import cv2
import numpy as np

from helpers.photos import draw, photograph

SIZE = (480, 640)


def draw_frames(count: int = 30) -> list[np.ndarray]:
    """Frames (uint8, shape ``SIZE``) of one face that sways; a white square marks the left edge."""
    still = photograph(draw("happy", 0), side=240, size=SIZE)
    frames = []
    for number in range(count):
        shift = 12 * np.sin(2 * np.pi * number / count)
        frame = cv2.warpAffine(
            still, np.float32([[1, 0, shift], [0, 1, 0]]), SIZE[::-1], borderMode=cv2.BORDER_REPLICATE
        )
        frame[:100, :100] = 255
        frames.append(frame)
    return frames


def write_camera_film(path: Path) -> Path:
    """A file for Chromium's fake camera: JPEG pictures in a row."""
    path.write_bytes(b"".join(cv2.imencode(".jpg", frame)[1].tobytes() for frame in draw_frames()))
    return path


def write_video(path: Path, frames_per_second: int = 10) -> Path:
    """A WebM video."""
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"VP80"), frames_per_second, SIZE[::-1])
    assert writer.isOpened()
    for frame in draw_frames():
        writer.write(cv2.cvtColor(frame, cv2.COLOR_GRAY2BGR))
    writer.release()
    return path
