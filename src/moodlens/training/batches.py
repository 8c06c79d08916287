"""Batches for `keras.Model.fit`, the same at every run with the same seed."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np

from moodlens.datasets.core import FaceDataset
from moodlens.training.augment import augment_batch
from moodlens.training.network import LOGITS_LAYER, VOTES_LAYER
from moodlens.training.recipe import Recipe
from moodlens.training.targets import emotion_targets, vote_targets


class TrainingBatches(keras.utils.PyDataset):  # type: ignore[misc]
    """Shuffled, augmented batches; chance depends on seed, epoch and batch number alone.

    So a resumed run sees exactly the pictures that an uninterrupted one would have seen.
    """

    def __init__(
        self, dataset: FaceDataset, recipe: Recipe, *, first_epoch: int = 0, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self._images = dataset.images
        self._emotions = emotion_targets(dataset, recipe.target)
        self._votes = vote_targets(dataset) if dataset.votes is not None else None
        self._recipe = recipe
        self._epoch = first_epoch
        self._order = self._shuffled()

    def _shuffled(self) -> np.ndarray[Any, np.dtype[np.int64]]:
        rng = np.random.default_rng((self._recipe.seed, self._epoch))
        return rng.permutation(len(self._images))

    def __len__(self) -> int:
        return max(1, len(self._images) // self._recipe.schedule.batch_size)

    def __getitem__(self, index: int) -> tuple[Any, Any]:
        size = self._recipe.schedule.batch_size
        chosen = self._order[index * size : (index + 1) * size]
        rng = np.random.default_rng((self._recipe.seed, self._epoch, index))
        ramp = self._recipe.augment.ramp * self._recipe.schedule.epochs
        strength = min(1.0, 0.4 + 0.6 * (self._epoch / ramp)) if ramp > 0 else 1.0
        faces = augment_batch(self._images[chosen], self._recipe.augment, rng, strength)
        if self._votes is None:
            return faces, self._emotions[chosen]
        return faces, {
            LOGITS_LAYER: self._emotions[chosen],
            VOTES_LAYER: self._votes[chosen],
        }

    def on_epoch_end(self) -> None:
        self._epoch += 1
        self._order = self._shuffled()
