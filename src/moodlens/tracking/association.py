"""Which detection belongs to which track."""

from __future__ import annotations

import math
from collections.abc import Sequence

import lap
import numpy as np

Box = tuple[float, float, float, float]
"""x1, y1, x2, y2 in pixels."""

GATE_SIZES = 1.0
"""A face may lie this many of its sizes from where its track expects it, plus what was lost."""
GATE_RATIO = 2.0
"""And may be this many times larger or smaller."""
FORBIDDEN = 1e6


def match(
    expected: Sequence[Box], found: Sequence[Box], slack: Sequence[float]
) -> tuple[list[tuple[int, int]], list[int]]:
    """Pair tracks and detections at the least total cost.

    The cost of a pair is the square of its distance in face sizes plus that of the logarithm of
    its sizes' ratio: errors of both kinds taken as normally distributed. Squares share a shift
    of the camera among all faces. Pairs beyond the gates are never made.

    Args:
        expected: where each track's face should be.
        found: where faces are.
        slack: widening of each track's distance gate in face sizes, for one lost a while.

    Returns:
        Pairs (track, face), and the faces left over.
    """
    # Frames hold few faces: plain numbers are quicker here than arrays of one or two rows.
    a, b = [_center_size(box) for box in expected], [_center_size(box) for box in found]
    cost = [[_cost(e, f, s) for f in b] for e, s in zip(a, slack, strict=True)]
    if len(a) == len(b) == 1:
        pairs = [(0, 0)] if cost[0][0] < FORBIDDEN else []
    elif a and b:
        # Jonker and Volgenant 1987, "A shortest augmenting path algorithm for dense and sparse
        # linear assignment problems"; a row or column may stay alone for half the limit.
        _, face_of, _ = lap.lapjv(np.array(cost), extend_cost=True, cost_limit=FORBIDDEN / 2)
        pairs = [(track, face) for track, face in enumerate(face_of.tolist()) if face >= 0]
    else:
        pairs = []
    taken = {face for _, face in pairs}
    return pairs, [face for face in range(len(b)) if face not in taken]


def _center_size(box: Box) -> tuple[float, float, float]:
    """Centre x, centre y, geometric mean of the sides; all in pixels."""
    x1, y1, x2, y2 = box
    area = max(x2 - x1, 0.0) * max(y2 - y1, 0.0)
    return (x1 + x2) / 2, (y1 + y2) / 2, max(math.sqrt(area), 1e-6)


def _cost(a: tuple[float, float, float], b: tuple[float, float, float], slack: float) -> float:
    distance = math.hypot(a[0] - b[0], a[1] - b[1]) / math.sqrt(a[2] * b[2])
    ratio = abs(math.log(a[2] / b[2]))
    if distance > GATE_SIZES + slack or ratio > math.log(GATE_RATIO):
        return FORBIDDEN
    return distance * distance + ratio * ratio
