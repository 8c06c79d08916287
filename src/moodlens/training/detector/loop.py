"""The training run of a detector: compose, fit, mine, fit again, export."""

from __future__ import annotations

import csv
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import keras
import numpy as np

from moodlens.training.averaging import WeightAverage
from moodlens.training.detector.batches import Pool, SceneBatches
from moodlens.training.detector.losses import DetectionLoss
from moodlens.training.detector.network import build_detector
from moodlens.training.detector.recipe import DetectorRecipe
from moodlens.training.detector.targets import cell_grid
from moodlens.training.loop import write_atomically

WEIGHTS = "weights.npz"
CHECKPOINT = "checkpoint.npz"
LOG = "log.csv"


@dataclass
class RoundResult:
    """One line of the log: an epoch's mean loss and how long it took."""

    round: int
    epoch: int
    loss: float
    seconds: float


@dataclass
class DetectorTraining:
    """Fits one network, round by round, in its own folder.

    Attributes:
        recipe: what to do.
        folder: where log, checkpoint and weights go.
        report: called after every epoch.
        start: weights that round 1 starts from in place of random ones.
    """

    recipe: DetectorRecipe
    folder: Path
    report: Callable[[RoundResult], None] = lambda _result: None
    start: Sequence[Any] | None = None
    results: list[RoundResult] = field(default_factory=list)

    def fit(self, pools: Sequence[Pool], number: int, *, resume: bool = False) -> keras.Model:
        """One round on pools of scenes; the averaged weights are saved and returned in a model.

        Args:
            pools: scenes and labels.
            number: 1 starts from nothing or from `start`, 2 goes on from the weights of round 1.
            resume: go on from this round's checkpoint where there is one.

        Raises:
            MoodlensError: the folder can't be written.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        schedule = self.recipe.schedule
        keras.utils.set_random_seed(self.recipe.seed + number)
        keras.config.set_dtype_policy(schedule.precision)
        try:
            model = build_detector(self.recipe.network, fused=True)
        finally:
            keras.config.set_dtype_policy("float32")
        if number > 1:
            model.set_weights(load_weights(self.folder / WEIGHTS))
        elif self.start is not None:
            model.set_weights(self.start)
        epochs = schedule.epochs if number == 1 else schedule.second_epochs
        batches = SceneBatches(pools, schedule.batch_size, self.recipe.seed + number)
        self._compile(model, len(batches) * epochs, number)
        average = WeightAverage(schedule.ema_decay)
        first_epoch = self._restore(model, average, number) if resume else 0
        if first_epoch:
            batches = SceneBatches(
                pools, schedule.batch_size, self.recipe.seed + number, first_epoch=first_epoch
            )
        keeper = _Keeper(self, model, average, number)
        model.fit(
            batches, epochs=epochs, initial_epoch=first_epoch, shuffle=False, verbose=0,
            callbacks=[average, keeper],
        )  # fmt: skip
        final = build_detector(self.recipe.network)
        final.set_weights(average.weights or model.get_weights())
        return final

    def _compile(self, model: keras.Model, steps: int, number: int) -> None:
        recipe, schedule = self.recipe, self.recipe.schedule
        top = schedule.learning_rate if number == 1 else schedule.second_rate
        warmup = int(schedule.warmup_share * steps)
        rate = keras.optimizers.schedules.CosineDecay(
            top / 20, max(1, steps - warmup), alpha=0.2, warmup_target=top, warmup_steps=warmup
        )
        optimizer = keras.optimizers.AdamW(
            rate, weight_decay=schedule.weight_decay, clipnorm=10.0, beta_2=0.99
        )
        optimizer.exclude_from_weight_decay(var_names=["bias", "gamma", "beta"])
        grid = cell_grid(recipe.scenes.height, recipe.scenes.width)
        model.compile(optimizer, loss=DetectionLoss(grid, recipe.target))

    def save_checkpoint(
        self, model: keras.Model, average: WeightAverage, number: int, epoch: int
    ) -> None:
        """Write the whole state, and the averaged weights beside it."""
        state: dict[str, Any] = {
            "round": np.array(number),
            "epoch": np.array(epoch),
            "recipe": np.array(self.recipe.model_dump_json()),
            **average.state(),
        }
        for i, variable in enumerate(model.variables):
            state[f"model_{i}"] = variable.numpy()
        for i, variable in enumerate(model.optimizer.variables):
            state[f"optimizer_{i}"] = variable.numpy()
        write_atomically(self.folder / CHECKPOINT, lambda file: np.savez(file, **state))
        weights = average.weights or model.get_weights()
        named = {f"w_{i}": w for i, w in enumerate(weights)}
        write_atomically(self.folder / WEIGHTS, lambda file: np.savez(file, **named))

    def _restore(self, model: keras.Model, average: WeightAverage, number: int) -> int:
        path = self.folder / CHECKPOINT
        if not path.exists():
            return 0
        with np.load(path, allow_pickle=False) as stored:
            state = {name: stored[name] for name in stored.files}
        same = str(state["recipe"]) == self.recipe.model_dump_json()
        if not same or int(state["round"]) != number:
            return 0
        model.optimizer.build(model.trainable_variables)
        for i, variable in enumerate(model.variables):
            variable.assign(state[f"model_{i}"])
        for i, variable in enumerate(model.optimizer.variables):
            variable.assign(state[f"optimizer_{i}"])
        average.restore(state)
        return int(state["epoch"])

    def append_log(self, result: RoundResult) -> None:
        """Add a line to the CSV log."""
        path = self.folder / LOG
        fresh = not path.exists()
        with path.open("a", newline="") as file:
            writer = csv.writer(file)
            if fresh:
                writer.writerow(vars(result))
            writer.writerow(vars(result).values())


class _Keeper(keras.callbacks.Callback):
    """After every epoch: log and checkpoint."""

    def __init__(
        self, run: DetectorTraining, model: keras.Model, average: WeightAverage, number: int
    ) -> None:
        super().__init__()
        self._run, self._trained, self._average, self._number = run, model, average, number
        self._started = 0.0

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:  # noqa: ARG002
        self._started = time.perf_counter()

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        seconds = round(time.perf_counter() - self._started, 1)
        loss = round(float((logs or {}).get("loss", np.nan)), 5)
        result = RoundResult(self._number, epoch + 1, loss, seconds)
        self._run.results.append(result)
        self._run.append_log(result)
        self._run.save_checkpoint(self._trained, self._average, self._number, epoch + 1)
        self._run.report(result)


def load_weights(path: Path) -> list[Any]:
    """The weights that `DetectorTraining` saved, in the order of `model.get_weights()`."""
    with np.load(path, allow_pickle=False) as stored:
        return [stored[f"w_{i}"] for i in range(len(stored.files))]
