"""The results: what was found on a frame, as frozen, validated values."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from moodlens.emotions import EMOTIONS, Emotion

Box = tuple[float, float, float, float]
"""x1, y1, x2, y2 in pixels of the source picture; (0, 0) is its top left corner."""

Point = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Quality:
    """How well a face can be judged, each part a number.

    Attributes:
        score: the whole, 0 (useless) to 1 (good).
        face_px: the shorter side of the face's box in pixels.
        sharpness: 0 (blurred) to 1 (sharp), of the face at the network's input size.
        exposure: 0 (black or burnt out) to 1 (well lit).
        visible: share of the crop that lies inside the picture, 0 to 1.
        roll_deg: lean of the head in degrees, clockwise positive; None without landmarks.
        yaw_deg: turn of the head in degrees, positive to the picture's right, a rough estimate;
            None without landmarks.
    """

    score: float
    face_px: float
    sharpness: float
    exposure: float
    visible: float
    roll_deg: float | None = None
    yaw_deg: float | None = None

    def to_dict(self) -> dict[str, float | None]:
        """Plain numbers, rounded to what they can bear."""
        return {
            "score": round(self.score, 4),
            "face_px": round(self.face_px, 1),
            "sharpness": round(self.sharpness, 4),
            "exposure": round(self.exposure, 4),
            "visible": round(self.visible, 4),
            "roll_deg": None if self.roll_deg is None else round(self.roll_deg, 1),
            "yaw_deg": None if self.yaw_deg is None else round(self.yaw_deg, 1),
        }


@dataclass(frozen=True, slots=True)
class Face:
    """One face and its apparent emotion.

    Attributes:
        box_xyxy: the face in source pixels.
        detection_score: the detector's certainty, 0 to 1.
        scores: seven calibrated probabilities that sum to 1.
        emotion: the label shown: the likeliest one, or on a stream the one held steady.
        confidence: probability of `emotion`, 0 to 1.
        uncertain: the 90 % prediction set has more than two labels, or the face is too poor.
        valence: unpleasant to pleasant, -1 to 1. arousal: calm to excited, -1 to 1.
        track_id: stable number of the person on a stream; None on single pictures.
        prediction_set: the labels that together hold the true one nine times in ten,
            likeliest first; empty when the model was not calibrated for it.
        landmarks: eyes, nose tip, mouth corners (left first, as seen in the picture) in source
            pixels; None when the detector gives none.
        quality: how well the face can be judged; None when not measured.
    """

    box_xyxy: Box
    detection_score: float
    scores: Mapping[Emotion, float]
    emotion: Emotion
    confidence: float
    uncertain: bool
    valence: float
    arousal: float
    track_id: int | None = None
    prediction_set: tuple[Emotion, ...] = ()
    landmarks: tuple[Point, Point, Point, Point, Point] | None = None
    quality: Quality | None = None

    def __post_init__(self) -> None:
        x1, y1, x2, y2 = self.box_xyxy
        if not all(map(math.isfinite, self.box_xyxy)) or x2 < x1 or y2 < y1:
            raise ValueError(f"a box must be x1 <= x2, y1 <= y2 and finite, not {self.box_xyxy}")
        if tuple(self.scores) != EMOTIONS:
            raise ValueError(f"scores must name {EMOTIONS} in this order, not {tuple(self.scores)}")
        if abs(sum(self.scores.values()) - 1.0) > 1e-3:
            raise ValueError(f"scores must sum to 1, not {sum(self.scores.values()):.4f}")

    @property
    def width(self) -> float:
        return self.box_xyxy[2] - self.box_xyxy[0]

    @property
    def height(self) -> float:
        return self.box_xyxy[3] - self.box_xyxy[1]

    @property
    def area(self) -> float:
        """In square pixels."""
        return self.width * self.height

    def to_dict(self) -> dict[str, Any]:
        """The JSON contract of `moodlens analyze --format json`, one face."""
        return {
            "box_xyxy": [round(v, 1) for v in self.box_xyxy],
            "detection_score": round(self.detection_score, 4),
            "track_id": self.track_id,
            "emotion": self.emotion,
            "confidence": round(self.confidence, 4),
            "uncertain": self.uncertain,
            "scores": {label: round(p, 4) for label, p in self.scores.items()},
            "valence": round(self.valence, 4),
            "arousal": round(self.arousal, 4),
            "prediction_set": list(self.prediction_set),
            "landmarks": (
                None
                if self.landmarks is None
                else [[round(x, 1), round(y, 1)] for x, y in self.landmarks]
            ),
            "quality": None if self.quality is None else self.quality.to_dict(),
        }


@dataclass(frozen=True, slots=True)
class EmotionChange:
    """The displayed emotion of a track changed, and the change has lasted long enough to count.

    Attributes:
        track_id: whose.
        from_emotion: what was shown before; None for the first label of a track.
        to_emotion: what is shown now.
        at_s: time on the stream's own clock, in seconds.
        confidence: smoothed probability of `to_emotion`, 0 to 1.
    """

    track_id: int
    from_emotion: Emotion | None
    to_emotion: Emotion
    at_s: float
    confidence: float

    def to_dict(self) -> dict[str, Any]:
        return {
            "event": "emotion_changed",
            "track_id": self.track_id,
            "from": self.from_emotion,
            "to": self.to_emotion,
            "at_s": round(self.at_s, 3),
            "confidence": round(self.confidence, 4),
        }


@dataclass(frozen=True, slots=True)
class Analysis:
    """Everything found on one picture or frame.

    Attributes:
        source: file name, address, or camera, as the user gave it.
        width: of the picture in pixels, upright.
        height: of the picture in pixels, upright.
        faces: largest first; empty when there is no face.
        error: why there is no result; None when all went well.
        frame_index: number of the frame in its source from 0; None for single pictures.
        timestamp_s: time of the frame on the source's clock; None for single pictures.
        events: changes of displayed emotions on this frame.
    """

    source: str
    width: int
    height: int
    faces: tuple[Face, ...] = ()
    error: str | None = None
    frame_index: int | None = None
    timestamp_s: float | None = None
    events: tuple[EmotionChange, ...] = field(default=())

    @classmethod
    def failed(cls, source: str, error: str) -> Analysis:
        """The result of an input that could not be used."""
        return cls(source=source, width=0, height=0, error=error)

    @property
    def largest(self) -> Face | None:
        """The face of largest area, or None."""
        return max(self.faces, key=lambda face: face.area, default=None)

    def to_dict(self) -> dict[str, Any]:
        """The JSON contract of `moodlens analyze --format json`, one source."""
        result: dict[str, Any] = {
            "source": self.source,
            "width": self.width,
            "height": self.height,
            "faces": [face.to_dict() for face in self.faces],
            "error": self.error,
        }
        if self.frame_index is not None:
            result["frame_index"] = self.frame_index
        if self.timestamp_s is not None:
            result["timestamp_s"] = round(self.timestamp_s, 4)
        if self.events:
            result["events"] = [event.to_dict() for event in self.events]
        return result
