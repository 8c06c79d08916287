"""The search for a recipe: going on, giving up, and what it leaves behind."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from moodlens.datasets import FaceDataset
from moodlens.errors import MoodlensError
from moodlens.training.recipe import Recipe

pytest.importorskip("tensorflow")
pytest.importorskip("optuna")

from moodlens.training import tuning
from moodlens.training.data import TrainingData
from moodlens.training.storage import EpochResult
from moodlens.training.tuning import SPACE, VOTES_SPACE, Search

pytestmark = [
    pytest.mark.train,
    pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning"),  # Keras'
    pytest.mark.filterwarnings("ignore:unclosed database:ResourceWarning"),  # SQLAlchemy's pool
]


@pytest.fixture
def prepared(faces: FaceDataset) -> TrainingData:
    validation = faces.split("PublicTest")
    unseen = np.ones(len(validation), dtype=bool)
    return TrainingData(faces.split("Training"), validation, unseen, {}, "PublicTest")


@pytest.fixture
def short(recipe: Recipe) -> Recipe:
    return recipe.with_changes({"schedule.epochs": 1})


class Runs:
    """In place of the training loop: figures without a network, so that many trials are quick."""

    def __init__(self) -> None:
        self.recipes: list[Recipe] = []
        self.stop_in: int | None = None

    def __call__(self, recipe: Recipe, *_: Any, report: Any, **__: Any) -> Any:
        self.recipes.append(recipe)
        number = len(self.recipes)

        class Run:
            results: list[EpochResult] = []  # noqa: RUF012

            def run(self, *, resume: bool) -> None:
                for epoch in range(1, recipe.schedule.epochs + 1):
                    if runs.stop_in == number:
                        raise KeyboardInterrupt
                    # less erasing is better, and nothing else matters
                    score = 0.9 - recipe.augment.erase + epoch / 1000
                    result = EpochResult(epoch, 1.0, 0.5, score, score, 0.1)
                    self.results.append(result)
                    report(result)

        runs = self
        found = Run()
        found.results = []
        return found


@pytest.fixture
def runs(monkeypatch: pytest.MonkeyPatch) -> Runs:
    found = Runs()
    monkeypatch.setattr(tuning, "TrainingRun", found)
    monkeypatch.setattr(tuning.keras.backend, "clear_session", lambda: None)
    return found


def open_search(base: Recipe, prepared: TrainingData, folder: Path, **rest: Any) -> Search:
    return Search(base, prepared, folder, identity=rest.pop("identity", {"data": "a"}), **rest)


def search(base: Recipe, prepared: TrainingData, folder: Path, trials: int, **rest: Any) -> Any:
    opened = open_search(base, prepared, folder, **rest)
    try:
        return opened.run(trials)
    finally:
        opened.close()


def test_two_real_trials(short: Recipe, prepared: TrainingData, tmp_path: Path) -> None:
    said: list[str] = []
    found = search(short, prepared, tmp_path, 2, say=said.append)
    assert found.finished == 2
    assert 0 <= found.accuracy <= 1
    best = Recipe.load(str(found.recipe))
    assert best.network == short.network.model_copy(update={"dropout": best.network.dropout})
    assert best.schedule.epochs == 1
    assert [line.split(":")[0] for line in said if "the best" in line] == ["trial 1/2", "trial 2/2"]
    assert [p.name for p in (tmp_path / "trials" / "0").iterdir()] == ["log.csv"]


def test_it_goes_on_where_it_stopped(
    recipe: Recipe, prepared: TrainingData, tmp_path: Path, runs: Runs
) -> None:
    search(recipe, prepared, tmp_path, 3, random_trials=3)
    found = search(recipe, prepared, tmp_path, 10, random_trials=3)
    assert len(runs.recipes) == 10
    assert found.finished + found.pruned == 10
    assert found.pruned > 0
    assert len({r.augment.erase for r in runs.recipes}) == 10  # no trial is drawn twice
    best = min(r.augment.erase for r in runs.recipes)
    assert Recipe.load(str(found.recipe)).augment.erase == pytest.approx(best)


def test_it_finds_what_matters(
    short: Recipe, prepared: TrainingData, tmp_path: Path, runs: Runs
) -> None:
    found = search(short, prepared, tmp_path, 24)
    assert set(found.importance) == {r.name for r in SPACE + VOTES_SPACE}
    assert next(iter(found.importance)) == "augment.erase"
    assert sum(found.importance.values()) == pytest.approx(1)
    assert cv2.imread(str(tmp_path / "importance.png")) is not None
    # led by what was tried, the later trials erase less than those drawn by chance
    erased = [r.augment.erase for r in runs.recipes]
    assert np.mean(erased[14:]) < np.mean(erased[:10])


def test_values_stay_in_their_ranges(
    recipe: Recipe, prepared: TrainingData, tmp_path: Path, runs: Runs
) -> None:
    search(recipe, prepared, tmp_path, 6, random_trials=2)
    for tried in runs.recipes:
        for part in SPACE + VOTES_SPACE:
            where, _, name = part.name.partition(".")
            assert part.low <= getattr(getattr(tried, where), name) <= part.high


def test_an_interrupted_trial_is_taken_up_again(
    recipe: Recipe, prepared: TrainingData, tmp_path: Path, runs: Runs
) -> None:
    runs.stop_in = 2
    with pytest.raises(KeyboardInterrupt):
        search(recipe, prepared, tmp_path, 3)
    assert (tmp_path / "best.toml").is_file()
    runs.stop_in = None
    found = search(recipe, prepared, tmp_path, 3)
    assert runs.recipes[2] == runs.recipes[1]
    assert found.finished + found.pruned == 3
    again = search(recipe, prepared, tmp_path, 3)
    assert again.finished == found.finished
    assert len(runs.recipes) == 4  # nothing was left to do


def test_another_search_is_not_mixed_in(
    recipe: Recipe, prepared: TrainingData, tmp_path: Path, runs: Runs
) -> None:
    search(recipe, prepared, tmp_path, 1)
    with pytest.raises(MoodlensError, match=r"that search was with another data; choose"):
        search(recipe, prepared, tmp_path, 1, identity={"data": "b"})
    with pytest.raises(MoodlensError, match="another recipe"):
        search(recipe.with_changes({"seed": 9}), prepared, tmp_path, 1)


def test_one_search_at_a_time(
    recipe: Recipe, prepared: TrainingData, tmp_path: Path, runs: Runs
) -> None:
    first = open_search(recipe, prepared, tmp_path)
    try:
        with pytest.raises(MoodlensError, match="another search is running"):
            open_search(recipe, prepared, tmp_path)
    finally:
        first.close()


def test_a_damaged_study_is_one_line(
    recipe: Recipe, prepared: TrainingData, tmp_path: Path
) -> None:
    (tmp_path / tuning.STUDY).write_bytes(b"not a database, but long enough to be read as one" * 9)
    with pytest.raises(MoodlensError, match=r"study\.sqlite: can't be used as a study") as raised:
        open_search(recipe, prepared, tmp_path)
    assert "\n" not in str(raised.value)


def test_a_loss_that_is_no_number_gives_the_trial_up(
    short: Recipe, prepared: TrainingData, tmp_path: Path
) -> None:
    said: list[str] = []
    opened = open_search(short, prepared, tmp_path, say=said.append)
    wild = short.with_changes({"schedule.learning_rate": 1e30, "schedule.warmup_epochs": 0.0})
    opened._recipe_of = lambda trial: wild  # type: ignore[method-assign]
    try:
        with pytest.raises(MoodlensError, match="no trial has come to an end"):
            opened.run(1)
    finally:
        opened.close()
    assert said == ["trial 1/1 given up: the loss is no longer a number"]
