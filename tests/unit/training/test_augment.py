"""Random changes: repeatable, bounded, and off when they are off."""

from __future__ import annotations

import numpy as np
import pytest

from moodlens.datasets import FaceDataset
from moodlens.training.augment import augment_batch, blend_batch, patch_batch
from moodlens.training.recipe import AugmentRecipe

NOTHING = AugmentRecipe(
    flip=0, scale=1, shift=0, rotation_deg=0, tone=0, blur=0, noise=0, erase=0, ramp=0
)


def changed(faces: FaceDataset, recipe: AugmentRecipe, seed: int = 0) -> np.ndarray:
    return augment_batch(faces.images[:16], recipe, np.random.default_rng(seed))


def test_a_recipe_that_does_nothing(faces: FaceDataset) -> None:
    found = changed(faces, NOTHING)
    assert found.dtype == np.float32
    assert np.allclose(found[..., 0] * 255, faces.images[:16], atol=0.01)


def test_a_certain_flip(faces: FaceDataset) -> None:
    found = changed(faces, NOTHING.model_copy(update={"flip": 1.0}))
    assert np.allclose(found[..., 0] * 255, faces.images[:16, :, ::-1], atol=0.01)


@pytest.mark.parametrize("part", ["tone", "blur", "noise", "erase"])
def test_each_part_changes_pictures_within_bounds(faces: FaceDataset, part: str) -> None:
    found = changed(faces, NOTHING.model_copy(update={part: 1.0}))
    before = faces.images[:16, :, :, None] / 255
    assert (np.abs(found - before).max(axis=(1, 2, 3)) > 0.004).all()
    assert found.min() >= 0.0
    assert found.max() <= 1.0


@pytest.mark.parametrize(("part", "value"), [("scale", 1.25), ("shift", 0.1), ("rotation_deg", 10)])
def test_each_move_changes_pictures(faces: FaceDataset, part: str, value: float) -> None:
    found = changed(faces, NOTHING.model_copy(update={part: value}))
    assert not np.allclose(found[..., 0] * 255, faces.images[:16], atol=1.0)


def test_the_same_seed_gives_the_same_pictures(faces: FaceDataset) -> None:
    recipe = AugmentRecipe()
    assert np.array_equal(changed(faces, recipe), changed(faces, recipe))
    assert not np.array_equal(changed(faces, recipe), changed(faces, recipe, seed=1))


@pytest.mark.parametrize("mix", [blend_batch, patch_batch])
def test_mixed_targets_follow_mixed_pictures(mix: object) -> None:
    """Black pictures of label 0 and white ones of label 1: brightness is the share of label 1."""
    faces = np.repeat(np.array([0.0, 1.0], np.float32), 8)[:, None, None, None]
    faces = np.broadcast_to(faces, (16, 48, 48, 1)).copy()
    labels = np.eye(2, dtype=np.float32)[np.repeat([0, 1], 8)]
    for seed in range(6):
        mixed, (targets,) = mix(faces, [labels], np.random.default_rng(seed))  # type: ignore[operator]
        assert np.allclose(mixed.mean(axis=(1, 2, 3)), targets[:, 1], atol=1e-5)
        assert np.allclose(targets.sum(axis=1), 1.0, atol=1e-5)
