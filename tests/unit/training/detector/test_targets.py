"""Targets and decoding agree: an answer that says what was asked is decoded to the label."""

from __future__ import annotations

import numpy as np
import pytest

keras = pytest.importorskip("keras")

from moodlens.detection.own import cell_corners, decode  # noqa: E402
from moodlens.training.detector.losses import DetectionLoss  # noqa: E402
from moodlens.training.detector.network import STRIDES  # noqa: E402
from moodlens.training.detector.recipe import TargetRecipe  # noqa: E402
from moodlens.training.detector.scenes import DOUBTFUL, FACE  # noqa: E402
from moodlens.training.detector.targets import (  # noqa: E402
    CellTargets,
    cell_grid,
    cell_targets,
    decode_cells,
)

pytestmark = pytest.mark.train
HEIGHT, WIDTH = 256, 320


def label(x: float, y: float, size: float, kind: float = FACE) -> np.ndarray:
    row = np.zeros(15, np.float32)
    row[:4] = x - size * 0.45, y - size * 0.55, x + size * 0.45, y + size * 0.55
    marks = np.float32([[-0.2, -0.1], [0.2, -0.1], [0, 0.1], [-0.15, 0.3], [0.15, 0.3]])
    row[4:14] = (marks * size + (x, y)).ravel()
    row[14] = kind
    return row


def targets_of(*rows: np.ndarray) -> CellTargets:
    labels = np.zeros((1, 16, 15), np.float32)
    for i, row in enumerate(rows):
        labels[0, i] = row
    found = cell_targets(
        keras.ops.convert_to_tensor(labels), cell_grid(HEIGHT, WIDTH), TargetRecipe()
    )
    return CellTargets(*(keras.ops.convert_to_numpy(part)[0] for part in found))


def answers_for(targets: CellTargets) -> np.ndarray:
    """Raw cells that say exactly what the targets ask."""
    grid = cell_grid(HEIGHT, WIDTH)
    stride = grid[:, 2:3]
    cells = np.zeros((len(grid), 15), np.float32)
    cells[:, 0] = targets.bump
    centre = (targets.box[:, :2] + targets.box[:, 2:]) / 2
    cells[:, 1:3] = centre / stride - grid[:, :2]
    size = np.maximum(targets.box[:, 2:] - targets.box[:, :2], 1e-3)
    cells[:, 3:5] = np.log(size / stride)
    cells[:, 5:] = targets.landmarks / stride - np.tile(grid[:, :2], 5)
    return cells


@pytest.mark.parametrize("size", [14, 24, 40, 60, 100, 160, 290])
def test_round_trip(size: float) -> None:
    row = label(150.3, 120.8, size)
    cells = answers_for(targets_of(row))
    boxes, scores, marks = decode(cells, HEIGHT, WIDTH, STRIDES, 0.6)
    assert len(boxes) == 1
    assert scores[0] == pytest.approx(1.0)
    np.testing.assert_allclose(boxes[0], row[:4], atol=0.02)
    np.testing.assert_allclose(marks[0].ravel(), row[4:14], atol=0.02)


def test_two_faces_far_apart_are_both_decoded_best_first() -> None:
    rows = label(60, 60, 30), label(240, 150, 120)
    boxes, scores, _ = decode(answers_for(targets_of(*rows)), HEIGHT, WIDTH, STRIDES, 0.6)
    assert len(boxes) == 2
    assert scores[0] >= scores[1]
    np.testing.assert_allclose(np.sort(boxes[:, 0]), sorted(r[0] for r in rows), atol=0.02)


def test_every_size_has_a_cell_and_small_faces_a_fine_one() -> None:
    grid = cell_grid(HEIGHT, WIDTH)
    for size, stride in ((16, 8), (90, 16), (250, 32)):
        targets = targets_of(label(160, 128, size))
        top = targets.bump > 0.999
        assert top.any()
        assert set(grid[top, 2]) == {stride}


def test_doubtful_faces_and_unused_rows_ask_for_nothing() -> None:
    nothing = targets_of()
    assert nothing.bump.max() == 0
    assert nothing.weight.min() == 1
    assert nothing.share.sum() == 0
    doubtful = targets_of(label(100, 100, 40, DOUBTFUL))
    assert doubtful.bump.max() == 0
    assert doubtful.weight.min() == 0, "its cells must count neither way"


def test_the_grid_of_training_is_the_grid_of_use() -> None:
    assert np.array_equal(cell_grid(HEIGHT, WIDTH), cell_corners(HEIGHT, WIDTH, STRIDES))


def test_the_loss_falls_when_the_answer_gets_better() -> None:
    rows = label(60, 60, 30), label(220, 150, 120)
    labels = np.zeros((1, 16, 15), np.float32)
    labels[0, :2] = rows
    right = answers_for(targets_of(*rows))
    right[:, 0] = np.where(right[:, 0] > 0.999, 8.0, -8.0)
    near, wrong = right.copy(), right.copy()
    near[:, 1:3] += 0.3
    wrong[:, 0] = -4.0
    loss = DetectionLoss(cell_grid(HEIGHT, WIDTH), TargetRecipe())
    costs = [
        float(keras.ops.convert_to_numpy(loss(labels, cells[None])))
        for cells in (right, near, wrong)
    ]
    assert costs[0] < 0.05
    assert costs[0] < costs[1] < costs[2] + costs[1]
    assert costs[2] > 10 * costs[0]


def test_decoding_in_training_is_decoding_in_use() -> None:
    rng = np.random.default_rng(0)
    grid = cell_grid(64, 64)
    cells = rng.normal(0, 0.5, (len(grid), 15)).astype(np.float32)
    cells[:, 0] = 0
    cells[17, 0] = 0.9
    boxes, marks = decode_cells(keras.ops.convert_to_tensor(cells), grid)
    found, _, points = decode(cells, 64, 64, STRIDES, 0.5)
    np.testing.assert_allclose(found[0], keras.ops.convert_to_numpy(boxes)[17], rtol=1e-4)
    np.testing.assert_allclose(
        points[0].ravel(), keras.ops.convert_to_numpy(marks)[17], rtol=1e-4, atol=1e-3
    )
