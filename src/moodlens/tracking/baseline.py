"""A person's own neutral face as the zero of the scale."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from moodlens.emotions import EMOTIONS

Row = NDArray[np.float64]

_NEUTRAL = EMOTIONS.index("neutral")
TYPICAL_LOG_ODDS = math.log(0.1)
"""On a neutral face another label may stand at a tenth of neutral's probability; more is bias."""
LARGEST_SHIFT = 3.0
"""In nats; a real expression, far stronger than a face at rest, still comes through."""


class PersonalBaseline:
    """Learns how a person's neutral face differs from the model's, and takes the difference off.

    Some faces at rest look a little sad or angry to a model. During the calibration the mean
    log-odds of every label against neutral is learned; what lies above `TYPICAL_LOG_ODDS` is
    taken off later log-probabilities, which are then made to sum to one again. Nothing is ever
    added, so a label the person's neutral face does not suggest is not favoured. The idea is
    that of the participant calibration of FaceReader (Noldus, FaceReader methodology).
    """

    def __init__(self, duration_s: float) -> None:
        self.duration_s = duration_s
        self.shift: Row | None = None
        self._sum = np.zeros(len(EMOTIONS))
        self._weight = 0.0
        self._seen_s = 0.0

    @property
    def ready(self) -> bool:
        """Whether the calibration is over."""
        return self.shift is not None

    def update(self, row: Row, dt_s: float, weight: float) -> Row:
        """Take in one frame's probabilities, and give them back corrected once calibrated.

        Args:
            row: (labels,) probabilities.
            dt_s: seconds since the frame before.
            weight: how much to trust the frame, 0 to 1; untrusted ones do not count.
        """
        if self.shift is None:
            log_row = np.log(np.maximum(row, 1e-6))
            self._sum += weight * (log_row - log_row[_NEUTRAL])
            self._weight += weight
            self._seen_s += dt_s if weight > 0.0 else 0.0
            if self._seen_s >= self.duration_s and self._weight > 0.0:
                odds = self._sum / self._weight
                self.shift = np.clip(odds - TYPICAL_LOG_ODDS, 0.0, LARGEST_SHIFT)
                self.shift[_NEUTRAL] = 0.0
            return row
        corrected = np.maximum(row, 1e-12) * np.exp(-self.shift)
        return np.asarray(corrected / corrected.sum(), dtype=np.float64)
