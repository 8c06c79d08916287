"""Which cell should say what: labels become the network's targets, in the backend's own maths.

Faces are found at their centres, as in CenterNet (Zhou et al. 2019, arXiv:1904.07850), on the
grid whose stride fits their size. Boxes and landmarks are coded as YuNet codes them, so that
both detectors are decoded by the same lines.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import keras
import numpy as np
from numpy.typing import NDArray

from moodlens.training.detector.network import STRIDES
from moodlens.training.detector.recipe import TargetRecipe
from moodlens.training.detector.scenes import DOUBTFUL, FACE

_NEAR = 0.05
"""Cells whose bump is below this are plain background."""
_OWN = 0.55
"""Cells whose bump is above this learn the face's box and landmarks."""


class CellTargets(NamedTuple):
    """What the cells should say; every tensor is (pictures, cells, ...)."""

    bump: Any
    """1 at a face's centre, falling to 0."""
    weight: Any
    """0 where the answer does not count."""
    share: Any
    """How much a cell's box and landmarks count; 0 for most."""
    box: Any
    """(..., 4): x1, y1, x2, y2 in pixels of the face the cell answers for."""
    landmarks: Any
    """(..., 10) in pixels."""


def cell_grid(height: int, width: int) -> NDArray[np.float32]:
    """(cells, 3): column, row and stride of each cell, in the network's order."""
    parts = []
    for stride in STRIDES:
        rows, columns = np.mgrid[: height // stride, : width // stride]
        full = np.full(rows.size, stride)
        parts.append(np.stack([columns.ravel(), rows.ravel(), full], axis=1))
    return np.concatenate(parts).astype(np.float32)


def cell_targets(labels: Any, grid: NDArray[np.float32], recipe: TargetRecipe) -> CellTargets:
    """Targets of every cell.

    Args:
        labels: (pictures, faces, 15) float32 as the composer gives them.
        grid: of `cell_grid`.
        recipe: sizes at which the strides take over, and the bump's spread.
    """
    ops = keras.ops
    stride = ops.convert_to_tensor(grid[None, None, :, 2])  # (1, 1, cells)
    middle = ops.convert_to_tensor((grid[:, :2] + 0.5) * grid[:, 2:])  # pixels
    x1, y1, x2, y2 = (labels[:, :, i, None] for i in range(4))
    kind = labels[:, :, 14, None]
    size = ops.sqrt(ops.maximum((x2 - x1) * (y2 - y1), 1.0))  # (pictures, faces, 1)
    dx = middle[None, None, :, 0] - (x1 + x2) / 2
    dy = middle[None, None, :, 1] - (y1 + y2) / 2
    spread = ops.maximum(recipe.spread * size, 0.5 * stride)
    distance = (dx * dx + dy * dy) / (spread * spread)
    reach = ops.maximum(ops.abs(dx), ops.abs(dy)) <= 0.5 * stride + 1e-3
    bump = ops.exp(ops.where(reach, 0.0, -0.5 * distance))  # (pictures, faces, cells)
    low, high = _ranges(grid, recipe)
    is_face, is_doubtful = ops.equal(kind, FACE), ops.equal(kind, DOUBTFUL)
    fits = ops.logical_and(ops.logical_and(size >= low, size < high), is_face)
    almost = ops.logical_and(size >= low / recipe.blend, size < high * recipe.blend)
    mine = ops.where(fits, bump, 0.0)
    best = ops.max(mine, axis=1)
    owner = ops.argmax(mine, axis=1)  # (pictures, cells)
    unclear = ops.logical_and(almost, ops.logical_or(is_face, is_doubtful))
    unclear = ops.logical_and(unclear, ops.logical_not(fits))
    ignored = ops.max(ops.where(unclear, bump, 0.0), axis=1) > _NEAR
    ignored = ops.logical_and(ignored, best < _OWN)
    best = ops.where(best > _NEAR, best, 0.0)
    pictures, faces, columns = ops.shape(labels)
    first = ops.cast(ops.arange(pictures), "int32")[:, None] * faces
    owned = ops.take(ops.reshape(labels, (-1, columns)), first + ops.cast(owner, "int32"), axis=0)
    return CellTargets(
        bump=best,
        weight=ops.where(ignored, 0.0, 1.0),
        share=ops.where(best > _OWN, best, 0.0),
        box=owned[:, :, :4],
        landmarks=owned[:, :, 4:14],
    )


def _ranges(grid: NDArray[np.float32], recipe: TargetRecipe) -> tuple[Any, Any]:
    """(1, 1, cells) the smallest and largest face that each cell answers for, in pixels."""
    first, second = recipe.limits
    blend = recipe.blend
    lows = {8: 0.0, 16: first / blend, 32: second / blend}
    highs = {8: first * blend, 16: second * blend, 32: 1e6}
    low = np.array([lows[int(s)] for s in grid[:, 2]], np.float32)
    high = np.array([highs[int(s)] for s in grid[:, 2]], np.float32)
    to = keras.ops.convert_to_tensor
    return to(low[None, None]), to(high[None, None])


def decode_cells(cells: Any, grid: NDArray[np.float32]) -> tuple[Any, Any]:
    """Boxes (..., cells, 4) and landmarks (..., cells, 10) in pixels from raw cells."""
    ops = keras.ops
    corner = ops.convert_to_tensor(grid[:, :2])
    stride = ops.convert_to_tensor(grid[:, 2:3])
    centre = (corner + cells[..., 1:3]) * stride
    half = ops.exp(ops.clip(cells[..., 3:5], -6.0, 6.0)) * stride / 2
    boxes = ops.concatenate([centre - half, centre + half], axis=-1)
    marks = (cells[..., 5:] + ops.tile(corner, (1, 5))) * stride
    return boxes, marks
