"""YuNet on ONNX Runtime, decoded here: Wu et al. 2023, "YuNet: a tiny millisecond-level face
detector" (Machine Intelligence Research 20). The file is OpenCV Zoo's, MIT licence."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from moodlens.detection.base import Detections, Frame
from moodlens.detection.framing import (
    YUNET_SIDES_OF_HEIGHT,
    YUNET_SIDES_OF_WIDTH,
    squares_from_boxes,
)
from moodlens.detection.letterbox import letterbox
from moodlens.recognition.classifier import open_session

STRIDES = (8, 16, 32)
SMALLEST_PX = 12.0
"""Faces of this size in working pixels are found."""
MAX_SIDE = 1280
SECOND_LOOK_SIDE = 640
FILLED_LOOK_SIDE = 192
FILLED_BORDER = 0.25


class YuNet:
    """Boxes and five landmarks from a 3-scale anchor-free network."""

    name = "yunet"

    def __init__(self, path: Path, *, threads: int = 1, min_score: float = 0.5) -> None:
        self._session = open_session(path, threads)
        self._outputs = [f"{k}_{s}" for k in ("cls", "obj", "bbox", "kps") for s in STRIDES]
        self._min_score = min_score

    def detect(self, frame: Frame, *, min_face_px: float = 24.0) -> Detections:
        longest = max(frame.shape[:2])
        scale = min(1.0, SMALLEST_PX / max(min_face_px, 1.0), MAX_SIDE / longest)
        found = self._look(frame, scale, 0.0)
        closer = min(1.0, SECOND_LOOK_SIDE / longest)
        if len(found) == 0 and closer > 1.3 * scale:  # hard to see, not small: look closer
            found = self._look(frame, closer, 0.0)
        if len(found) == 0:  # a face that fills the frame is found with air around it
            found = self._look(frame, min(1.0, FILLED_LOOK_SIDE / longest), FILLED_BORDER)
        return found

    def _look(self, frame: Frame, scale: float, border: float) -> Detections:
        working, box = letterbox(frame, scale, border)
        blob = np.ascontiguousarray(working.transpose(2, 0, 1)[None], dtype=np.float32)
        raw = self._session.run(self._outputs, {"input": blob})
        cls, obj, bbox, kps = (np.concatenate(raw[i : i + 3], axis=1)[0] for i in (0, 3, 6, 9))
        scores = np.sqrt(np.clip(cls[:, 0], 0, 1) * np.clip(obj[:, 0], 0, 1))
        likely = np.flatnonzero(scores > self._min_score)
        if len(likely) == 0:
            return Detections.empty()
        grid = anchors(working.shape[0], working.shape[1])[likely]
        stride = grid[:, 2:3]
        center = (grid[:, :2] + bbox[likely, :2]) * stride
        half = np.exp(bbox[likely, 2:]) * stride / 2
        boxes = np.concatenate([center - half, center + half], axis=1)
        marks = (kps[likely].reshape(-1, 5, 2) + grid[:, None, :2]) * stride[:, None]
        kept = suppress(boxes, scores[likely])
        return Detections(
            box.to_source(boxes[kept]).astype(np.float32),
            scores[likely][kept].astype(np.float32),
            box.to_source(marks[kept]).astype(np.float32),
        )

    def crop_squares(self, detections: Detections) -> NDArray[np.float32]:
        return squares_from_boxes(detections, YUNET_SIDES_OF_WIDTH, YUNET_SIDES_OF_HEIGHT)


@lru_cache(maxsize=16)
def anchors(height: int, width: int) -> NDArray[np.float32]:
    """(cells, 3): column, row and stride of every cell, stride by stride."""
    parts = []
    for stride in STRIDES:
        rows, columns = np.mgrid[: height // stride, : width // stride]
        full = np.full(rows.size, stride)
        parts.append(np.stack([columns.ravel(), rows.ravel(), full], axis=1))
    return np.concatenate(parts).astype(np.float32)


def suppress(
    boxes: NDArray[np.float32], scores: NDArray[np.float32], overlap: float = 0.3
) -> NDArray[np.intp]:
    """Indices of the best boxes, no two of which overlap by more."""
    wh = np.concatenate([boxes[:, :2], boxes[:, 2:] - boxes[:, :2]], axis=1)
    kept = cv2.dnn.NMSBoxes(wh.tolist(), scores.tolist(), 0.0, overlap)
    return np.asarray(kept, dtype=np.intp).reshape(-1)
