"""Box maths holds for any boxes."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from moodlens.tracking.boxes import iou_matrix, region_around, unique_boxes

coordinate = st.floats(-2000, 2000, width=32)
side = st.floats(1, 1000, width=32)


@st.composite
def boxes(draw: st.DrawFn, most: int = 6) -> np.ndarray:
    rows = draw(st.lists(st.tuples(coordinate, coordinate, side, side), max_size=most))
    found = np.array(rows, np.float32).reshape(-1, 4)
    found[:, 2:] += found[:, :2]
    return found


@given(boxes(), boxes())
def test_overlap_is_a_share_and_symmetric(a: np.ndarray, b: np.ndarray) -> None:
    forth = iou_matrix(a, b)
    assert forth.shape == (len(a), len(b))
    assert ((forth >= 0) & (forth <= 1 + 1e-5)).all()
    np.testing.assert_allclose(forth, iou_matrix(b, a).T, atol=1e-5)


@given(boxes())
def test_a_box_overlaps_itself_wholly(a: np.ndarray) -> None:
    np.testing.assert_allclose(np.diag(iou_matrix(a, a)), 1.0, atol=1e-3)


def test_overlap_of_a_known_pair() -> None:
    a = np.array([[0, 0, 10, 10]], np.float32)
    b = np.array([[5, 0, 15, 10], [20, 20, 30, 30]], np.float32)
    np.testing.assert_allclose(iou_matrix(a, b), [[50 / 150, 0.0]])


@given(boxes())
def test_what_is_left_does_not_overlap_and_holds_the_best(a: np.ndarray) -> None:
    scores = np.linspace(0.1, 0.9, len(a), dtype=np.float32)
    kept = unique_boxes(a, scores)
    assert len(set(kept)) == len(kept)
    if len(a):
        assert int(scores.argmax()) in kept
    overlaps = iou_matrix(a[kept], a[kept])
    assert (overlaps[~np.eye(len(kept), dtype=bool)] <= 0.4 + 1e-6).all()


@given(coordinate, coordinate, side, side, st.integers(1, 3000), st.integers(1, 3000))
def test_a_region_lies_on_the_frame(
    x: float, y: float, w: float, h: float, height: int, width: int
) -> None:
    region = region_around((x, y, x + w, y + h), 2.0, (height, width))
    if region is None:
        outside = x - w >= width or y - h >= height or x + 2 * w <= 0 or y + 2 * h <= 0
        near = x + w / 2 + max(w, h) <= 1 or y + h / 2 + max(w, h) <= 1
        near = near or x + w / 2 - max(w, h) >= width - 1 or y + h / 2 - max(w, h) >= height - 1
        assert outside or near
    else:
        x1, y1, x2, y2 = region
        assert 0 <= x1 < x2 <= width
        assert 0 <= y1 < y2 <= height


def test_a_region_has_its_reach() -> None:
    assert region_around((100, 100, 140, 140), 2.0, (480, 640)) == (80, 80, 160, 160)


@pytest.mark.parametrize("box", [(-50.0, 0.0, -40.0, 10.0), (700.0, 10.0, 720.0, 30.0)])
def test_no_region_off_the_frame(box: tuple[float, float, float, float]) -> None:
    assert region_around(box, 1.0, (480, 640)) is None
