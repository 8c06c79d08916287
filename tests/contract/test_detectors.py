"""What every face detector must do, on real and on hostile frames."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import cv2
import numpy as np
import pytest

from moodlens.artifacts import find_model
from moodlens.detection import Detector, create_detector
from moodlens.errors import MoodlensError
from moodlens.imaging import load_image
from moodlens.settings import settings

NAMES = ("moodlens", "yunet", "haar")


@pytest.fixture(params=NAMES)
def detector(request: pytest.FixtureRequest) -> Detector:
    settings.cache_clear()
    if request.param == "yunet" and find_model("yunet") is None:
        pytest.skip("YuNet's file is neither in the cache nor in MOODLENS_MODELS_DIR")
    return create_detector(request.param)


def blank_frames() -> dict[str, np.ndarray]:
    rng = np.random.default_rng(7)
    board = (np.indices((480, 640)).sum(axis=0) // 16 % 2 * 255).astype(np.uint8)
    return {
        "black": np.zeros((480, 640, 3), np.uint8),
        "white": np.full((480, 640, 3), 255, np.uint8),
        "noise": rng.integers(0, 256, (480, 640, 3), dtype=np.uint8),
        "checkerboard": np.repeat(board[..., None], 3, axis=2),
        "tiny": np.full((16, 16, 3), 128, np.uint8),
        "one pixel": np.zeros((1, 1, 3), np.uint8),
        "a line": np.zeros((2, 3000, 3), np.uint8),
        "huge": np.full((6000, 8000, 3), 90, np.uint8),
    }


def test_it_keeps_the_protocol(detector: Detector) -> None:
    assert isinstance(detector, Detector)
    assert detector.name in NAMES


@pytest.mark.parametrize("name", list(blank_frames()))
def test_frames_without_a_face_give_none(detector: Detector, name: str) -> None:
    assert len(detector.detect(blank_frames()[name])) == 0


@pytest.mark.shared_data
def test_one_real_face_is_found_once(detector: Detector, shared: Path) -> None:
    frame = load_image(shared / "media" / "one-face.jpg")
    found = detector.detect(frame)
    assert len(found) == 1
    assert 0.0 <= found.scores[0] <= 1.0
    x1, y1, x2, y2 = found.boxes_xyxy[0]
    assert 60 < x1 < 130
    assert 50 < y1 < 110
    assert 230 < x2 < 310
    assert 250 < y2 < 320
    center_x, center_y, side = detector.crop_squares(found)[0]
    assert 150 < side < 270
    assert x1 < center_x < x2
    assert y1 < center_y < y2


@pytest.mark.shared_data
def test_a_drawing_is_no_face(detector: Detector, shared: Path) -> None:
    assert len(detector.detect(load_image(shared / "media" / "cartoon-no-face.jpg"))) == 0


@pytest.mark.shared_data
@pytest.mark.parametrize("size", [(640, 480), (480, 640), (1280, 720), (301, 457)])
def test_boxes_are_in_source_pixels_at_any_size(
    detector: Detector, shared: Path, size: tuple[int, int]
) -> None:
    face = load_image(shared / "media" / "one-face.jpg")
    width, height = size
    scale = 0.55 * min(width, height) / face.shape[0]
    small = cv2.resize(face, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    frame = np.full((height, width, 3), 120, np.uint8)
    left, top = width - small.shape[1] - 7, height - small.shape[0] - 5
    frame[top : top + small.shape[0], left : left + small.shape[1]] = small
    found = detector.detect(frame)
    assert len(found) == 1
    expected = np.array([95, 80, 270, 285]) * scale + [left, top, left, top]
    assert np.abs(found.boxes_xyxy[0] - expected).max() < 0.2 * small.shape[0]


@pytest.mark.shared_data
def test_landmarks_lie_in_order_inside_the_box(detector: Detector, shared: Path) -> None:
    found = detector.detect(load_image(shared / "media" / "one-face.jpg"))
    if detector.name == "haar":
        assert found.landmarks is None
        return
    assert found.landmarks is not None
    left_eye, right_eye, nose, left_mouth, right_mouth = found.landmarks[0]
    assert left_eye[0] < nose[0] < right_eye[0]
    assert left_mouth[0] < right_mouth[0]
    assert left_eye[1] < nose[1] < left_mouth[1]


@pytest.mark.shared_data
def test_threads_get_the_answers_that_one_gets(detector: Detector, shared: Path) -> None:
    frame = load_image(shared / "media" / "one-face.jpg")
    alone = detector.detect(frame).boxes_xyxy
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda _: detector.detect(frame).boxes_xyxy, range(12)))
    assert all(np.array_equal(alone, boxes) for boxes in found)


def test_an_unknown_detector_is_refused() -> None:
    with pytest.raises(MoodlensError, match=r"mtcnn.*auto.*haar"):
        create_detector("mtcnn")
