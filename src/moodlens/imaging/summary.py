"""What a whole video showed: shares of time, changes, longest stretches."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from moodlens.emotions import EMOTIONS, Emotion
from moodlens.types import Analysis, Face

DEFAULT_STEP_S = 1 / 30
LONGEST_STEP_S = 1.0
"""Between two frames further apart a label is not taken to have gone on."""


@dataclass(slots=True)
class TrackSummary:
    """One person over a video; times in seconds on the video's clock."""

    track_id: int
    first_s: float
    last_s: float
    seen_s: float = 0.0
    frames: int = 0
    changes: int = 0
    uncertain_s: float = 0.0
    valence_s: float = 0.0
    arousal_s: float = 0.0
    emotion_s: dict[Emotion, float] = field(default_factory=lambda: dict.fromkeys(EMOTIONS, 0.0))
    longest: tuple[float, Emotion, float] | None = None
    _label: Emotion | None = None
    _since_s: float = 0.0

    def add(self, face: Face, at_s: float, step_s: float) -> None:
        """The face was seen for `step_s` seconds up to `at_s`."""
        if face.emotion != self._label:
            self.changes += self._label is not None
            self._label, self._since_s = face.emotion, at_s - step_s
        elif at_s - self.last_s > LONGEST_STEP_S:
            self._since_s = at_s - step_s
        self.frames += 1
        self.last_s = at_s
        self.seen_s += step_s
        self.uncertain_s += step_s * face.uncertain
        self.valence_s += step_s * face.valence
        self.arousal_s += step_s * face.arousal
        self.emotion_s[face.emotion] += step_s
        stretch = at_s - self._since_s
        if self.longest is None or stretch > self.longest[0]:
            self.longest = stretch, face.emotion, self._since_s

    def to_dict(self) -> dict[str, Any]:
        """Plain values; shares of the time this face was seen sum to 1."""
        seen = max(self.seen_s, 1e-9)
        return {
            "track_id": self.track_id,
            "first_s": round(self.first_s, 3),
            "last_s": round(self.last_s, 3),
            "seen_s": round(self.seen_s, 3),
            "share_of_time": _shares(self.emotion_s),
            "uncertain_share": round(self.uncertain_s / seen, 4),
            "mean_valence": round(self.valence_s / seen, 4),
            "mean_arousal": round(self.arousal_s / seen, 4),
            "changes": self.changes,
            "longest_stretch": _stretch(self.longest),
        }


class Summary:
    """Gathers the frames of one video; its size depends on the number of people alone."""

    def __init__(self, source: str) -> None:
        self.source = source
        self.frames = 0
        self.frames_without_face = 0
        self.tracks: dict[int, TrackSummary] = {}
        self._first_s: float | None = None
        self._last_s: float | None = None

    def add(self, analysis: Analysis) -> None:
        """The next frame."""
        at = self.frames * DEFAULT_STEP_S if analysis.timestamp_s is None else analysis.timestamp_s
        step = DEFAULT_STEP_S if self._last_s is None else max(at - self._last_s, 0.0)
        step = min(step, LONGEST_STEP_S)
        self._first_s = at if self._first_s is None else self._first_s
        self._last_s = at
        self.frames += 1
        self.frames_without_face += not analysis.faces
        for face in analysis.faces:
            number = face.track_id or 0
            track = self.tracks.get(number)
            if track is None:
                track = self.tracks[number] = TrackSummary(number, at, at)
            track.add(face, at, step)

    @property
    def duration_s(self) -> float:
        """From the first frame's time to the last one's."""
        if self._first_s is None or self._last_s is None:
            return 0.0
        return self._last_s - self._first_s

    def to_dict(self, **more: Any) -> dict[str, Any]:
        """The summary as plain values; faces in the order of their time on screen.

        `share_of_time` is over the time of all faces together; `more` is added at the end.
        """
        people = sorted(self.tracks.values(), key=lambda track: -track.seen_s)
        total = {e: sum(track.emotion_s[e] for track in people) for e in EMOTIONS}
        longest = max((t.longest for t in people if t.longest), default=None)
        return {
            "source": self.source,
            "frames": self.frames,
            "frames_without_face": self.frames_without_face,
            "duration_s": round(self.duration_s, 3),
            "faces": len(people),
            "share_of_time": _shares(total),
            "changes": sum(track.changes for track in people),
            "longest_stretch": _stretch(longest),
            "tracks": [track.to_dict() for track in people],
            **more,
        }


def summarize(source: str, analyses: Iterable[Analysis]) -> dict[str, Any]:
    """The summary of all frames of a video."""
    summary = Summary(source)
    for analysis in analyses:
        summary.add(analysis)
    return summary.to_dict()


def _shares(seconds: dict[Emotion, float]) -> dict[str, float]:
    total = max(sum(seconds.values()), 1e-9)
    return {emotion: round(spent / total, 4) for emotion, spent in seconds.items()}


def _stretch(longest: tuple[float, Emotion, float] | None) -> dict[str, Any] | None:
    if longest is None:
        return None
    seconds, emotion, since = longest
    return {"emotion": emotion, "seconds": round(seconds, 3), "from_s": round(max(since, 0.0), 3)}
