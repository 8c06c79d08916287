"""A face becomes the network's input: the one place, for training, evaluation and use alike."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

INPUT_SIDE = 48


def crop_square(
    frame: NDArray[np.uint8], center_x: float, center_y: float, side: float, size: int = INPUT_SIDE
) -> NDArray[np.uint8]:
    """The square of a frame, gray, at the network's size.

    Shrinking averages areas, so that no detail turns into a pattern; enlarging is bilinear.
    What lies outside the frame repeats the border's pixels.

    Args:
        frame: (height, width, 3) BGR or (height, width) gray, uint8.
        center_x: of the square, in pixels; the same for `center_y`.
        side: of the square in pixels, more than 0.
        size: side of the result in pixels.

    Returns:
        (size, size) uint8.
    """
    height, width = frame.shape[:2]
    side = max(float(side), 1.0)
    left, top = center_x - side / 2, center_y - side / 2
    x1, y1 = int(np.floor(left)), int(np.floor(top))
    x2, y2 = int(np.ceil(left + side)), int(np.ceil(top + side))
    inside = frame[
        min(max(y1, 0), height - 1) : max(min(y2, height), 1),
        min(max(x1, 0), width - 1) : max(min(x2, width), 1),
    ]
    gray = to_gray(inside)
    pads = max(-y1, 0), max(y2 - height, 0), max(-x1, 0), max(x2 - width, 0)
    if any(pads):
        limit = 4 * max(gray.shape)  # a box far outside is no face; keep memory bounded
        up, down, before, after = (min(p, limit) for p in pads)
        bordered = cv2.copyMakeBorder(gray, up, down, before, after, cv2.BORDER_REPLICATE)
        gray = np.asarray(bordered, dtype=np.uint8)
    shrinks = side > size
    how = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(gray, (size, size), interpolation=how), dtype=np.uint8)


def crop_faces(
    frame: NDArray[np.uint8], squares: NDArray[np.float32], size: int = INPUT_SIDE
) -> NDArray[np.uint8]:
    """(faces, size, size) uint8 gray from (faces, 3) squares: centre x, centre y, side."""
    if len(squares) == 0:
        return np.zeros((0, size, size), np.uint8)
    return np.stack([crop_square(frame, x, y, side, size) for x, y, side in squares.tolist()])


def to_gray(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """(height, width) uint8 by the weights of ITU-R BT.601; a gray picture stays as it is."""
    if image.ndim == 2:
        return image
    return np.asarray(cv2.cvtColor(image, cv2.COLOR_BGR2GRAY), dtype=np.uint8)


def to_input(gray: NDArray[np.uint8]) -> NDArray[np.float32]:
    """(faces, size, size) uint8 to (faces, size, size, 1) float32 in [0, 1]."""
    return (gray.astype(np.float32) / np.float32(255.0))[..., None]
