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
    """The shown label: another takes its place only after it led clearly and for long enough.

    Args:
        margin: lead in probability that counts as clear.
        dwell_s: how long the lead must last.
    """

    def __init__(self, margin: float, dwell_s: float) -> None:
        self.margin = margin
        self.dwell_s = dwell_s
        self.label: int | None = None
        self._rival: int | None = None
        self._led_s = 0.0

    def update(self, row: Row, dt_s: float) -> int:
        """Index of the label to show after a frame of smoothed probabilities."""
        likeliest = int(row.argmax())
        if self.label is None:
            self.label = likeliest
        elif likeliest == self.label or row[likeliest] - row[self.label] <= self.margin:
            self._rival = None
        elif likeliest != self._rival:
            self._rival, self._led_s = likeliest, 0.0
        else:
            self._led_s += max(dt_s, 0.0)
        if self._rival is not None and self._led_s >= self.dwell_s - 1e-9:
            self.label, self._rival = self._rival, None
        return self.label
