from __future__ import annotations

import numpy as np

from moodlens.detection.base import Detections
from moodlens.training.detector.mining import empty_scenes, mine
from moodlens.training.detector.recipe import MiningRecipe
from moodlens.training.detector.scenes import SceneComposer
from moodlens.training.detector.scoring import Score, agreed_boxes, wanted_boxes, wrong_boxes


def _brightest(frame: np.ndarray) -> Detections:
    """Finds a face wherever it is bright: always wrong."""
    rows, columns = np.nonzero(frame[..., 0] > 128)
    if len(rows) == 0:
        return Detections.empty()
    box = np.float32([[columns.min(), rows.min(), columns.max() + 1, rows.max() + 1]])
    return Detections(box, np.float32([0.1 + 0.8 * frame.max() / 255]))


def test_what_is_wrongly_found_is_cut_out_the_worst_first() -> None:
    pale, bright, dark = (np.zeros((100, 120), np.uint8) for _ in range(3))
    pale[20:60, 30:70], bright[20:60, 30:70] = 180, 255
    patches = mine([pale, bright, dark], _brightest, MiningRecipe(scales=(1.0,)))
    assert len(patches) == 4, "both bright squares, each also mirrored"
    assert patches[0].max() == 255
    assert patches[-1].max() == 180
    assert patches[0].shape == (60, 60)
    assert len(mine([bright], _brightest, MiningRecipe(scales=(1.0,), most=1))) == 1
    assert mine([bright], _brightest, MiningRecipe(scales=(1.0,), score=0.95)) == []


def test_empty_scenes_hold_no_label(composer: SceneComposer) -> None:
    images, labels = composer.compose_many(0, 40)
    empty = empty_scenes(images, labels, 100)
    assert len(empty) == int((labels[:, :, 14].sum(axis=1) == 0).sum())


def test_scores_count_hits_misses_and_wrong_boxes() -> None:
    labels = np.zeros((3, 15), np.float32)
    labels[0, :4], labels[1, :4] = (10, 10, 50, 50), (100, 100, 140, 140)
    labels[:2, 14] = 1
    found = Detections(np.float32([[10, 10, 50, 48], [200, 200, 240, 240]]), np.float32([0.9, 0.8]))
    score = Score()
    score.add(wanted_boxes(labels), found.boxes_xyxy)
    assert (score.faces, score.found) == (2, 1)
    assert score.recall == 0.5
    assert score.median_overlap > 0.9
    assert wrong_boxes(labels, found) == 1
    assert len(agreed_boxes(labels, found)) == 1, "a reference's wrong box is not asked for"
