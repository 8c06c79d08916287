from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from moodlens.detection.base import Detections
from moodlens.errors import DatasetError
from moodlens.training.detector.faces import (
    AnnotatedFaces,
    Photograph,
    annotate_face,
    annotate_faces,
    cut_faces,
    overlap,
    people_in,
    read_backgrounds,
)


class Fixed:
    """A detector that answers with a share of the frame."""

    name = "fixed"

    def __init__(self, score: float = 0.9, jitter: float = 0.0) -> None:
        self.score, self.rng, self.jitter = score, np.random.default_rng(0), jitter

    def detect(self, frame: np.ndarray, *, min_face_px: float = 24.0) -> Detections:
        height, width = frame.shape[:2]
        box = np.float32([0.3, 0.3, 0.7, 0.7]) * np.float32([width, height] * 2)
        marks = np.float32([[0.4, 0.45], [0.6, 0.45], [0.5, 0.5], [0.44, 0.6], [0.56, 0.6]])
        marks = marks * np.float32([width, height])
        marks = marks + self.rng.normal(0, self.jitter * width, marks.shape).astype(np.float32)
        scores = np.float32([self.score])
        return Detections(box[None], scores, marks[None].astype(np.float32))

    def crop_squares(self, detections: Detections) -> np.ndarray:
        return np.zeros((len(detections), 3), np.float32)


def test_a_face_that_all_looks_agree_on_is_kept() -> None:
    found = annotate_face(np.zeros((48, 48), np.uint8), Fixed())
    assert found is not None
    box, marks = found
    assert box.shape == (4,)
    assert marks.shape == (5, 2)
    assert marks[:, 0].mean() == pytest.approx(0.5, abs=0.01)
    assert 0.15 < box[0] < 0.3, "in units of the picture, without the border around it"


def test_an_unsure_or_unsteady_face_is_left_out() -> None:
    picture = np.zeros((48, 48), np.uint8)
    assert annotate_face(picture, Fixed(score=0.5)) is None
    assert annotate_face(picture, Fixed(jitter=0.1)) is None
    with pytest.raises(DatasetError, match="no face"):
        annotate_faces(picture[None], Fixed(score=0.1))


def test_labels_are_kept_and_joined_with_their_pictures(tmp_path: Path) -> None:
    pictures = np.random.default_rng(1).integers(0, 255, (3, 48, 48)).astype(np.uint8)
    faces = annotate_faces(pictures, Fixed())
    faces.save(tmp_path / "faces.npz")
    again = AnnotatedFaces.load(tmp_path / "faces.npz", list(pictures))
    assert np.array_equal(again.boxes, faces.boxes)
    assert np.array_equal(again.pictures[2], pictures[2])
    assert len(again + faces) == 6
    with pytest.raises(DatasetError, match="not the labels"):
        AnnotatedFaces.load(tmp_path / "faces.npz", list(pictures[:1]))


def test_overlap_of_known_boxes() -> None:
    a = np.float32([[0, 0, 10, 10], [20, 20, 30, 30]])
    b = np.float32([[0, 0, 10, 5]])
    assert overlap(a, b)[:, 0].tolist() == pytest.approx([0.5, 0.0])


def test_faces_are_cut_with_their_labels() -> None:
    picture = np.zeros((200, 300), np.uint8)
    box = np.float32([[100, 60, 160, 140]])
    marks = np.float32([[[115, 90], [145, 90], [130, 105], [118, 120], [142, 120]]])
    cut = cut_faces(Photograph(picture, Detections(box, np.float32([0.9]), marks)))
    side = cut.pictures[0].shape[0]
    assert cut.pictures[0].shape == (side, side)
    assert (cut.boxes[0, 2] - cut.boxes[0, 0]) * side == pytest.approx(60, abs=0.01)
    assert len(cut_faces(Photograph(picture, Detections(box, np.float32([0.5]), marks)))) == 0


def test_the_same_person_at_several_scales_counts_once() -> None:
    assert len(people_in(np.zeros((100, 100), np.uint8), Fixed())) == 1
    assert len(people_in(np.zeros((100, 100), np.uint8), Fixed(score=0.3))) == 0


def test_backgrounds_are_read_in_order(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="no pictures"):
        read_backgrounds(tmp_path)
    cv2.imwrite(str(tmp_path / "b.png"), np.full((20, 30, 3), 9, np.uint8))
    cv2.imwrite(str(tmp_path / "a.png"), np.full((40, 30, 3), 7, np.uint8))
    assert [p.shape for p in read_backgrounds(tmp_path)] == [(40, 30), (20, 30)]
