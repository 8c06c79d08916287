"""Frames become seconds: what a session keeps of a stream."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from moodlens.emotions import EMOTIONS
from moodlens.history.records import Sample
from moodlens.types import Analysis

MOST_SAMPLES = 50_000
"""About 14 hours of one face; later seconds are not kept, so that memory stays bounded."""
_LABELS = len(EMOTIONS)
_VALENCE, _AROUSAL, _COUNT = 2 * _LABELS, 2 * _LABELS + 1, 2 * _LABELS + 2
_COLUMNS = 2 * _LABELS + 3


class SampleGatherer:
    """Sums the frames of each face's second; not for several threads at once."""

    def __init__(self) -> None:
        self.frames = 0
        self.full = False
        """Whether seconds were left out because there were more than `MOST_SAMPLES`."""
        self._first_s: float | None = None
        self._last_s = 0.0
        # (second, track_id) -> (17,): summed scores, counts of labels, valence, arousal, frames
        self._sums: dict[tuple[int, int], NDArray[np.float64]] = {}

    @property
    def duration_s(self) -> float:
        """From the first frame's time to the last one's."""
        return 0.0 if self._first_s is None else max(self._last_s - self._first_s, 0.0)

    def add(self, analysis: Analysis) -> None:
        """The next frame, with its time."""
        at = analysis.timestamp_s or 0.0
        if self._first_s is None:
            self._first_s = at
        self._last_s = max(self._last_s, at)
        self.frames += 1
        second = int(max(at - self._first_s, 0.0))
        for face in analysis.faces:
            key = (second, face.track_id or 0)
            sums = self._sums.get(key)
            if sums is None:
                if len(self._sums) >= MOST_SAMPLES:
                    self.full = True
                    continue
                sums = self._sums[key] = np.zeros(_COLUMNS)
            sums[:_LABELS] += list(face.scores.values())
            sums[_LABELS + EMOTIONS.index(face.emotion)] += 1
            sums[[_VALENCE, _AROUSAL, _COUNT]] += face.valence, face.arousal, 1.0

    def samples(self) -> tuple[Sample, ...]:
        """One for each face and second in which it was seen, ordered by face, then second."""
        found = []
        ordered = sorted(self._sums.items(), key=lambda item: (item[0][1], item[0][0]))
        for (second, track_id), sums in ordered:
            means = sums / sums[_COUNT]
            found.append(
                Sample(
                    second=second,
                    track_id=track_id,
                    emotion=EMOTIONS[int(sums[_LABELS : 2 * _LABELS].argmax())],
                    scores=tuple(means[:_LABELS].tolist()),
                    valence=float(means[_VALENCE]),
                    arousal=float(means[_AROUSAL]),
                )
            )
        return tuple(found)
