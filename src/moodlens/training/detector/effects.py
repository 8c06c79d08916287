"""What cameras and light do to a picture, and the borders with which things are pasted."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

Gray = NDArray[np.uint8]
Mask = NDArray[np.float32]
Chance = np.random.Generator


def between(low: float, high: float, rng: Chance) -> float:
    """Log-uniform."""
    return float(np.exp(rng.uniform(np.log(low), np.log(high))))


def paste_mask(side: int, rng: Chance, *, whole: bool = False) -> Mask:
    """(side, side) float32 in [0, 1]: the part of a square picture that is pasted.

    A hard-edged or feathered rectangle, or a hard-edged or feathered ellipse upright.

    Args:
        whole: nothing of the picture may be cut off but the corners.
    """
    mask = np.zeros((side, side), np.float32)
    kind = rng.random()
    feather = 0.0 if rng.random() < 0.4 else float(rng.uniform(0.02, 0.12)) * side
    if kind < 0.45:
        inset = round(feather)
        if not whole and rng.random() < 0.3:
            inset += int(rng.uniform(0, 0.06) * side)
        mask[inset : side - inset, inset : side - inset] = 1
    else:
        axes = rng.uniform(0.42, 0.52), rng.uniform(0.49, 0.56)
        centre = side / 2, side * rng.uniform(0.49, 0.52)
        cv2.ellipse(
            mask,
            (round(centre[0]), round(centre[1])),
            (round(axes[0] * side - feather / 2), round(axes[1] * side - feather / 2)),
            0, 0, 360, 1.0, -1, cv2.LINE_AA,
        )  # fmt: skip
    if feather >= 1:
        mask = np.asarray(cv2.GaussianBlur(mask, (0, 0), feather / 2), np.float32)
    return mask


def tone(picture: Gray, rng: Chance, strength: float = 1.0) -> Gray:
    """Another exposure: gamma, contrast and brightness by one table."""
    x = np.arange(256, dtype=np.float32) / 255
    x = x ** np.float32(np.exp(rng.normal(0, 0.35 * strength)))
    gain = np.exp(rng.normal(0, 0.25 * strength))
    x = (x - 0.5) * gain + 0.5 + rng.normal(0, 0.08 * strength)
    return np.asarray(cv2.LUT(picture, np.clip(x * 255, 0, 255).astype(np.uint8)), np.uint8)


def degrade(picture: Gray, rng: Chance) -> Gray:
    """A whole picture as a camera may give it: light, blur, noise, compression."""
    if rng.random() < 0.3:
        picture = _side_light(picture, rng)
    if rng.random() < 0.6:
        picture = tone(picture, rng, 1.0 if rng.random() < 0.8 else 2.0)
    kind = rng.random()
    if kind < 0.12:
        picture = np.asarray(cv2.GaussianBlur(picture, (0, 0), rng.uniform(0.5, 1.6)), np.uint8)
    elif kind < 0.18:
        picture = _motion_blur(picture, rng)
    elif kind < 0.28:
        picture = sharpen(picture, rng)
    if rng.random() < 0.3:
        noise = rng.normal(0, rng.uniform(2, 14), picture.shape).astype(np.float32)
        picture = np.clip(picture + noise, 0, 255).astype(np.uint8)
    if rng.random() < 0.35:
        quality = [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(20, 90))]
        packed = cv2.imencode(".jpg", picture, quality)[1]
        picture = np.asarray(cv2.imdecode(packed, cv2.IMREAD_GRAYSCALE), np.uint8)
    return picture


def sharpen(picture: Gray, rng: Chance) -> Gray:
    """Unsharp masking, as small cameras do: enlarged faces regain hard edges."""
    amount, radius = rng.uniform(0.5, 2.5), rng.uniform(0.8, 3)
    soft = cv2.GaussianBlur(picture, (0, 0), radius)
    return np.asarray(cv2.addWeighted(picture, 1 + amount, soft, -amount, 0), np.uint8)


def grain(picture: Gray, rng: Chance) -> Gray:
    """Fine texture, as skin and cloth have it: an enlarged 48-pixel face has none of its own."""
    height, width = picture.shape
    texture = rng.normal(0, rng.uniform(3, 12), (height, width)).astype(np.float32)
    if rng.random() < 0.6:
        texture = cv2.GaussianBlur(texture, (0, 0), rng.uniform(0.6, 1.5)) * np.float32(2)
    weight = picture.astype(np.float32) / 255
    return np.clip(picture + texture * (0.4 + weight), 0, 255).astype(np.uint8)


def _side_light(picture: Gray, rng: Chance) -> Gray:
    """A ramp of light across the picture."""
    height, width = picture.shape
    angle = rng.uniform(0, 2 * np.pi)
    x = np.linspace(-1, 1, width, dtype=np.float32)[None] * np.cos(angle)
    y = np.linspace(-1, 1, height, dtype=np.float32)[:, None] * np.sin(angle)
    ramp = np.exp((x + y) * rng.uniform(0.1, 0.8)).astype(np.float32)
    return np.asarray(np.clip(picture * ramp, 0, 255), np.uint8)


def _motion_blur(picture: Gray, rng: Chance) -> Gray:
    """The picture smeared along a line of 3 to 9 pixels."""
    size = int(rng.integers(1, 5)) * 2 + 1
    kernel = np.zeros((size, size), np.float32)
    angle, half = rng.uniform(0, np.pi), size // 2
    dx, dy = np.cos(angle) * half, np.sin(angle) * half
    ends = (round(half - dx), round(half - dy)), (round(half + dx), round(half + dy))
    cv2.line(kernel, ends[0], ends[1], 1.0)
    return np.asarray(cv2.filter2D(picture, -1, kernel / kernel.sum()), np.uint8)
