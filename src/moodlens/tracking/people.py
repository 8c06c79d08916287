"""What is remembered of each person on a stream."""

from __future__ import annotations

import math

import numpy as np

from moodlens.emotions import EMOTIONS, Emotion
from moodlens.tracking.baseline import PersonalBaseline
from moodlens.tracking.options import StreamOptions
from moodlens.tracking.smoothing import LabelHold, ProbabilitySmoother
from moodlens.types import EmotionChange, Face


class Person:
    """What is remembered of one track: its smoothed scores, its label, its baseline."""

    def __init__(self, options: StreamOptions, at_s: float) -> None:
        self._smoother = ProbabilitySmoother(options.smoothing_s)
        self._hold = LabelHold(
            options.switch_margin, options.switch_evidence_s, options.min_dwell_s
        )
        self._baseline = (
            None if options.baseline_s is None else PersonalBaseline(options.baseline_s)
        )
        self._announce_after_s = options.announce_after_s
        self._smoothing_s = options.smoothing_s
        self.judged_at_s = at_s
        self._shown_since_s = at_s
        self._announced: Emotion | None = None
        self.face: Face | None = None
        self.shown: Emotion | None = None
        self.quality = -1.0
        self.probabilities = np.zeros(len(EMOTIONS))

    def judge(self, face: Face, min_quality: float, at_s: float) -> None:
        """Take in what the network says of the face at a time."""
        self.face = face
        row = np.fromiter(face.scores.values(), np.float64, len(EMOTIONS))
        quality = 1.0 if face.quality is None else face.quality.score
        trust = 0.0 if quality < min_quality else quality
        dt = max(at_s - self.judged_at_s, 0.0)
        self.judged_at_s = at_s
        if self._baseline is not None:
            row = self._baseline.update(row, dt, trust)
        # A frame that says little (flat probabilities) moves the mean less.
        weight = trust * (0.5 + 0.5 * float(row.max()))
        self.probabilities = self._smoother.update(row, dt, weight)
        label = EMOTIONS[self._hold.update(self.probabilities, dt)]
        if label != self.shown:
            self.shown, self._shown_since_s = label, at_s
        self._steady_quality(quality, dt)

    def _steady_quality(self, quality: float, dt: float) -> None:
        fades = self.quality >= 0.0 and self._smoothing_s > 0.0
        kept = math.exp(-dt / self._smoothing_s) if fades else 0.0
        self.quality = kept * self.quality + (1.0 - kept) * quality

    def announce(self, track_id: int, at_s: float) -> EmotionChange | None:
        """The change to tell of on this frame, once the shown label has lasted and still leads."""
        if self.shown is None or self.shown == self._announced:
            return None
        if EMOTIONS[int(self.probabilities.argmax())] != self.shown:
            return None
        if at_s - self._shown_since_s < self._announce_after_s - 1e-9:
            return None
        before, self._announced = self._announced, self.shown
        confidence = float(self.probabilities[EMOTIONS.index(self.shown)])
        return EmotionChange(track_id, before, self.shown, at_s, confidence)
