from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("keras")

from moodlens.training.detector.batches import mirrored, vary
from moodlens.training.detector.scenes import FACE, SceneComposer

pytestmark = pytest.mark.train


def test_mirroring_twice_changes_nothing(composer: SceneComposer) -> None:
    label = composer.compose_many(0, 10)[1].reshape(-1, 15)
    assert (label[:, 14] > 0).any()
    np.testing.assert_allclose(mirrored(mirrored(label, 160), 160), label, atol=1e-4)


def test_the_left_eye_stays_left(composer: SceneComposer) -> None:
    for number in range(10):
        label = mirrored(composer.compose(number).table(16), 160)
        used = label[:, 14] > 0
        assert (label[used, 4] < label[used, 6]).all()
        assert (label[~used] == 0).all()


def test_labels_follow_the_picture() -> None:
    """A white square stays inside its box through every change."""
    for seed in range(40):
        image = np.zeros((128, 160), np.uint8)
        image[40:80, 50:90] = 255
        label = np.zeros((4, 15), np.float32)
        label[0, :4], label[0, 14] = (50, 40, 90, 80), FACE
        label[0, 4:14] = np.tile([70, 60], 5)
        varied, moved = vary(image, label, np.random.default_rng(seed))
        x1, y1, x2, y2 = moved[0, :4]
        rows, columns = np.nonzero(varied > (int(varied.max()) + int(varied.min())) / 2)
        assert varied.shape == image.shape
        assert abs(columns.min() - x1) <= 1.5
        assert abs(columns.max() + 1 - x2) <= 1.5
        assert abs(rows.min() - y1) <= 1.5
        assert abs(rows.max() + 1 - y2) <= 1.5
