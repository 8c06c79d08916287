"""How well a face can be judged: size, sharpness, light, cut-off and pose, each as a number."""

from __future__ import annotations

import math
from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from moodlens.types import Box, Quality

# Sharpness is the energy of the Laplacian over the energy of the picture (its variance), on a
# logarithmic scale: the share does not change with contrast. On FER2013's PublicTest its median
# is 0.72 and 99 % lie above 0.22; blurred by a Gaussian of 1, 2 and 3 pixels the medians are
# 0.063, 0.011 and 0.004.
BLURRED_SHARE = 0.003
SHARP_SHARE = 0.3
_FLAT = 20.0
"""Added to the variance, so that the noise of an even area does not pass for detail."""
ROUNDING = 20 / 12
"""Energy that rounding to whole gray levels leaves in the Laplacian (weights 1 1 1 1 -4)."""

DARK, DIM, BRIGHT, BURNT = 8.0, 40.0, 215.0, 247.0
"""Mean gray levels: useless, good, good, useless. FER2013 lies between 51 and 200 (98 %)."""
LOW_CONTRAST = 20.0
"""Standard deviation of the gray levels from which a face is well lit; FER2013: 99 % above 25."""

SMALLEST_PX, ENOUGH_PX = 8.0, 36.0
"""Face widths: nothing to see; as much detail as the network's input can hold."""
NOSE_DEPTH = 0.45
"""How far the nose's tip stands out of the plane of eyes and mouth corners, in distances between
the eyes: a rounded mean of generic head models. Persons differ by a quarter of it."""


def measure_quality(
    crop: NDArray[np.uint8],
    box: Box,
    square: Sequence[float] | NDArray[np.float32],
    landmarks: NDArray[np.float32] | None,
    frame_hw: tuple[int, ...],
) -> Quality:
    """The quality of one face.

    Args:
        crop: (side, side) uint8 gray, as the network sees it.
        box: x1, y1, x2, y2 of the face in source pixels.
        square: centre x, centre y and side of the crop in source pixels.
        landmarks: (5, 2) eyes, nose tip, mouth corners in source pixels, left ones first; or None.
        frame_hw: height and width of the picture.

    Returns:
        Every part as a number; `score` is the product of what each part leaves over, so one
        fault is enough to spoil a face.
    """
    face_px = min(box[2] - box[0], box[3] - box[1])
    mean, deviation = _mean_deviation(crop)
    sharpness = _sharpness(crop, deviation)
    exposure = min(
        _ramp(mean, DARK, DIM),
        1.0 - _ramp(mean, BRIGHT, BURNT),
        _ramp(deviation, 0.0, LOW_CONTRAST),
    )
    visible = visible_share(square, frame_hw)
    roll, yaw = (None, None) if landmarks is None else head_angles(landmarks)
    score = (
        _ramp(face_px, SMALLEST_PX, ENOUGH_PX)
        * _ramp(sharpness, 0.0, 0.6)
        * exposure
        * _ramp(visible, 0.4, 0.9)
        * (1.0 if yaw is None else 1.0 - 0.8 * _ramp(abs(yaw), 30.0, 70.0))
        * (1.0 if roll is None else 1.0 - 0.8 * _ramp(abs(roll), 30.0, 75.0))
    )
    return Quality(
        score=score,
        face_px=face_px,
        sharpness=sharpness,
        exposure=exposure,
        visible=visible,
        roll_deg=roll,
        yaw_deg=yaw,
    )


def visible_share(
    square: Sequence[float] | NDArray[np.float32], frame_hw: tuple[int, ...]
) -> float:
    """Share of a square (centre x, centre y, side) that lies inside the picture, 0 to 1."""
    x, y, side = (float(v) for v in square)
    if side <= 0.0:
        return 0.0
    width = min(x + side / 2, frame_hw[1]) - max(x - side / 2, 0.0)
    height = min(y + side / 2, frame_hw[0]) - max(y - side / 2, 0.0)
    return min(max(width, 0.0) * max(height, 0.0) / (side * side), 1.0)


def head_angles(landmarks: NDArray[np.float32]) -> tuple[float, float]:
    """Roll and yaw of the head in degrees from five points.

    Roll is the slope of the line through the eyes, clockwise positive. For yaw, the midpoints of
    the eyes and of the mouth corners give the head's middle line. Under weak perspective a head
    turned by `a` shows the nose's tip `NOSE_DEPTH * w * sin(a)` beside that line and the eyes
    `w * cos(a)` apart, so the ratio of the two is `NOSE_DEPTH * tan(a)`.

    Args:
        landmarks: (5, 2), eyes, nose tip, mouth corners; of each pair the left one first.

    Returns:
        Roll, and yaw, positive when the nose points to the picture's right; yaw within 90.
    """
    (lx, ly), (rx, ry), (nx, ny), (ax, ay), (bx, by) = landmarks.tolist()
    apart_x, apart_y = rx - lx, ry - ly
    apart = math.hypot(apart_x, apart_y)
    roll = math.degrees(math.atan2(apart_y, apart_x)) if apart > 0.0 else 0.0
    top_x, top_y = (lx + rx) / 2, (ly + ry) / 2
    down_x, down_y = (ax + bx) / 2 - top_x, (ay + by) / 2 - top_y
    length = math.hypot(down_x, down_y)
    if length == 0.0:
        return roll, 0.0
    # The part of (nose - top) across the middle line; positive to the line's right side.
    aside = ((nx - top_x) * down_y - (ny - top_y) * down_x) / length
    return roll, math.degrees(math.atan2(aside, NOSE_DEPTH * max(apart, 1e-6)))


def _mean_deviation(crop: NDArray[np.uint8]) -> tuple[float, float]:
    mean, deviation = cv2.meanStdDev(crop)
    return float(mean[0, 0]), float(deviation[0, 0])


def _sharpness(crop: NDArray[np.uint8], deviation: float) -> float:
    edges = cv2.Laplacian(crop, cv2.CV_16S)
    energy = max(_mean_deviation(edges)[1] ** 2 - ROUNDING, 0.0)  # type: ignore[arg-type]
    share = energy / (deviation * deviation + _FLAT)
    return _ramp(math.log(max(share, 1e-9)), math.log(BLURRED_SHARE), math.log(SHARP_SHARE))


def _ramp(value: float, low: float, high: float) -> float:
    """0 up to `low`, 1 from `high`, straight between."""
    return min(max((value - low) / (high - low), 0.0), 1.0)
