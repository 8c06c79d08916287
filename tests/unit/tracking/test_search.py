"""Between whole searches only the places where faces should be are looked at."""

from __future__ import annotations

import numpy as np

from moodlens.detection.base import Detections
from moodlens.tracking import StreamOptions, StreamState
from moodlens.tracking.search import default_detect_every, detect_near

from .conftest import FRAME, ScriptedDetector, ScriptedLens


class PaintedDetector(ScriptedDetector):
    """Finds the bright rectangles of a frame, wherever the frame was cut from."""

    def detect(self, frame: np.ndarray, *, min_face_px: float = 24.0) -> Detections:
        self.asked.append((frame.shape[:2], min_face_px))
        import cv2

        shapes, _ = cv2.findContours(frame[:, :, 0], cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
        rows = [cv2.boundingRect(shape) for shape in shapes]
        rows = [(x, y, x + w, y + h) for x, y, w, h in rows if min(w, h) >= min_face_px]
        found = np.array(rows, np.float32).reshape(-1, 4)
        marks = np.repeat(found[:, None, :2], 5, axis=1)
        return Detections(found, np.ones(len(found), np.float32), marks)


def painted(*boxes: tuple[int, int, int, int]) -> np.ndarray:
    frame = np.zeros((480, 640, 3), np.uint8)
    for x1, y1, x2, y2 in boxes:
        frame[y1:y2, x1:x2] = 255
    return frame


def test_boxes_and_landmarks_come_back_in_pixels_of_the_frame() -> None:
    frame = painted((200, 120, 280, 200), (400, 300, 460, 360))
    near = detect_near(
        PaintedDetector(), frame, [(205, 125, 285, 205), (395, 295, 455, 355)], min_face_px=24
    )
    assert near is not None
    assert sorted(near.boxes_xyxy.tolist()) == [[200, 120, 280, 200], [400, 300, 460, 360]]
    assert near.landmarks is not None
    np.testing.assert_allclose(near.landmarks[:, 0], near.boxes_xyxy[:, :2])


def test_a_face_in_two_regions_is_one_face() -> None:
    frame = painted((200, 120, 280, 200), (300, 120, 380, 200))
    near = detect_near(
        PaintedDetector(), frame, [(200, 120, 280, 200), (300, 120, 380, 200)], min_face_px=24
    )
    assert near is not None
    assert len(near) == 2


def test_a_face_that_is_not_there_asks_for_the_whole_frame() -> None:
    frame = painted((200, 120, 280, 200))
    wanted = [(200.0, 120.0, 280.0, 200.0), (500.0, 300.0, 560.0, 360.0)]
    assert detect_near(PaintedDetector(), frame, wanted, min_face_px=24) is None
    assert detect_near(PaintedDetector(), frame, [(900, 0, 950, 50)], min_face_px=24) is None


def test_networks_look_everywhere_and_cascades_seldom() -> None:
    detector = ScriptedDetector()
    assert default_detect_every(detector) == 1
    detector.name = "haar"
    assert default_detect_every(detector) > 1


def test_the_whole_frame_is_searched_on_every_kth_frame(lens: ScriptedLens) -> None:
    lens.detector = PaintedDetector()
    state = StreamState(lens, StreamOptions(detect_every=4))
    frame = painted((200, 120, 280, 200))
    for f in range(9):
        assert len(state.process(frame, f / 30).faces) == 1
    whole = [shape == (480, 640) for shape, _ in lens.detector.asked]
    assert whole == [True, False, False, False, True, False, False, False, True]


def test_a_lost_face_brings_the_whole_frame_back_at_once(lens: ScriptedLens) -> None:
    lens.detector = PaintedDetector()
    state = StreamState(lens, StreamOptions(detect_every=100))
    state.process(painted((200, 120, 280, 200)), 0.0)
    (face,) = state.process(painted((480, 300, 560, 380)), 1 / 30).faces
    assert face.box_xyxy == (480, 300, 560, 380)


def test_no_face_known_means_the_whole_frame(lens: ScriptedLens) -> None:
    lens.detector = PaintedDetector()
    state = StreamState(lens, StreamOptions(detect_every=100))
    for f in range(3):
        assert state.process(FRAME, f / 30).faces == ()
    assert [shape for shape, _ in lens.detector.asked] == [(480, 640)] * 3


def test_smaller_faces_than_asked_for_are_never_looked_for(lens: ScriptedLens) -> None:
    lens.detector = PaintedDetector()
    lens.min_face_px = 70
    state = StreamState(lens, StreamOptions(detect_every=100))
    for f in range(3):
        state.process(painted((200, 120, 280, 200)), f / 30)
    assert all(least >= 70 for _, least in lens.detector.asked)
