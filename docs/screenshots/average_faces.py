"""The app's sample pictures: averages of many faces, which are nobody's face.

    python docs/screenshots/average_faces.py fer2013.csv src/moodlens/webapp/samples

For an emotion, the eighth of its training pictures that are most alike are averaged: each sample
is the mean of hundreds of people and shows none of them.
"""

from __future__ import annotations

import sys
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from moodlens.datasets import load_dataset
from moodlens.emotions import EMOTIONS

SIDE = 260
CANVAS = 420
ROUNDS = 3


def average(images: NDArray[np.uint8]) -> tuple[NDArray[np.uint8], int]:
    """(48, 48) uint8, and of how many pictures it is the mean."""
    x = images.astype(np.float32)
    x = (x - x.mean((1, 2), keepdims=True)) / np.maximum(x.std((1, 2), keepdims=True), 1.0)
    x = np.concatenate([x, x[:, :, ::-1]])
    count = len(x) // 8
    mean = x.mean(axis=0)
    for _ in range(ROUNDS):
        alike = np.argsort(-(x * mean).sum((1, 2)))[:count]
        mean = x[alike].mean(axis=0)
    spread = mean.max() - mean.min()
    return ((mean - mean.min()) / spread * 225 + 15).astype(np.uint8), count


def portrait(face: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The average, enlarged, fading into a plain background; (420, 420, 3) uint8."""
    large = cv2.resize(face, (SIDE, SIDE), interpolation=cv2.INTER_CUBIC).astype(np.float32)
    large = np.clip(1.6 * large - 0.6 * cv2.GaussianBlur(large, (0, 0), 3), 0, 255)
    rows, columns = np.mgrid[:SIDE, :SIDE] / (SIDE - 1) * 2 - 1
    away = np.sqrt((columns / 0.86) ** 2 + (rows / 0.97) ** 2)
    mask = np.clip((1.0 - away) / 0.12, 0.0, 1.0)
    shade = np.linspace(150, 96, CANVAS)[:, None].repeat(CANVAS, axis=1)
    start = (CANVAS - SIDE) // 2
    inside = slice(start, start + SIDE)
    shade[inside, inside] = shade[inside, inside] * (1 - mask) + large * mask
    tint = np.array([1.04, 1.0, 0.97])
    return np.clip(shade[..., None] * tint, 0, 255).astype(np.uint8)


def main() -> None:
    data, folder = Path(sys.argv[1]), Path(sys.argv[2])
    training = load_dataset(data).split("Training")
    folder.mkdir(parents=True, exist_ok=True)
    portraits = {}
    for emotion in ("happy", "surprise", "neutral"):
        chosen = training.images[training.labels == EMOTIONS.index(emotion)]
        face, count = average(chosen)
        portraits[emotion] = portrait(face)
        print(f"{emotion}: the mean of {count} pictures")
    for emotion in ("happy", "surprise"):
        cv2.imwrite(str(folder / f"average-{emotion}.png"), portraits[emotion])
    together = np.hstack([portraits[e] for e in ("neutral", "happy", "surprise")])
    cv2.imwrite(str(folder / "three-faces.png"), together)
    cv2.imwrite(str(folder / "no-face.png"), portrait(np.full((48, 48), 120, np.uint8)))


if __name__ == "__main__":
    main()
