"""A frame at the working size: no distortion, and boxes that come back."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from moodlens.detection.letterbox import GRID, letterbox

sides = st.integers(1, 700)


@given(sides, sides, st.floats(0.05, 1.0), st.sampled_from([0.0, 0.25]))
def test_the_working_frame_lies_on_the_grid(h: int, w: int, scale: float, border: float) -> None:
    working, box = letterbox(np.zeros((h, w, 3), np.uint8), scale, border)
    assert working.shape[0] % GRID == 0
    assert working.shape[1] % GRID == 0
    assert working.shape[1] < (w * scale + 1) * (1 + 2 * border) + 2 * GRID
    assert box.scale == scale


@given(st.floats(0.1, 1.0), st.floats(0, 500), st.floats(0, 300))
def test_points_come_back_to_where_they_were(scale: float, x: float, y: float) -> None:
    _, box = letterbox(np.zeros((300, 500, 3), np.uint8), scale, 0.25)
    there = np.array([[(x + box.pad_x) * scale, (y + box.pad_y) * scale]], np.float32)
    assert np.abs(box.to_source(there) - [x, y]).max() < 0.05


def test_what_is_drawn_lies_where_the_box_says() -> None:
    frame = np.zeros((300, 500, 3), np.uint8)
    frame[100:140, 200:260] = 255
    working, box = letterbox(frame, 0.5, 0.25)
    rows, columns = np.nonzero(working[..., 0] > 127)
    corners = np.array([[columns.min(), rows.min(), columns.max() + 1, rows.max() + 1]], np.float32)
    assert np.abs(box.to_source(corners) - [200, 100, 260, 140]).max() <= 2.0
