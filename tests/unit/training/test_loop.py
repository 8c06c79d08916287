"""The run: exact resume, Ctrl-C, a full disk, damaged and foreign checkpoints."""

from __future__ import annotations

import errno
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from moodlens.datasets import FaceDataset
from moodlens.errors import MoodlensError
from moodlens.training import storage
from moodlens.training.recipe import Recipe

pytest.importorskip("tensorflow")

import keras

from moodlens.training.loop import TrainingRun

pytestmark = [
    pytest.mark.train,
    pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning"),  # Keras'
]


def make(faces: FaceDataset, recipe: Recipe, folder: Path, **rest: Any) -> TrainingRun:
    validation = faces.split("PublicTest")
    unseen = np.ones(len(validation), dtype=bool)
    return TrainingRun(recipe, faces.split("Training"), validation, unseen, folder, **rest)


def numbers(path: Path) -> dict[str, np.ndarray]:
    stored = storage.read_arrays(path)
    return {k: v for k, v in stored.items() if k not in ("recipe", "results")}


@pytest.fixture(scope="module")
def finished(faces: FaceDataset, recipe: Recipe, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("through")
    make(faces, recipe, folder).run()
    return folder


def test_two_and_two_epochs_equal_four(
    faces: FaceDataset, recipe: Recipe, finished: Path, tmp_path: Path
) -> None:
    make(faces, recipe, tmp_path, until_epoch=2).run()
    assert int(numbers(tmp_path / storage.CHECKPOINT)["epoch"]) == 2
    make(faces, recipe, tmp_path).run(resume=True)
    through, resumed = (numbers(f / storage.CHECKPOINT) for f in (finished, tmp_path))
    assert through.keys() == resumed.keys()
    for name, value in through.items():
        assert np.array_equal(value, resumed[name]), name
    logs = [storage.read_log(f / storage.LOG) for f in (finished, tmp_path)]
    assert [replace(r, seconds=0) for r in logs[0]] == [replace(r, seconds=0) for r in logs[1]]
    best = [storage.load_weights(f / storage.BEST) for f in (finished, tmp_path)]
    assert all(np.array_equal(a, b) for a, b in zip(*best, strict=True))


def test_the_saved_model_is_the_best_epoch_with_one_head(
    faces: FaceDataset, finished: Path
) -> None:
    model = keras.saving.load_model(finished / storage.MODEL, compile=False, safe_mode=True)
    assert model.input_shape == (None, 48, 48, 1)
    assert model.output_shape == (None, 7)
    validation = faces.split("PublicTest")
    said = model.predict(validation.images[..., None] / np.float32(255), verbose=0)
    best = max(r.val_accuracy for r in storage.read_log(finished / storage.LOG))
    assert float((said.argmax(axis=1) == validation.labels).mean()) == pytest.approx(best, abs=1e-4)


def test_a_finished_run_resumed_does_nothing(
    faces: FaceDataset, recipe: Recipe, finished: Path
) -> None:
    before = (finished / storage.CHECKPOINT).read_bytes()
    make(faces, recipe, finished).run(resume=True)
    assert (finished / storage.CHECKPOINT).read_bytes() == before


def test_an_older_recipe_without_newer_values_resumes(recipe: Recipe) -> None:
    old = recipe.model_dump()
    del old["target"]["teacher_share"]
    import json

    assert storage.same_recipe(json.dumps(old), recipe)
    assert not storage.same_recipe(json.dumps(old | {"seed": 1}), recipe)
    assert not storage.same_recipe("not json", recipe)


class Interrupt(keras.callbacks.Callback):  # type: ignore[misc]
    def __init__(self, epoch: int, error: BaseException) -> None:
        super().__init__()
        self._at, self._error = epoch, error

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        if epoch == self._at:
            raise self._error


def test_ctrl_c_leaves_a_checkpoint_and_a_model(
    faces: FaceDataset, recipe: Recipe, finished: Path, tmp_path: Path
) -> None:
    stop = Interrupt(2, KeyboardInterrupt())
    with pytest.raises(KeyboardInterrupt):
        make(faces, recipe, tmp_path, callbacks=[stop]).run()
    assert (tmp_path / storage.MODEL).exists()
    make(faces, recipe, tmp_path).run(resume=True)
    through, resumed = (numbers(f / storage.CHECKPOINT) for f in (finished, tmp_path))
    assert all(np.array_equal(through[name], resumed[name]) for name in through)


def test_weights_of_another_kind_are_refused(finished: Path, tmp_path: Path) -> None:
    with pytest.raises(MoodlensError, match=r"checkpoint\.npz: not the weights of a run"):
        storage.load_weights(finished / storage.CHECKPOINT)
    damaged = tmp_path / "best.npz"
    damaged.write_bytes((finished / storage.BEST).read_bytes()[:-200])
    with pytest.raises(MoodlensError, match=r"best\.npz: can't be read"):
        storage.load_weights(damaged)
    damaged.write_text("emotion,pixels\n")
    with pytest.raises(MoodlensError, match=r"best\.npz: can't be read"):
        storage.load_weights(damaged)
    with pytest.raises(MoodlensError, match="no such file"):
        storage.load_weights(tmp_path / "none.npz")


def test_a_folder_that_can_not_be_made_is_one_line(
    faces: FaceDataset, recipe: Recipe, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(MoodlensError, match="can't be made"):
        make(faces, recipe, tmp_path / "file" / "run").run()


def test_a_log_that_can_not_be_written_does_not_end_the_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from moodlens.training.progress import TensorBoardLog

    board = TensorBoardLog(tmp_path)
    asked: list[int] = []

    def full() -> None:
        asked.append(1)
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(board._writer, "flush", full)
    board.on_epoch_end(0, {"loss": 1.0})
    board.on_epoch_end(1, {"loss": 0.5})
    assert asked == [1]
    board.close()


def test_a_full_disk_leaves_the_last_checkpoint_whole(
    faces: FaceDataset, recipe: Recipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make(faces, recipe, tmp_path, until_epoch=1).run()
    before = (tmp_path / storage.CHECKPOINT).read_bytes()

    def full(file: Any, arrays: Any) -> None:
        file.write(b"half of it")
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("moodlens.training.loop.write_arrays", full)
    with pytest.raises(MoodlensError, match=r"checkpoint\.npz: can't be written: No space left"):
        make(faces, recipe, tmp_path, until_epoch=2).run(resume=True)
    assert (tmp_path / storage.CHECKPOINT).read_bytes() == before
    assert not list(tmp_path.glob("*.partial"))


def test_another_recipe_is_refused(faces: FaceDataset, recipe: Recipe, finished: Path) -> None:
    other = recipe.with_changes({"schedule.learning_rate": 0.01})
    with pytest.raises(MoodlensError, match="made with another recipe"):
        make(faces, other, finished).run(resume=True)


def test_a_damaged_checkpoint_is_refused(
    faces: FaceDataset, recipe: Recipe, finished: Path, tmp_path: Path
) -> None:
    whole = (finished / storage.CHECKPOINT).read_bytes()
    (tmp_path / storage.CHECKPOINT).write_bytes(whole[: len(whole) // 2])
    with pytest.raises(MoodlensError, match="can't be read"):
        make(faces, recipe, tmp_path).run(resume=True)


def test_a_checkpoint_with_pickled_objects_is_refused(
    faces: FaceDataset, recipe: Recipe, tmp_path: Path
) -> None:
    np.savez(tmp_path / storage.CHECKPOINT, recipe=np.array([{"a": 1}], dtype=object))
    with pytest.raises(MoodlensError, match="can't be read"):
        make(faces, recipe, tmp_path).run(resume=True)


def test_a_loss_that_is_no_number_ends_the_run(
    faces: FaceDataset, recipe: Recipe, tmp_path: Path
) -> None:
    class Broken(TrainingRun):
        def finish_epoch(self, model: Any, average: Any, epoch: int, logs: Any, s: float) -> Any:
            return super().finish_epoch(model, average, epoch, logs | {"loss": float("nan")}, s)

    run = Broken(**vars(make(faces, recipe, tmp_path)))
    with pytest.raises(MoodlensError, match="not a number after epoch 1: use a lower"):
        run.run()
    assert not (tmp_path / storage.CHECKPOINT).exists()


def test_a_run_can_start_from_anothers_weights(
    faces: FaceDataset, recipe: Recipe, finished: Path, tmp_path: Path
) -> None:
    best = storage.load_weights(finished / storage.BEST)
    run = make(faces, recipe, tmp_path, start=best)
    model = run._build()
    assert all(np.array_equal(a, b) for a, b in zip(model.get_weights(), best, strict=True))
    with pytest.raises(MoodlensError, match="do not fit"):
        make(faces, recipe, tmp_path, start=best[:-1])._build()


def test_training_without_votes(faces: FaceDataset, recipe: Recipe, tmp_path: Path) -> None:
    run = make(replace(faces, votes=None), recipe, tmp_path, until_epoch=1)
    assert run.run().exists()
    assert 0 <= run.results[0].accuracy <= 1
