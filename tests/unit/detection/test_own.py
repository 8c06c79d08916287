"""The packaged detector: decoding, suppression, and frames that hold no face."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from moodlens.artifacts import resolve_model
from moodlens.detection.own import (
    CLOSER,
    PACKAGED,
    MoodlensDetector,
    cell_corners,
    decode,
    decode_about,
    mirror,
    overlaps,
    suppress,
)
from moodlens.errors import ModelError

STRIDES = (8, 16, 32)


def cells_with(*answers: tuple[int, float]) -> np.ndarray:
    """Cells of a 64x64 frame; at each index a box of one stride around the cell's corner."""
    cells = np.zeros((64 + 16 + 4, 15), np.float32)
    for index, score in answers:
        cells[index, 0] = score
    return cells


def test_no_answer_gives_empty_arrays_of_the_right_shape() -> None:
    boxes, scores, marks = decode(cells_with(), 64, 64, STRIDES, 0.5)
    assert boxes.shape == (0, 4)
    assert scores.shape == (0,)
    assert marks.shape == (0, 5, 2)


def test_a_cell_is_decoded_to_its_place_and_stride() -> None:
    cells = cells_with((8 * 3 + 2, 0.9), (64 + 4 * 1 + 3, 0.8))
    boxes, scores, marks = decode(cells, 64, 64, STRIDES, 0.5)
    assert scores.tolist() == pytest.approx([0.9, 0.8])
    np.testing.assert_allclose(boxes[0], [12, 20, 20, 28], atol=1e-4)
    np.testing.assert_allclose(boxes[1], [40, 8, 56, 24], atol=1e-4)
    np.testing.assert_allclose(marks[1], np.tile([48, 16], (5, 1)), atol=1e-4)


def test_answers_for_one_face_are_averaged_by_their_scores() -> None:
    cells = cells_with((18, 0.9), (19, 0.3))
    cells[19, 1] = -0.8  # the neighbour means almost the same box
    boxes, scores, _ = decode(cells, 64, 64, STRIDES, 0.5)
    assert len(boxes) == 1
    assert scores[0] == pytest.approx(0.9)
    assert boxes[0, 0] == pytest.approx(12 + 1.6 * 0.3 / 1.2, abs=1e-3)


def test_weak_answers_alone_are_no_face() -> None:
    assert len(decode(cells_with((18, 0.45)), 64, 64, STRIDES, 0.5)[0]) == 0


def test_wild_sizes_stay_finite() -> None:
    cells = cells_with((18, 0.9))
    cells[18, 3:5] = 1e4
    assert np.isfinite(decode(cells, 64, 64, STRIDES, 0.5)[0]).all()


def test_suppression_keeps_the_best_of_each_place() -> None:
    boxes = np.array([[0, 0, 10, 10], [1, 0, 11, 10], [40, 0, 50, 10]], np.float32)
    kept, shared = suppress(boxes, np.array([0.7, 0.9, 0.8], np.float32), 0.5)
    assert kept.tolist() == [1, 2]
    assert shared.shape == (2, 3)
    assert shared[0, 0] == pytest.approx(9 / 11)


def test_overlaps_of_boxes_without_area_are_zero() -> None:
    flat = np.array([[5, 5, 5, 5]], np.float32)
    assert overlaps(flat, flat).tolist() == [[0.0]]


def test_cells_are_ordered_by_stride_row_and_column() -> None:
    grid = cell_corners(32, 64, STRIDES)
    assert grid[:9].tolist() == [[float(i % 8), float(i // 8), 8.0] for i in range(9)]
    assert grid[-1].tolist() == [1.0, 0.0, 32.0]


def test_another_model_is_refused() -> None:
    with pytest.raises(ModelError, match="not a moodlens face detector"):
        MoodlensDetector(Path(resolve_model(None)))


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="nothing"):
        MoodlensDetector(tmp_path / "nothing.onnx")


def test_the_packaged_file_is_small_and_says_what_it_is() -> None:
    detector = MoodlensDetector()
    assert PACKAGED.stat().st_size <= 800_000
    assert {"name", "version", "licence", "data", "metrics"} <= set(detector.card)


class Answers:
    """In place of the network: one answer for a 64x64 frame, others for closer looks."""

    def __init__(self, first: float, closer: dict[int, tuple[int, float]]) -> None:
        self.first, self.closer = first, closer
        self.first_cells = [18]
        self.looks: list[int] = []

    def run(self, _names: None, feed: dict[str, np.ndarray]) -> list[np.ndarray]:
        count, _, _, side = feed["pictures"].shape
        self.looks.append(side)
        cells = np.zeros((count, sum((side // s) ** 2 for s in STRIDES), 15), np.float32)
        if side == 64:
            cells[:, self.first_cells, 0] = self.first
        elif side in self.closer:
            cell, score = self.closer[side]
            cells[:, cell, 0] = score
            cells[:, cell, 3:5] = np.log(side / 1.5 / 8)  # the face fills what is looked at
        return [cells]


def looking(first: float, **closer: tuple[int, float]) -> tuple[MoodlensDetector, Answers]:
    detector = MoodlensDetector(min_score=0.5)
    answers = Answers(first, {int(k[1:]): v for k, v in closer.items()})
    detector._session = answers
    return detector, answers


FRAME = np.full((64, 64, 3), 90, np.uint8)
MIDDLE = {96: 6 * 12 + 6, 128: 8 * 16 + 8}
"""The cell whose corner is the middle of a closer look."""


def test_a_clear_face_is_looked_at_once() -> None:
    detector, answers = looking(0.9)
    assert detector.detect(FRAME, min_face_px=12).scores.tolist() == pytest.approx([0.9])
    assert answers.looks == [64]


def test_a_doubtful_face_that_closer_looks_confirm_stays() -> None:
    detector, answers = looking(0.4, s96=(MIDDLE[96], 0.8), s128=(MIDDLE[128], 0.5))
    found = detector.detect(FRAME, min_face_px=12)
    assert found.scores.tolist() == pytest.approx([(0.4 + 0.8 * 2 + 0.5 * 2) / 5])
    assert answers.looks == [64, 96, 96, 128, 128], "at each size also at the mirror image"
    centre = (found.boxes_xyxy[0, :2] + found.boxes_xyxy[0, 2:]) / 2
    np.testing.assert_allclose(centre, [16, 16], atol=0.01)


def test_a_doubtful_face_that_is_none_from_near_is_dropped() -> None:
    detector, answers = looking(0.65)
    assert len(detector.detect(FRAME, min_face_px=12)) == 0
    assert 96 in answers.looks


def test_an_answer_about_another_place_confirms_nothing() -> None:
    detector, answers = looking(0.65, s96=(0, 0.9))
    box = np.array([[0, 0, 16, 16]], np.float32)
    assert detector._look_closer(FRAME, box, CLOSER[0])[1].tolist() == [0]
    assert answers.looks == [96]


def test_faces_in_doubt_share_a_call_of_the_network() -> None:
    detector, answers = looking(0.6, s96=(MIDDLE[96], 0.9))
    answers.first_cells = [9, 14, 49, 54]
    found = detector.detect(FRAME, min_face_px=12)
    assert answers.looks == [64, 96, 96]
    assert found.scores.tolist() == pytest.approx([0.8] * 4)
    centres = (found.boxes_xyxy[:, :2] + found.boxes_xyxy[:, 2:]) / 2
    expected = np.array([[8, 8], [48, 8], [8, 48], [48, 48]])
    np.testing.assert_allclose(centres[np.lexsort(centres.T)], expected, atol=0.01)


def test_each_picture_answers_for_itself() -> None:
    cells = np.zeros((3, sum((96 // s) ** 2 for s in STRIDES), 15), np.float32)
    for number, (cell, score) in enumerate([(MIDDLE[96], 0.9), (0, 0.9), (MIDDLE[96], 0.1)]):
        cells[number, cell, 0] = score
        cells[number, cell, 3:5] = np.log(64 / 8)
    asked = np.tile(np.array([[16, 16, 80, 80]], np.float32), (3, 1))
    boxes, scores, marks = decode_about(asked, cells, 96, STRIDES, 0.15)
    assert scores.tolist() == pytest.approx([0.9, 0, 0])
    np.testing.assert_allclose(boxes[0], asked[0], atol=0.01)
    np.testing.assert_allclose(marks[0], np.full((5, 2), 48), atol=0.01)


def test_an_answer_about_the_mirror_image_is_turned_back() -> None:
    boxes = np.array([[10, 5, 30, 45]], np.float32)
    marks = np.array([[[14, 15], [26, 15], [19, 25], [15, 38], [24, 38]]], np.float32)
    turned, points = mirror(boxes, marks, 96)
    assert turned.tolist() == [[66, 5, 86, 45]]
    assert points[0].tolist() == [[70, 15], [82, 15], [77, 25], [72, 38], [81, 38]]
    again, same = mirror(turned, points, 96)
    assert np.array_equal(again, boxes)
    assert np.array_equal(same, marks)


@pytest.mark.shared_data
def test_a_mirrored_look_sees_what_a_plain_one_sees(shared: Path) -> None:
    detector = MoodlensDetector()
    photograph = cv2.imread(str(shared / "media" / "one-face.jpg"))
    found = detector.detect(photograph)
    plain, mirrored = (
        detector._look_closer(photograph, found.boxes_xyxy[:1], look) for look in CLOSER[2:4]
    )
    assert CLOSER[3].mirrored
    assert min(plain[1][0], mirrored[1][0]) > 0.5
    assert overlaps(plain[0], mirrored[0])[0, 0] > 0.8
    marks, turned = plain[2][0], mirrored[2][0]
    eyes = np.linalg.norm(marks[1] - marks[0])
    assert np.linalg.norm(marks - turned, axis=1).max() < 0.25 * eyes


@pytest.mark.parametrize(
    "shape", [(1, 1), (12, 12), (16, 16), (17, 500), (500, 17), (100, 3000), (6000, 8000)]
)
@pytest.mark.parametrize("fill", [0, 255])
def test_plain_frames_of_any_size_hold_no_face(shape: tuple[int, int], fill: int) -> None:
    assert len(MoodlensDetector().detect(np.full((*shape, 3), fill, np.uint8))) == 0


@pytest.mark.parametrize("step", [1, 4, 16, 50])
@pytest.mark.parametrize("size", [(240, 320), (480, 640)])
def test_checkerboards_and_noise_hold_no_face(step: int, size: tuple[int, int]) -> None:
    detector = MoodlensDetector()
    board = ((np.indices(size) // step).sum(axis=0) % 2 * 255).astype(np.uint8)
    assert len(detector.detect(cv2.cvtColor(board, cv2.COLOR_GRAY2BGR))) == 0
    noise = np.random.default_rng(step).integers(0, 256, (*size, 3), dtype=np.uint8)
    assert len(detector.detect(noise)) == 0
    smooth = cv2.GaussianBlur(noise, (0, 0), step)
    assert len(detector.detect(smooth)) == 0


@pytest.mark.shared_data
def test_a_photograph_and_a_drawing(shared: Path) -> None:
    detector = MoodlensDetector()
    photograph = cv2.imread(str(shared / "media" / "one-face.jpg"))
    drawing = cv2.imread(str(shared / "media" / "cartoon-no-face.jpg"))
    for smallest in (24.0, 40.0):
        assert len(detector.detect(photograph, min_face_px=smallest)) == 1
        assert len(detector.detect(drawing, min_face_px=smallest)) == 0


@pytest.mark.shared_data
def test_eyes_lie_above_the_mouth_and_the_left_one_first(shared: Path) -> None:
    photograph = cv2.imread(str(shared / "media" / "one-face.jpg"))
    found = MoodlensDetector().detect(photograph)
    assert found.landmarks is not None
    marks = found.landmarks[0]
    assert marks[0, 0] < marks[2, 0] < marks[1, 0]
    assert marks[:2, 1].max() < marks[2, 1] < marks[3:, 1].min()
