"""A data set and a recipe so small that a run takes seconds."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from moodlens.datasets import FaceDataset
from moodlens.training.recipe import Recipe


@pytest.fixture(scope="session")
def faces() -> FaceDataset:
    """96 smooth random pictures with labels and votes."""
    rng = np.random.default_rng(1)
    coarse = rng.integers(0, 256, (96, 8, 8), dtype=np.uint8)
    images = np.stack([cv2.resize(c, (48, 48), interpolation=cv2.INTER_CUBIC) for c in coarse])
    return FaceDataset(
        images=images,
        labels=np.arange(96) % 7,
        splits=np.array(["Training"] * 72 + ["PublicTest"] * 24),
        rows=np.arange(96),
        source="made up",
        votes=rng.integers(0, 6, (96, 10)).astype(np.uint8),
    )


@pytest.fixture(scope="session")
def recipe() -> Recipe:
    return Recipe().with_changes(
        {
            "network.name": "pocket",
            "network.stem_width": 8,
            "network.widths": (8, 12),
            "network.depths": (1, 1),
            "schedule.epochs": 4,
            "schedule.batch_size": 16,
            "schedule.learning_rate": 0.05,
            "schedule.warmup_epochs": 1.0,
            "schedule.ema_decay": 0.9,
            "schedule.precision": "float32",
        }
    )
