"""From logits to probabilities that mean what they say, and to sets that hold the truth.

Temperature scaling: Guo et al. 2017, "On calibration of modern neural networks"
(arXiv:1706.04599). Adaptive prediction sets: Romano et al. 2020 (arXiv:2006.02544), here
without randomisation, so coverage errs on the safe side.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Rows = NDArray[np.float32]
"""(faces, labels) float32."""


def softmax(logits: Rows, temperature: float = 1.0) -> Rows:
    """(faces, labels) probabilities; a higher temperature makes them more modest."""
    scaled = logits.astype(np.float64) / temperature
    scaled -= scaled.max(axis=1, keepdims=True)
    exponents = np.exp(scaled)
    return np.asarray(exponents / exponents.sum(axis=1, keepdims=True), dtype=np.float32)


def temper(probabilities: Rows, temperature: float) -> Rows:
    """Apply a temperature to probabilities, as if to the logits behind them."""
    if temperature == 1.0:
        return probabilities
    return softmax(np.log(np.maximum(probabilities, 1e-12)), temperature)


def prediction_set(row: NDArray[np.float32], threshold: float) -> list[int]:
    """Label indices, likeliest first, until their summed probability reaches `threshold`."""
    order = np.argsort(-row, kind="stable")
    needed = int(np.searchsorted(np.cumsum(row[order]), threshold)) + 1
    return [int(i) for i in order[:needed]]
