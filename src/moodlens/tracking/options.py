"""How a stream is followed and steadied, in seconds and probabilities, not frames."""

from __future__ import annotations

import math
from dataclasses import dataclass

from moodlens.errors import SettingsError

_DURATIONS = ("smoothing_s", "switch_evidence_s", "min_dwell_s", "announce_after_s", "lost_track_s")


@dataclass(frozen=True, slots=True)
class StreamOptions:
    """Choices of one stream.

    Attributes:
        smoothing_s: time constant of the probabilities; 0 shows every frame's own.
        switch_margin: how far the smoothed probability of another label must lead before the
            lead counts, 0 to 1.
        switch_evidence_s: lead in probability times seconds after which the other is shown.
        min_dwell_s: the least time a label is shown.
        announce_after_s: how long a shown label must last before `emotion_changed` is told.
        lost_track_s: a face that is gone for longer comes back as another person.
        detect_every: look at the whole frame on every k-th frame and only near the known faces
            between; None: as suits the detector (1 for networks, more for Haar cascades).
        faces_at_once: where more faces than this are in view they take turns: so many are judged
            on a frame, newcomers first, then those judged longest ago; the others keep their
            smoothed scores at their new place. None: all faces on all frames.
        baseline_s: seconds of neutral face at the start of a track that set the person's own
            baseline; None: none is taken.
    """

    smoothing_s: float = 0.08
    switch_margin: float = 0.02
    switch_evidence_s: float = 0.006
    min_dwell_s: float = 0.2
    announce_after_s: float = 0.5
    lost_track_s: float = 1.0
    detect_every: int | None = None
    faces_at_once: int | None = 4
    baseline_s: float | None = None

    def __post_init__(self) -> None:
        for name in _DURATIONS:
            value = getattr(self, name)
            if not (math.isfinite(value) and value >= 0):
                raise SettingsError(f"{name} must be 0 or more seconds, not {value!r}")
        if not 0 <= self.switch_margin < 1:
            raise SettingsError(f"switch_margin must be in [0, 1), not {self.switch_margin!r}")
        for name in ("detect_every", "faces_at_once"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise SettingsError(f"{name} must be 1 or more, not {value!r}")
        if self.baseline_s is not None and not (
            math.isfinite(self.baseline_s) and self.baseline_s > 0
        ):
            raise SettingsError(f"baseline_s must be more than 0 seconds, not {self.baseline_s!r}")
