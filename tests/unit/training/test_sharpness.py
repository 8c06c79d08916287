"""Sharpness-aware minimisation, and the loss that wants mirror images to agree."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from moodlens.datasets import FaceDataset
from moodlens.training.recipe import Recipe

pytest.importorskip("tensorflow")

import keras

from moodlens.training.batches import TrainingBatches, steps_in_epoch
from moodlens.training.loop import TrainingRun
from moodlens.training.losses import MirrorConsistentCrossentropy
from moodlens.training.sharpness import SharpnessAwareSGD

pytestmark = [
    pytest.mark.train,
    pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning"),  # Keras'
]


def test_two_calls_are_one_step_with_the_gradient_of_the_worst_point_nearby() -> None:
    weight = keras.Variable(np.array([3.0, 4.0], np.float32))
    optimizer = SharpnessAwareSGD(0.1, momentum=0.0001, rho=0.5)
    optimizer.build([weight])
    optimizer.apply([keras.ops.convert_to_tensor([3.0, 4.0])])
    displaced = np.asarray(weight)
    assert displaced == pytest.approx([3.3, 4.4], abs=1e-5)  # 0.5 along a gradient of length 5
    optimizer.apply([keras.ops.convert_to_tensor(displaced)])
    assert np.asarray(weight) == pytest.approx([3 - 0.33, 4 - 0.44], abs=1e-3)


def test_with_no_reach_it_is_plain_sgd() -> None:
    rng = np.random.default_rng(0)
    start = rng.normal(size=(3, 4)).astype(np.float32)
    plain, aware = keras.Variable(start), keras.Variable(start)
    shared = {"momentum": 0.9, "weight_decay": 0.01}
    sgd = keras.optimizers.SGD(0.1, nesterov=True, **shared)
    sam = SharpnessAwareSGD(0.1, rho=0.0, **shared)
    sgd.build([plain])
    sam.build([aware])
    for _ in range(4):
        gradient = keras.ops.convert_to_tensor(rng.normal(size=(3, 4)).astype(np.float32))
        sgd.apply([gradient])
        sam.apply([gradient])
        sam.apply([gradient])
    assert np.asarray(aware) == pytest.approx(np.asarray(plain), abs=1e-5)


def test_each_batch_is_given_twice(faces: FaceDataset, recipe: Recipe) -> None:
    aware = recipe.with_changes({"schedule.sharpness": 0.05})
    once, twice = TrainingBatches(faces, recipe), TrainingBatches(faces, aware)
    assert len(twice) == 2 * len(once) == steps_in_epoch(len(faces), aware)
    for index in range(len(once)):
        assert np.array_equal(once[index][0], twice[2 * index][0])
        assert np.array_equal(once[index][0], twice[2 * index + 1][0])


def test_a_sharpness_aware_run_resumes_exactly(
    faces: FaceDataset, recipe: Recipe, tmp_path: Path
) -> None:
    aware = recipe.with_changes({"schedule.sharpness": 0.05, "schedule.epochs": 2})
    train, validation = faces.split("Training"), faces.split("PublicTest")
    unseen = np.ones(len(validation), dtype=bool)

    def run(folder: str, until: int | None = None) -> list[float]:
        made = TrainingRun(aware, train, validation, unseen, tmp_path / folder, until_epoch=until)
        made.run(resume=True)
        return [result.loss for result in made.results]

    run("halves", 1)
    assert run("halves") == run("whole")


def test_the_second_half_of_a_batch_mirrors_the_first(faces: FaceDataset, recipe: Recipe) -> None:
    agreeing = recipe.with_changes({"target.flip_consistency": 1.0})
    x, y = TrainingBatches(faces, agreeing)[0]
    assert x.shape == (16, 48, 48, 1)
    assert np.array_equal(x[:8, :, ::-1], x[8:])
    assert all(np.array_equal(target[:8], target[8:]) for target in y.values())


def test_faces_that_agree_with_their_mirror_image_pay_nothing_extra() -> None:
    rng = np.random.default_rng(0)
    logits = rng.normal(size=(4, 7)).astype(np.float32)
    wanted = np.eye(7, dtype=np.float32)[[0, 1, 2, 3]]
    same = np.concatenate([logits, logits])
    both = np.concatenate([wanted, wanted])
    plain = float(keras.losses.CategoricalCrossentropy(from_logits=True)(both, same))
    loss = MirrorConsistentCrossentropy(2.0)
    assert float(loss(both, same)) == pytest.approx(plain, abs=1e-5)
    other = np.concatenate([logits, logits[:, ::-1]])
    plain = float(keras.losses.CategoricalCrossentropy(from_logits=True)(both, other))
    assert float(loss(both, other)) > plain + 0.1


def test_a_run_whose_mirror_images_must_agree(
    faces: FaceDataset, recipe: Recipe, tmp_path: Path
) -> None:
    agreeing = recipe.with_changes({"target.flip_consistency": 1.0, "schedule.epochs": 1})
    validation = faces.split("PublicTest")
    run = TrainingRun(
        agreeing,
        faces.split("Training"),
        validation,
        np.ones(len(validation), dtype=bool),
        tmp_path,
    )
    assert run.run().exists()
