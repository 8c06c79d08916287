"""A frame at a detector's working size: one scale for both axes, padded to the network's grid."""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

GRID = 32


@dataclass(frozen=True, slots=True)
class Letterbox:
    """Source pixels to working pixels: `working = (source + pad) * scale`."""

    scale: float
    pad_x: float
    pad_y: float

    def to_source(self, points: NDArray[np.float32]) -> NDArray[np.float32]:
        """(..., 2k) working x, y pairs in source pixels."""
        pads = np.array([self.pad_x, self.pad_y] * (points.shape[-1] // 2), np.float32)
        return points / np.float32(self.scale) - pads


def letterbox(
    frame: NDArray[np.uint8], scale: float, border: float = 0.0
) -> tuple[NDArray[np.uint8], Letterbox]:
    """The frame scaled, with a black border of a share of its size, on the grid's multiples."""
    height, width = frame.shape[:2]
    pad_x, pad_y = round(width * border), round(height * border)
    w, h = max(1, round(width * scale)), max(1, round(height * scale))
    how = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    small = cv2.resize(frame, (w, h), interpolation=how) if (w, h) != (width, height) else frame
    left, top = round(pad_x * scale), round(pad_y * scale)
    full_w = math.ceil((w + 2 * left) / GRID) * GRID
    full_h = math.ceil((h + 2 * top) / GRID) * GRID
    if (full_w, full_h) != (w, h):
        canvas = np.zeros((full_h, full_w, 3), np.uint8)
        canvas[top : top + h, left : left + w] = small
        small = canvas
    return np.asarray(small), Letterbox(scale, left / scale, top / scale)
