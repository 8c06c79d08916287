"""Probabilities and labels held steady over time, in seconds, so the frame rate is no matter."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

Row = NDArray[np.float64]
"""(labels,) probabilities."""

LEAST_WEIGHT = 1e-3
"""A frame never counts for nothing, so that there is an answer even when all are poor."""
FIRST_STEP_S = 1 / 30
"""How long the first frame is taken to last: there is no earlier one to measure from."""
LONGEST_STEP_S = 0.5
"""A gap between frames counts as evidence for no longer than this."""
FRESH_HOLD, FRESH_S = 6.0, 0.8
"""A label that has just appeared needs this many times more evidence to go; fades with time."""


class ProbabilitySmoother:
    """A weighted exponential mean over time.

    Each observation stands for the time since the one before and carries a weight; with time
    constant T the past fades by exp(-dt / T). With equal weights this is the exact answer of a
    first-order low-pass filter to a signal that steps at each frame, whatever their spacing.
    """

    def __init__(self, time_constant_s: float) -> None:
        self.time_constant_s = time_constant_s
        self._sum: Row | None = None
        self._weight = 0.0

    def update(self, row: Row, dt_s: float, weight: float = 1.0) -> Row:
        """Take in one frame.

        Args:
            row: (labels,) probabilities of the frame.
            dt_s: seconds since the frame before; not used on the first.
            weight: how much to trust the frame, 0 to 1.

        Returns:
            (labels,) smoothed probabilities that sum to what `row` sums to.
        """
        weight = max(weight, LEAST_WEIGHT)
        if self.time_constant_s <= 0.0:
            self._sum, self._weight = row * weight, weight
            return row
        first = self._sum is None
        fade = math.exp(-(FIRST_STEP_S if first else max(dt_s, 0.0)) / self.time_constant_s)
        gain = weight * (1.0 - fade)
        if self._sum is None:
            self._sum = row * gain
        else:
            self._sum = self._sum * fade + row * gain
        self._weight = self._weight * fade + gain
        if self._weight < 1e-12:  # after a very long gap only the new frame is left
            self._sum, self._weight = row * weight, weight
        return self._sum / self._weight


class LabelHold:
    """The shown label: another takes its place only on enough evidence.

    The evidence for a label is its lead over the shown one, summed over time, and starts again
    when it stops leading. Of two frames the smaller lead counts for the time between them, so no
    single frame, at whatever frame rate, changes a label. A label that has just appeared is held
    harder for a while: where an expression wavers, its label wavers less.

    Args:
        margin: lead in probability that does not count.
        evidence_s: lead times seconds needed; a full lead of 1 for `evidence_s` seconds.
        min_dwell_s: the least time a label is shown.
    """

    def __init__(self, margin: float, evidence_s: float, min_dwell_s: float) -> None:
        self.margin = margin
        self.evidence_s = evidence_s
        self.min_dwell_s = min_dwell_s
        self.label: int | None = None
        self._shown_s = math.inf
        self._lead: Row | None = None
        self._evidence: Row | None = None

    def update(self, row: Row, dt_s: float) -> int:
        """Index of the label to show after a frame of (labels,) smoothed probabilities."""
        if self.label is None or self._lead is None or self._evidence is None:
            self.label = int(row.argmax())
            self._start(row)
            return self.label
        dt_s = min(max(dt_s, 0.0), LONGEST_STEP_S)
        self._shown_s += dt_s
        lead = np.maximum(row - row[self.label] - self.margin, 0.0)
        self._evidence = (self._evidence + np.minimum(lead, self._lead) * dt_s) * (lead > 0.0)
        self._lead = lead
        rival = int(self._evidence.argmax())
        needed = self.evidence_s * (1.0 + FRESH_HOLD * math.exp(-self._shown_s / FRESH_S))
        if self._shown_s >= self.min_dwell_s and self._evidence[rival] >= needed and lead[rival]:
            self.label, self._shown_s = rival, 0.0
            self._start(row)
        return self.label

    def _start(self, row: Row) -> None:
        self._lead = np.zeros_like(row)
        self._evidence = np.zeros_like(row)
