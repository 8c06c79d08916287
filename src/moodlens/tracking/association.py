"""Which detection belongs to which track."""

from __future__ import annotations

import lap
import numpy as np
from numpy.typing import NDArray

from moodlens.tracking.boxes import Boxes

GATE_SIZES = 1.0
"""A face may lie this many of its sizes from where its track expects it, plus what was lost."""
GATE_RATIO = 2.0
"""And may be this many times larger or smaller."""
FORBIDDEN = 1e6


def match(
    expected: Boxes, found: Boxes, slack: NDArray[np.float32]
) -> tuple[list[tuple[int, int]], list[int]]:
    """Pair tracks and detections at the least total cost.

    The cost of a pair is the square of its distance in face sizes plus that of the logarithm of
    its sizes' ratio: errors of both kinds taken as normally distributed. Squares share a shift
    of the camera among all faces. Pairs beyond the gates are never made.

    Args:
        expected: (tracks, 4) where each track's face should be.
        found: (faces, 4) where faces are.
        slack: (tracks,) widening of the distance gate in face sizes, for tracks lost a while.

    Returns:
        Pairs (track, face), and the faces left over.
    """
    if not len(expected) or not len(found):
        return [], list(range(len(found)))
    cost = _costs(expected, found, slack)
    # Jonker and Volgenant 1987, "A shortest augmenting path algorithm for dense and sparse
    # linear assignment problems"; a row or column may stay alone for half the limit.
    _, face_of, _ = lap.lapjv(cost, extend_cost=True, cost_limit=FORBIDDEN / 2)
    pairs = [(track, face) for track, face in enumerate(face_of.tolist()) if face >= 0]
    taken = {face for _, face in pairs}
    return pairs, [face for face in range(len(found)) if face not in taken]


def _costs(expected: Boxes, found: Boxes, slack: NDArray[np.float32]) -> NDArray[np.float64]:
    size_e, size_f = _sizes(expected), _sizes(found)
    apart = np.linalg.norm(_centers(expected)[:, None] - _centers(found)[None, :], axis=2)
    distance = apart / np.maximum(np.sqrt(size_e[:, None] * size_f[None, :]), 1e-6)
    ratio = np.abs(np.log(np.maximum(size_e, 1e-6)[:, None] / np.maximum(size_f, 1e-6)[None, :]))
    cost = distance**2 + ratio**2
    far = (distance > GATE_SIZES + slack[:, None]) | (ratio > np.log(GATE_RATIO))
    return np.asarray(np.where(far, FORBIDDEN, cost), dtype=np.float64)


def _centers(boxes: Boxes) -> Boxes:
    return np.asarray((boxes[:, :2] + boxes[:, 2:]) / 2, dtype=np.float32)


def _sizes(boxes: Boxes) -> Boxes:
    """(n,) geometric mean of width and height."""
    areas = np.maximum(boxes[:, 2:] - boxes[:, :2], 0.0).prod(axis=1)
    return np.asarray(np.sqrt(areas), dtype=np.float32)
