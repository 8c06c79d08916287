"""Frames for measurements, made by code: as many faces as wanted on an even background."""

from __future__ import annotations

import math
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from moodlens.errors import SettingsError
from moodlens.imaging import load_image

SAMPLES = Path(__file__).parents[1] / "webapp" / "samples"
"""Pictures of averages of hundreds of faces: they show nobody."""
FACE_PICTURES = ("average-happy.png", "average-surprise.png")
BACKGROUND = 112
STEP_PX = 2
"""How far the faces move from one frame to the next."""


def face_pictures(image: Path | None = None) -> list[NDArray[np.uint8]]:
    """The pictures that frames are made of: (height, width, 3) BGR.

    Args:
        image: a picture of the user's with one face; None: the packaged average faces.

    Raises:
        ImageError: it can't be read. SettingsError: this install holds no sample faces.
    """
    if image is not None:
        return [load_image(image)]
    paths = [SAMPLES / name for name in FACE_PICTURES]
    if not all(path.is_file() for path in paths):
        raise SettingsError("the sample faces are not part of this install; add --image PICTURE")
    return [load_image(path) for path in paths]


def make_frames(
    pictures: list[NDArray[np.uint8]], width: int, height: int, faces: int, count: int = 8
) -> list[NDArray[np.uint8]]:
    """Frames with the pictures in a grid, each as large as its cell allows.

    Args:
        pictures: taken in turns; their proportions are kept.
        width: of a frame in pixels; the same for `height`.
        faces: how many pictures on a frame, 1 or more.
        count: how many frames; from one to the next everything moves by a few pixels, to and
            fro, so that nothing can be kept between them.

    Returns:
        `count` arrays (height, width, 3) uint8 BGR.
    """
    columns, rows = _grid(width, height, faces)
    cell_w, cell_h = width / columns, height / rows
    room = STEP_PX * 3
    frames = []
    for index in range(count):
        shift = STEP_PX * (abs(index % 6 - 3))
        frame = np.full((height, width, 3), BACKGROUND, np.uint8)
        for face in range(faces):
            picture = pictures[face % len(pictures)]
            scale = min((cell_w - room) / picture.shape[1], (cell_h - room) / picture.shape[0])
            w, h = (max(1, int(side * scale)) for side in picture.shape[1::-1])
            how = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
            row, column = divmod(face, columns)
            x = int(column * cell_w + (cell_w - room - w) / 2) + shift
            y = int(row * cell_h + (cell_h - room - h) / 2) + shift
            frame[y : y + h, x : x + w] = cv2.resize(picture, (w, h), interpolation=how)
        frames.append(frame)
    return frames


def _grid(width: int, height: int, cells: int) -> tuple[int, int]:
    """Columns and rows whose cells hold the largest squares."""

    def square(columns: int) -> float:
        return min(width / columns, height / math.ceil(cells / columns))

    columns = max(range(1, cells + 1), key=square)
    return columns, math.ceil(cells / columns)
