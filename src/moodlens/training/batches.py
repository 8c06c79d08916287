"""Batches for `keras.Model.fit`, the same at every run with the same seed."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from moodlens.datasets.core import FaceDataset
from moodlens.training.augment import augment_batch, blend_batch, patch_batch
from moodlens.training.network import LOGITS_LAYER, VOTES_LAYER
from moodlens.training.recipe import Recipe
from moodlens.training.targets import emotion_targets, vote_targets
from moodlens.training.teacher import Teacher


class TrainingBatches(keras.utils.PyDataset):
    """Shuffled, augmented batches; chance depends on seed, epoch and batch number alone.

    So a resumed run sees exactly the pictures that an uninterrupted one would have seen.
    """

    def __init__(
        self,
        dataset: FaceDataset,
        recipe: Recipe,
        *,
        first_epoch: int = 0,
        teacher: Teacher | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        target = recipe.target
        asked = teacher if target.teacher_share > 0 else None
        self._live_teacher = asked if target.teacher_sees_changes else None
        taught = None
        if asked is not None and not target.teacher_sees_changes:
            taught = asked.says(dataset.images)
        self._images = dataset.images
        self._emotions = emotion_targets(dataset, target, taught)
        self._votes = vote_targets(dataset) if dataset.votes is not None else None
        self._chances = _chances(dataset.labels, recipe.schedule.balance)
        self._recipe = recipe
        self._epoch = first_epoch
        self._repeats = repeats(recipe)
        self._kept: tuple[tuple[int, int], tuple[Any, Any]] | None = None
        self._order = self._shuffled()

    def _shuffled(self) -> NDArray[np.int64]:
        rng = np.random.default_rng((self._recipe.seed, self._epoch))
        if self._chances is None:
            return rng.permutation(len(self._images))
        return rng.choice(len(self._images), len(self._images), p=self._chances)

    def __len__(self) -> int:
        return steps_in_epoch(len(self._images), self._recipe)

    def __getitem__(self, index: int) -> tuple[Any, Any]:
        if self._repeats == 1:
            return self._batch(index)
        key = (self._epoch, index // self._repeats)
        if self._kept is None or self._kept[0] != key:
            self._kept = (key, self._batch(index // self._repeats))
        return self._kept[1]

    def _batch(self, index: int) -> tuple[Any, Any]:
        size = _different(self._recipe)
        chosen = self._order[index * size : (index + 1) * size]
        rng = np.random.default_rng((self._recipe.seed, self._epoch, index))
        augment = self._recipe.augment
        ramp = augment.ramp * self._recipe.schedule.epochs
        strength = min(1.0, 0.4 + 0.6 * (self._epoch / ramp)) if ramp > 0 else 1.0
        faces = augment_batch(self._images[chosen], augment, rng, strength)
        targets = [self._taught(faces, self._emotions[chosen])]
        if self._votes is not None:
            targets.append(self._votes[chosen])
        if augment.mixup or augment.cutmix:
            chance = rng.random()
            if chance < augment.mixup:
                faces, targets = blend_batch(faces, targets, rng)
            elif chance < augment.mixup + augment.cutmix:
                faces, targets = patch_batch(faces, targets, rng)
        if self._recipe.target.flip_consistency > 0:
            faces = np.concatenate([faces, faces[:, :, ::-1]])
            targets = [np.concatenate([target, target]) for target in targets]
        if self._votes is None:
            return faces, targets[0]
        return faces, {LOGITS_LAYER: targets[0], VOTES_LAYER: targets[1]}

    def _taught(
        self, faces: NDArray[np.float32], emotions: NDArray[np.float32]
    ) -> NDArray[np.float32]:
        """The targets with the teacher's share, where it sees the changed pictures."""
        if self._live_teacher is None:
            return emotions
        share = np.float32(self._recipe.target.teacher_share)
        seen = np.rint(faces[..., 0] * 255.0).astype(np.uint8)
        return (1 - share) * emotions + share * self._live_teacher.says(seen, mirrored=False)

    def on_epoch_end(self) -> None:
        self._epoch += 1
        self._order = self._shuffled()


def repeats(recipe: Recipe) -> int:
    """How often each batch is given: sharpness-aware minimisation looks at it twice."""
    return 2 if recipe.schedule.sharpness > 0 else 1


def steps_in_epoch(rows: int, recipe: Recipe) -> int:
    """How many batches an epoch of so many pictures gives; the last, smaller one is left out."""
    return max(1, rows // _different(recipe)) * repeats(recipe)


def _different(recipe: Recipe) -> int:
    """Different pictures in a batch: half of it where the other half are their mirror images."""
    size = recipe.schedule.batch_size
    return max(1, size // 2) if recipe.target.flip_consistency > 0 else size


def _chances(labels: NDArray[np.int64], balance: float) -> NDArray[np.float64] | None:
    """How likely each row is drawn; None where each is drawn once."""
    if balance == 0:
        return None
    counts = np.maximum(np.bincount(labels, minlength=7), 1).astype(np.float64)
    weights = counts[labels] ** -balance
    return np.asarray(weights / weights.sum(), dtype=np.float64)
