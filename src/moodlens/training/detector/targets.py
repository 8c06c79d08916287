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
    mine, unclear = [], []
    for stride in STRIDES:
        cells = grid[grid[:, 2] == stride]
        bumps = _Bumps(labels, stride, int(cells[:, 0].max()) + 1, int(cells[:, 1].max()) + 1)
        own, between = bumps.of_level(recipe)
        mine.append(own)
        unclear.append(between)
    own = ops.concatenate(mine, axis=2)  # (pictures, faces, cells)
    best = ops.max(own, axis=1)
    owner = ops.argmax(own, axis=1)  # (pictures, cells)
    ignored = ops.logical_and(ops.concatenate(unclear, axis=1) > _NEAR, best < _OWN)
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


class _Bumps:
    """The bumps of all faces on one grid: products of a row's and a column's curve."""

    def __init__(self, labels: Any, stride: int, columns: int, rows: int) -> None:
        ops = keras.ops
        self._kind = labels[:, :, 14:15]
        x1, y1, x2, y2 = (labels[:, :, i : i + 1] for i in range(4))  # (pictures, faces, 1)
        self._stride = stride
        self._size = ops.sqrt(ops.maximum((x2 - x1) * (y2 - y1), 1.0))
        middle_x = (np.arange(columns, dtype=np.float32)[None, None] + 0.5) * stride
        middle_y = (np.arange(rows, dtype=np.float32)[None, None] + 0.5) * stride
        self._dx = ops.convert_to_tensor(middle_x) - (x1 + x2) / 2  # (pictures, faces, columns)
        self._dy = ops.convert_to_tensor(middle_y) - (y1 + y2) / 2
        self._cells = columns * rows

    def of_level(self, recipe: TargetRecipe) -> tuple[Any, Any]:
        """(pictures, faces, cells) bumps of the faces of this grid, and (pictures, cells) the
        highest bump of those that should not count on it."""
        ops = keras.ops
        low, high = _range(self._stride, recipe)
        is_face, doubtful = ops.equal(self._kind, FACE), ops.equal(self._kind, DOUBTFUL)
        size, blend = self._size, recipe.blend
        fits = ops.logical_and(ops.logical_and(size >= low, size < high), is_face)
        almost = ops.logical_and(size >= low / blend, size < high * blend)
        between = ops.logical_and(almost, ops.logical_or(is_face, doubtful))
        between = ops.logical_and(between, ops.logical_not(fits))
        spread = ops.maximum(recipe.spread * size, 0.5 * self._stride)
        across = ops.exp(-0.5 * (self._dx / spread) ** 2)
        down = ops.exp(-0.5 * (self._dy / spread) ** 2)
        half = 0.5 * self._stride + 1e-3
        here = ops.cast(ops.abs(self._dx) <= half, "float32")
        there = ops.cast(ops.abs(self._dy) <= half, "float32")
        chosen, other = ops.cast(fits, "float32"), ops.cast(between, "float32")
        own = ops.maximum(
            self._spread_out(across * chosen, down), self._spread_out(here * chosen, there)
        )
        rest = self._spread_out(across * other, down)
        return own, ops.max(rest, axis=1)

    def _spread_out(self, across: Any, down: Any) -> Any:
        """The product of a curve along x and one along y, as (pictures, faces, cells)."""
        product = down[:, :, :, None] * across[:, :, None, :]
        pictures, faces = keras.ops.shape(across)[:2]
        return keras.ops.reshape(product, (pictures, faces, self._cells))


def _range(stride: int, recipe: TargetRecipe) -> tuple[float, float]:
    """The smallest and largest face that a grid answers for, in pixels."""
    first, second = recipe.limits
    blend = recipe.blend
    ranges = {
        STRIDES[0]: (0.0, first * blend),
        STRIDES[1]: (first / blend, second * blend),
        STRIDES[2]: (second / blend, 1e6),
    }
    return ranges[stride]


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
