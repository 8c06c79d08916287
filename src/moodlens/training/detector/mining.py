"""Hard negatives: what a trained detector takes for a face where there is none."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from moodlens.detection.base import Detections
from moodlens.training.detector.effects import Gray
from moodlens.training.detector.recipe import MiningRecipe

Detect = Callable[[NDArray[np.uint8]], Detections]
"""A detector with a low threshold, on (height, width, 3) BGR frames."""
AIR = 1.5
"""A patch shows so many sides of the wrong box: what surrounds it explains it."""
SMALLEST_PATCH = 12


def mine(
    pictures: Iterable[Gray],
    detect: Detect,
    recipe: MiningRecipe,
    report: Callable[[int], None] = lambda _done: None,
) -> list[Gray]:
    """Square patches around wrong boxes, the most confident first, at most `recipe.most`.

    Args:
        pictures: gray, without a face, each searched at every scale of the recipe, and mirrored.
        detect: the detector that is to improve.
        recipe: scales and threshold.
        report: told how many pictures are done.
    """
    patches: list[tuple[float, Gray]] = []
    for done, picture in enumerate(pictures, 1):
        for scale in recipe.scales:
            seen = _scaled(picture, scale)
            if seen is None:
                continue
            for view in (seen, np.ascontiguousarray(seen[:, ::-1])):
                found = detect(np.asarray(cv2.cvtColor(view, cv2.COLOR_GRAY2BGR), np.uint8))
                patches += _cut(view, found, recipe.score)
        report(done)
    patches.sort(key=lambda item: -item[0])
    return [patch for _, patch in patches[: recipe.most]]


def _scaled(picture: Gray, scale: float) -> Gray | None:
    height, width = (round(n * scale) for n in picture.shape)
    if min(height, width) < 48 or max(height, width) > 1600:
        return None
    how = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(picture, (width, height), interpolation=how), np.uint8)


def _cut(picture: Gray, found: Detections, least: float) -> list[tuple[float, Gray]]:
    patches = []
    height, width = picture.shape
    for box, score in zip(found.boxes_xyxy, found.scores, strict=True):
        if score < least:
            continue
        side = round(min(float(max(box[2] - box[0], box[3] - box[1])) * AIR, height, width))
        left = round(float(np.clip((box[0] + box[2] - side) / 2, 0, width - side)))
        top = round(float(np.clip((box[1] + box[3] - side) / 2, 0, height - side)))
        if side >= SMALLEST_PATCH:
            patches.append((float(score), picture[top : top + side, left : left + side].copy()))
    return patches


def empty_scenes(
    images: NDArray[np.uint8], labels: NDArray[np.float32], most: int
) -> Sequence[Gray]:
    """Of composed scenes those that hold no face: drawings, patterns and pasted things."""
    chosen = np.flatnonzero((labels[:, :, 14] == 0).all(axis=1))[:most]
    return [images[i] for i in chosen]
