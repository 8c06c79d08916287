"""A face becomes the network's input, in one place."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from moodlens.recognition.preprocess import crop_faces, crop_square, to_gray, to_input


def gradient(height: int = 120, width: int = 160) -> np.ndarray:
    rows = np.linspace(0, 255, height)[:, None]
    columns = np.linspace(0, 255, width)[None, :]
    return np.stack([(rows + columns) / 2] * 3, axis=-1).astype(np.uint8)


def test_a_crop_of_the_networks_size_is_cut_as_it_is() -> None:
    frame = gradient()
    crop = crop_square(frame, 64.0, 44.0, 48.0)
    assert np.array_equal(crop, to_gray(frame)[20:68, 40:88])


def test_shrinking_averages_areas() -> None:
    checkerboard = np.indices((96, 96)).sum(axis=0) % 2 * 255
    frame = np.repeat(checkerboard[..., None], 3, axis=2).astype(np.uint8)
    crop = crop_square(frame, 48.0, 48.0, 96.0)
    assert abs(int(crop.mean()) - 127) <= 1
    assert crop.std() < 2.0


def test_outside_the_frame_the_border_repeats() -> None:
    frame = np.full((50, 50, 3), 77, np.uint8)
    assert np.all(crop_square(frame, 0.0, 0.0, 80.0) == 77)


@given(
    center_x=st.floats(-500, 700),
    center_y=st.floats(-500, 700),
    side=st.floats(0.1, 900),
    size=st.sampled_from([32, 48, 64]),
)
def test_any_square_gives_a_picture_of_the_right_size(
    center_x: float, center_y: float, side: float, size: int
) -> None:
    crop = crop_square(gradient(), center_x, center_y, side, size)
    assert crop.shape == (size, size)
    assert crop.dtype == np.uint8


def test_gray_uses_the_usual_weights_and_leaves_gray_alone() -> None:
    blue = np.zeros((2, 2, 3), np.uint8)
    blue[..., 0] = 255
    assert to_gray(blue)[0, 0] == 29
    gray = np.full((2, 2), 9, np.uint8)
    assert to_gray(gray) is gray


def test_the_tensor_is_float32_in_zero_to_one() -> None:
    crops = crop_faces(gradient(), np.array([[50, 50, 40], [80, 60, 90]], np.float32))
    x = to_input(crops)
    assert x.shape == (2, 48, 48, 1)
    assert x.dtype == np.float32
    assert 0.0 <= x.min() <= x.max() <= 1.0
    assert to_input(np.full((1, 48, 48), 255, np.uint8)).max() == 1.0


def test_no_faces_give_an_empty_batch() -> None:
    assert crop_faces(gradient(), np.zeros((0, 3), np.float32)).shape == (0, 48, 48)


@pytest.mark.parametrize("scale", [2, 4])
def test_enlarging_a_picture_and_cropping_it_gives_it_back(scale: int) -> None:
    rng = np.random.default_rng(1)
    face = cv2.GaussianBlur(rng.integers(0, 255, (48, 48), np.uint8), (5, 5), 2)
    large = cv2.resize(face, None, fx=scale, fy=scale, interpolation=cv2.INTER_CUBIC)
    frame = np.repeat(large[..., None], 3, axis=2)
    crop = crop_square(frame, 24.0 * scale, 24.0 * scale, 48.0 * scale)
    assert np.abs(crop.astype(int) - face.astype(int)).mean() < 2.0
