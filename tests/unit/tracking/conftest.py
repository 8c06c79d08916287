"""A lens without networks: the test says what is on each frame."""

from __future__ import annotations

import numpy as np
import pytest

from moodlens.detection.base import Detections, Frame
from moodlens.emotions import EMOTIONS, Emotion
from moodlens.types import Face, Quality

FRAME = np.zeros((480, 640, 3), np.uint8)


def one(label: Emotion, sure: float = 0.9) -> np.ndarray:
    """(7,) probabilities, the rest spread evenly."""
    row = np.full(len(EMOTIONS), (1 - sure) / (len(EMOTIONS) - 1), np.float32)
    row[EMOTIONS.index(label)] = sure
    return row


class ScriptedDetector:
    """Gives the boxes it was told; remembers what it was asked."""

    def __init__(self) -> None:
        self.name = "yunet"
        self.boxes: list[list[float]] = []
        self.asked: list[tuple[tuple[int, ...], float]] = []

    def detect(self, frame: Frame, *, min_face_px: float = 24.0) -> Detections:
        self.asked.append((frame.shape[:2], min_face_px))
        rows = np.array(self.boxes, np.float32).reshape(-1, 4)
        return Detections(rows, np.ones(len(rows), np.float32))

    def crop_squares(self, detections: Detections) -> np.ndarray:
        rows = detections.boxes_xyxy
        center = (rows[:, :2] + rows[:, 2:]) / 2
        return np.concatenate([center, rows[:, 2:3] - rows[:, :1]], axis=1)


class ScriptedLens:
    """Judges every face by `row` and `quality`."""

    min_face_px = 24.0
    min_quality = 0.2

    def __init__(self) -> None:
        self.detector = ScriptedDetector()
        self.row = one("neutral")
        self.quality = 1.0

    def judge(self, frame: Frame, detections: Detections) -> list[Face]:
        return [
            self._face(tuple(box), self.row, EMOTIONS[int(self.row.argmax())], None, False)
            for box in detections.boxes_xyxy.tolist()
        ]

    def restate(
        self, face: Face, probabilities: np.ndarray, *, emotion: Emotion, poor: bool, track_id: int
    ) -> Face:
        return self._face(face.box_xyxy, probabilities, emotion, track_id, poor)

    def _face(
        self,
        box: tuple[float, ...],
        row: np.ndarray,
        emotion: Emotion,
        track_id: int | None,
        poor: bool,
    ) -> Face:
        return Face(
            box_xyxy=box,  # type: ignore[arg-type]
            detection_score=1.0,
            scores=dict(zip(EMOTIONS, map(float, row), strict=True)),
            emotion=emotion,
            confidence=float(row[EMOTIONS.index(emotion)]),
            uncertain=poor,
            valence=0.0,
            arousal=0.0,
            track_id=track_id,
            quality=Quality(self.quality, 80, 1, 1, 1),
        )


@pytest.fixture
def lens() -> ScriptedLens:
    made = ScriptedLens()
    made.detector.boxes = [[100.0, 100.0, 180.0, 180.0]]
    return made
