"""What an answer costs: presence, box and landmarks."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from moodlens.training.detector.recipe import TargetRecipe
from moodlens.training.detector.targets import cell_targets, decode_cells


class DetectionLoss(keras.losses.Loss):
    """Presence by the penalty-reduced focal loss of CenterNet (arXiv:1904.07850, eq. 1), boxes by
    distance-IoU (Zheng et al. 2020, arXiv:1911.08287) and landmarks by their distance in box sizes.
    """

    def __init__(self, grid: NDArray[np.float32], recipe: TargetRecipe) -> None:
        super().__init__(name="detection", reduction="sum")
        self._grid = grid
        self._recipe = recipe

    def call(self, y_true: Any, y_pred: Any) -> Any:
        """One number a batch: the three parts, each per face."""
        presence, box, marks = self.parts(y_true, y_pred)
        recipe = self._recipe
        return presence + recipe.box_weight * box + recipe.landmark_weight * marks

    def parts(self, labels: Any, cells: Any) -> tuple[Any, Any, Any]:
        """Presence, box and landmark loss of (n, faces, 15) labels and (n, cells, 15) answers."""
        ops = keras.ops
        targets = cell_targets(labels, self._grid, self._recipe)
        boxes, marks = decode_cells(cells, self._grid)
        logit = cells[..., 0]
        p = ops.sigmoid(logit)
        at_top = ops.cast(targets.bump > 0.999, "float32")
        hit = at_top * (1 - p) ** 2 * ops.softplus(-logit)
        miss = (1 - at_top) * (1 - targets.bump) ** 4 * p**2 * ops.softplus(logit)
        faces = ops.maximum(ops.sum(at_top), 1.0)
        presence = ops.sum(targets.weight * (hit + miss)) / faces
        share = ops.maximum(ops.sum(targets.share), 1e-3)
        box = ops.sum(targets.share * (1 - distance_iou(boxes, targets.box))) / share
        wh = ops.maximum(targets.box[..., 2:] - targets.box[..., :2], 1.0)
        size = ops.sqrt(wh[..., :1] * wh[..., 1:])
        apart = ops.abs(marks - targets.landmarks) / size
        apart = ops.minimum(ops.mean(apart, axis=-1), 2.0)
        return presence, box, ops.sum(targets.share * apart) / share


def distance_iou(a: Any, b: Any) -> Any:
    """Intersection over union less the squared distance of the centres, of (..., 4) boxes."""
    ops = keras.ops
    low, high = ops.maximum(a[..., :2], b[..., :2]), ops.minimum(a[..., 2:], b[..., 2:])
    shared = ops.prod(ops.maximum(high - low, 0.0), axis=-1)
    area_a = ops.prod(ops.maximum(a[..., 2:] - a[..., :2], 0.0), axis=-1)
    area_b = ops.prod(ops.maximum(b[..., 2:] - b[..., :2], 0.0), axis=-1)
    iou = shared / ops.maximum(area_a + area_b - shared, 1e-6)
    outer = ops.maximum(a[..., 2:], b[..., 2:]) - ops.minimum(a[..., :2], b[..., :2])
    between = (a[..., :2] + a[..., 2:] - b[..., :2] - b[..., 2:]) / 2
    diagonal = ops.maximum(ops.sum(outer * outer, axis=-1), 1e-6)
    return iou - ops.sum(between * between, axis=-1) / diagonal
