"""What goes into the database and comes out of it, as plain values."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

from moodlens.emotions import EMOTIONS, Emotion

SessionKind = Literal["live", "video"]
LONGEST_TITLE = 120


@dataclass(frozen=True, slots=True)
class Sample:
    """One second of one face.

    Attributes:
        second: whole seconds since the session's start, from 0.
        track_id: the face's number within its session.
        emotion: the label shown most in that second.
        scores: (7,) mean probabilities in the order of `EMOTIONS`.
        valence: mean, -1 to 1. arousal: mean, -1 to 1.
    """

    second: int
    track_id: int
    emotion: Emotion
    scores: tuple[float, ...]
    valence: float
    arousal: float

    def to_dict(self) -> dict[str, Any]:
        """A flat row: second, track_id, emotion, the seven scores, valence, arousal."""
        return {
            "second": self.second,
            "track_id": self.track_id,
            "emotion": self.emotion,
            **{e: round(p, 4) for e, p in zip(EMOTIONS, self.scores, strict=True)},
            "valence": round(self.valence, 4),
            "arousal": round(self.arousal, 4),
        }


@dataclass(frozen=True, slots=True)
class RecordedSession:
    """A session before it is saved, and as it is loaded again.

    Attributes:
        kind: live or video.
        title: in the user's words; cut to `LONGEST_TITLE` characters.
        started_at: with a time zone.
        duration_s: from the first frame to the last.
        frames: how many were analysed.
        samples: ordered by face, then second.
    """

    kind: SessionKind
    title: str
    started_at: datetime
    duration_s: float
    frames: int
    samples: tuple[Sample, ...] = ()

    def __post_init__(self) -> None:
        if self.started_at.tzinfo is None:
            raise ValueError("started_at needs a time zone")


@dataclass(frozen=True, slots=True)
class SavedSession:
    """A saved session in a list: its head, and figures over all its samples.

    Attributes:
        id: in the database.
        seconds: samples of all faces; one is one second of one face.
        emotion_seconds: how many of them showed each emotion.
        valence: mean, -1 to 1; 0 without samples. arousal: the same.
    """

    id: int
    kind: str
    title: str
    started_at: datetime
    duration_s: float
    frames: int
    seconds: int = 0
    emotion_seconds: dict[Emotion, int] = field(default_factory=lambda: dict.fromkeys(EMOTIONS, 0))
    valence: float = 0.0
    arousal: float = 0.0

    @property
    def shares(self) -> dict[Emotion, float]:
        """Share of the time for each emotion; all 0 without samples."""
        return {e: n / max(self.seconds, 1) for e, n in self.emotion_seconds.items()}
