"""How well a detector does on composed scenes, against the labels and against another one."""

from __future__ import annotations

from dataclasses import dataclass, field

import cv2
import numpy as np
from numpy.typing import NDArray

from moodlens.detection.base import Detections, Detector
from moodlens.training.detector.effects import Gray
from moodlens.training.detector.faces import AnnotatedFaces, overlap
from moodlens.training.detector.scenes import FACE

HIT = 0.5
"""Overlap from which a box is a hit."""


def to_frame(gray: Gray) -> NDArray[np.uint8]:
    """A gray picture as a (height, width, 3) frame."""
    return np.asarray(cv2.cvtColor(gray, cv2.COLOR_GRAY2BGR), np.uint8)


@dataclass
class Score:
    """Counts over scenes.

    Attributes:
        faces: faces asked for.
        found: of these, boxes with an overlap above one half.
        overlaps: of the found ones with what was asked for.
        wrong: boxes on nothing.
        sizes: of the faces asked for, pixels; parallel to `hits`.
    """

    faces: int = 0
    found: int = 0
    wrong: int = 0
    overlaps: list[float] = field(default_factory=list)
    sizes: list[float] = field(default_factory=list)
    hits: list[bool] = field(default_factory=list)

    @property
    def recall(self) -> float:
        return self.found / max(1, self.faces)

    @property
    def median_overlap(self) -> float:
        return float(np.median(self.overlaps)) if self.overlaps else 0.0

    def add(self, wanted: NDArray[np.float32], found: NDArray[np.float32]) -> None:
        """Count one scene: (n, 4) boxes asked for and (m, 4) given."""
        best = overlap(wanted, found).max(axis=1) if len(found) else np.zeros(len(wanted))
        self.faces += len(wanted)
        self.found += int((best > HIT).sum())
        self.overlaps += best[best > HIT].tolist()
        self.hits += (best > HIT).tolist()
        wh = wanted[:, 2:] - wanted[:, :2]
        self.sizes += np.sqrt(np.prod(wh, axis=1)).tolist()


def wanted_boxes(
    labels: NDArray[np.float32], low: float = 20.0, high: float = 300.0
) -> NDArray[np.float32]:
    """(n, 4) boxes of a scene's certain faces of a size."""
    boxes: NDArray[np.float32] = labels[:, :4]
    size = np.sqrt(np.prod(np.maximum(boxes[:, 2:] - boxes[:, :2], 0), axis=1))
    return np.asarray(boxes[(labels[:, 14] == FACE) & (size >= low) & (size <= high)], np.float32)


def agreed_boxes(
    labels: NDArray[np.float32], reference: Detections, low: float = 20.0, high: float = 300.0
) -> NDArray[np.float32]:
    """(n, 4) boxes of the reference detector that lie on real faces of a size."""
    real = labels[labels[:, 14] > 0][:, :4]
    boxes: NDArray[np.float32] = reference.boxes_xyxy
    if not len(boxes) or not len(real):
        return np.zeros((0, 4), np.float32)
    size = np.sqrt(np.prod(np.maximum(boxes[:, 2:] - boxes[:, :2], 0), axis=1))
    right = overlap(boxes, real).max(axis=1) > 0.4
    return np.asarray(boxes[right & (size >= low) & (size <= high)], np.float32)


def wrong_boxes(labels: NDArray[np.float32], found: Detections) -> int:
    """Boxes that touch no face, certain or doubtful, of the scene."""
    real = labels[labels[:, 14] > 0][:, :4]
    if not len(found):
        return 0
    if not len(real):
        return len(found)
    return int((overlap(found.boxes_xyxy, real).max(axis=1) < 0.2).sum())


def landmark_errors(
    faces: AnnotatedFaces, detector: Detector, *, enlarge: int = 4, air: float = 1 / 6
) -> NDArray[np.float64]:
    """(n, 5) distance of each landmark from the label in eye distances, NaN where no face is
    found, on enlarged face pictures with a border of repeated pixels."""
    errors = np.full((len(faces), 5), np.nan)
    for i, picture in enumerate(faces.pictures):
        side = picture.shape[0] * enlarge
        border = round(side * air)
        large = cv2.resize(picture, (side, side), interpolation=cv2.INTER_CUBIC)
        large = cv2.copyMakeBorder(large, border, border, border, border, cv2.BORDER_REPLICATE)
        found = detector.detect(to_frame(np.asarray(large, np.uint8)))
        if len(found) == 0 or found.landmarks is None:
            continue
        which = int(overlap(faces.boxes[i][None] * side + border, found.boxes_xyxy)[0].argmax())
        truth = faces.landmarks[i]
        marks = (found.landmarks[which] - border) / side
        eyes = float(np.linalg.norm(truth[1] - truth[0]))
        errors[i] = np.linalg.norm(marks - truth, axis=1) / max(eyes, 1e-6)
    return errors
