"""A contact sheet of composed scenes, to look at before training on them."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from moodlens.training.detector.scenes import FACE, Scene, SceneComposer

GREEN, RED, YELLOW = (0, 255, 0), (0, 0, 255), (0, 255, 255)


def contact_sheet(
    composer: SceneComposer, *, columns: int = 6, rows: int = 4, first: int = 0
) -> NDArray[np.uint8]:
    """Scenes side by side: faces in green, doubtful ones in red, landmarks in yellow.

    Returns:
        (rows * height, columns * width, 3) BGR uint8.
    """
    scenes = [draw_labels(composer.compose(first + i)) for i in range(rows * columns)]
    lines = [np.hstack(scenes[i : i + columns]) for i in range(0, len(scenes), columns)]
    return np.vstack(lines)


def draw_labels(scene: Scene) -> NDArray[np.uint8]:
    """A scene with its labels drawn on it, BGR."""
    drawn = np.asarray(cv2.cvtColor(scene.image, cv2.COLOR_GRAY2BGR), np.uint8)
    for label in scene.labels:
        x1, y1, x2, y2 = (round(float(v)) for v in label[:4])
        cv2.rectangle(drawn, (x1, y1), (x2, y2), GREEN if label[14] == FACE else RED, 1)
        for x, y in label[4:14].reshape(5, 2):
            cv2.circle(drawn, (round(float(x)), round(float(y))), 1, YELLOW, -1)
    return drawn
