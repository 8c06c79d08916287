"""Boxes as (n, 4) float32 arrays: x1, y1, x2, y2 in pixels."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Boxes = NDArray[np.float32]


def iou_matrix(a: Boxes, b: Boxes) -> NDArray[np.float32]:
    """(len(a), len(b)) intersection over union, 0 to 1; 0 for boxes without area."""
    corner_1 = np.maximum(a[:, None, :2], b[None, :, :2])
    corner_2 = np.minimum(a[:, None, 2:], b[None, :, 2:])
    shared = np.maximum(corner_2 - corner_1, 0.0).prod(axis=2)
    area_a = np.maximum(a[:, 2:] - a[:, :2], 0.0).prod(axis=1)
    area_b = np.maximum(b[:, 2:] - b[:, :2], 0.0).prod(axis=1)
    union = area_a[:, None] + area_b[None, :] - shared
    return np.asarray(
        np.where(union > 0.0, shared / np.maximum(union, 1e-9), 0.0), dtype=np.float32
    )


def unique_boxes(boxes: Boxes, scores: NDArray[np.float32], overlap: float = 0.4) -> list[int]:
    """Indices of the boxes left when of two that overlap more the lower score goes."""
    if len(boxes) < 2:
        return list(range(len(boxes)))
    overlaps = iou_matrix(boxes, boxes)
    kept: list[int] = []
    for i in np.argsort(-scores, kind="stable").tolist():
        if all(overlaps[i, j] <= overlap for j in kept):
            kept.append(i)
    return kept


def region_around(
    box: tuple[float, float, float, float], reach: float, frame_hw: tuple[int, int]
) -> tuple[int, int, int, int] | None:
    """The box enlarged `reach` times about its centre, cut to the frame.

    Returns:
        x1, y1, x2, y2 as whole pixels with x1 < x2 and y1 < y2, or None when nothing of it lies
        on the frame.
    """
    center_x, center_y = (box[0] + box[2]) / 2, (box[1] + box[3]) / 2
    half = max(box[2] - box[0], box[3] - box[1]) * reach / 2
    x1, y1 = max(int(center_x - half), 0), max(int(center_y - half), 0)
    x2 = min(int(np.ceil(center_x + half)), frame_hw[1])
    y2 = min(int(np.ceil(center_y + half)), frame_hw[0])
    return (x1, y1, x2, y2) if x1 < x2 and y1 < y2 else None
