"""Where to look for faces on the next frame of a stream."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from moodlens.tracking.boxes import region_around, unique_boxes

if TYPE_CHECKING:
    from moodlens.detection.base import Detections, Detector, Frame

HAAR_EVERY = 10
"""A cascade over the whole frame costs many times what it does around a face."""
REACH = 2.0
"""Side of the region that is searched, in sides of the face."""
SHRINK = 0.65
"""The smallest face looked for there, in sides of the known face."""


def default_detect_every(detector: Detector) -> int:
    """On which frames a detector should see the whole picture: 1 is every frame."""
    return HAAR_EVERY if detector.name == "haar" else 1


def detect_near(
    detector: Detector,
    frame: Frame,
    expected: Sequence[tuple[float, float, float, float]],
    *,
    min_face_px: float,
) -> Detections | None:
    """Faces around the places where they should be.

    Args:
        detector: any.
        frame: (height, width, 3) BGR.
        expected: x1, y1, x2, y2 of the faces in pixels.
        min_face_px: never look for smaller ones.

    Returns:
        The faces in pixels of the frame, or None when one of them was not found, so the whole
        frame has to be searched.
    """
    parts: list[Detections] = []
    for box in expected:
        region = region_around(box, REACH, (frame.shape[0], frame.shape[1]))
        if region is None:
            return None
        x1, y1, x2, y2 = region
        size = min(box[2] - box[0], box[3] - box[1])
        found = detector.detect(frame[y1:y2, x1:x2], min_face_px=max(min_face_px, size * SHRINK))
        if not len(found):
            return None
        parts.append(_shifted(found, x1, y1))
    merged = parts[0] if len(parts) == 1 else _joined(parts)
    kept = unique_boxes(merged.boxes_xyxy, merged.scores)
    if len(kept) < len(expected):
        return None
    return merged if len(kept) == len(merged) else merged.select(np.array(kept, np.intp))


def _shifted(found: Detections, x: int, y: int) -> Detections:
    boxes = found.boxes_xyxy + np.array([x, y, x, y], np.float32)
    marks = found.landmarks
    return replace(
        found,
        boxes_xyxy=boxes,
        landmarks=None if marks is None else marks + np.array([x, y], np.float32),
    )


def _joined(parts: list[Detections]) -> Detections:
    marks = [part.landmarks for part in parts if part.landmarks is not None]
    return replace(
        parts[0],
        boxes_xyxy=np.concatenate([part.boxes_xyxy for part in parts]),
        scores=np.concatenate([part.scores for part in parts]),
        landmarks=np.concatenate(marks) if len(marks) == len(parts) else None,
    )
