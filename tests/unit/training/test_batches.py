"""Batches are the same at every run, and a resumed run sees what an unbroken one would."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from moodlens.artifacts import resolve_model
from moodlens.datasets import FaceDataset
from moodlens.training.recipe import Recipe

pytest.importorskip("keras")

from moodlens.errors import ModelError
from moodlens.training.batches import TrainingBatches
from moodlens.training.teacher import Teacher

pytestmark = [
    pytest.mark.train,
    pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning"),  # Keras'
]


def test_a_later_first_epoch_is_that_epoch(faces: FaceDataset, recipe: Recipe) -> None:
    through = TrainingBatches(faces, recipe)
    through.on_epoch_end()
    through.on_epoch_end()
    resumed = TrainingBatches(faces, recipe, first_epoch=2)
    for index in (0, 3):
        (x1, y1), (x2, y2) = through[index], resumed[index]
        assert np.array_equal(x1, x2)
        assert all(np.array_equal(y1[k], y2[k]) for k in y1)


def test_an_epoch_holds_every_picture_at_most_once(faces: FaceDataset, recipe: Recipe) -> None:
    still = recipe.with_changes({"augment.flip": 0, "augment.scale": 1, "augment.shift": 0})
    still = still.with_changes({f"augment.{k}": 0 for k in ("tone", "blur", "noise", "erase")})
    still = still.with_changes({"augment.rotation_deg": 0})
    batches = TrainingBatches(faces, still)
    seen = [np.rint(x * 255).astype(np.uint8).tobytes() for b in range(6) for x in batches[b][0]]
    assert len(seen) == len(set(seen)) == 96


def test_without_votes_there_is_one_target(faces: FaceDataset, recipe: Recipe) -> None:
    x, y = TrainingBatches(replace(faces, votes=None), recipe)[0]
    assert x.shape == (16, 48, 48, 1)
    assert y.shape == (16, 7)


def test_balance_draws_rare_emotions_more_often(faces: FaceDataset, recipe: Recipe) -> None:
    rare = replace(faces, labels=np.where(np.arange(96) < 6, 1, 3), votes=None)
    plain = recipe.with_changes({"target.smoothing": 0.0})
    even = plain.with_changes({"schedule.balance": 1.0})

    def share(chosen: Recipe) -> float:
        batches = TrainingBatches(rare, chosen)
        return float(np.mean([batches[i][1][:, 1].mean() for i in range(6)]))

    assert share(plain) == pytest.approx(6 / 96, abs=1e-6)
    assert share(even) > 0.3


def test_mixed_batches_have_mixed_targets(faces: FaceDataset, recipe: Recipe) -> None:
    mixed = recipe.with_changes({"augment.cutmix": 1.0, "target.smoothing": 0.0})
    y = TrainingBatches(replace(faces, votes=None), mixed)[0][1]
    assert (y.max(axis=1) < 0.999).any()
    assert np.allclose(y.sum(axis=1), 1.0, atol=1e-5)


@pytest.mark.parametrize("live", [False, True])
def test_a_teacher_changes_the_targets(faces: FaceDataset, recipe: Recipe, live: bool) -> None:
    teacher = Teacher([resolve_model(None)])
    taught = recipe.with_changes(
        {
            "target.teacher_share": 1.0,
            "target.teacher_sees_changes": live,
            "target.smoothing": 0.0,
        }
    )
    x, y = TrainingBatches(replace(faces, votes=None), taught, teacher=teacher)[1]
    assert np.allclose(y.sum(axis=1), 1.0, atol=1e-4)
    if live:
        seen = np.rint(x[..., 0] * 255).astype(np.uint8)
        assert np.allclose(y, teacher.says(seen, mirrored=False), atol=1e-5)


def test_the_teachers_answer_is_the_mean_of_both_views(faces: FaceDataset) -> None:
    teacher = Teacher([resolve_model(None)])
    images = faces.images[:8]
    flipped = np.ascontiguousarray(images[:, :, ::-1])
    both = (teacher.says(images, mirrored=False) + teacher.says(flipped, mirrored=False)) / 2
    assert np.allclose(teacher.says(images), both, atol=1e-5)


def test_several_teachers_look_at_the_picture_and_its_mirror_image_by_turns(
    faces: FaceDataset,
) -> None:
    default, tiny = resolve_model(None), resolve_model("moodlens-tiny")
    images = faces.images[:8]
    flipped = np.ascontiguousarray(images[:, :, ::-1])
    first = Teacher([default]).says(images, mirrored=False)
    second = Teacher([tiny]).says(flipped, mirrored=False)
    said = Teacher([default, tiny]).says(images, mirrored=False)
    assert np.allclose(said, (first + second) / 2, atol=1e-5)


def test_a_higher_temperature_is_softer(faces: FaceDataset) -> None:
    model = [resolve_model(None)]
    sharp = Teacher(model).says(faces.images[:20]).max(axis=1).mean()
    soft = Teacher(model, temperature=3.0).says(faces.images[:20]).max(axis=1).mean()
    assert soft < sharp


def test_no_teacher_without_a_model() -> None:
    with pytest.raises(ModelError, match="at least one model"):
        Teacher([])
