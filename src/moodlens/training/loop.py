"""The training run: fit, average, score, checkpoint, resume."""

from __future__ import annotations

import csv
import os
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from moodlens.datasets.core import FaceDataset
from moodlens.errors import MoodlensError
from moodlens.training.averaging import WeightAverage, Weights
from moodlens.training.batches import TrainingBatches
from moodlens.training.network import LOGITS_LAYER, VOTES_LAYER, build_network
from moodlens.training.recipe import Recipe
from moodlens.training.targets import VOTE_CLASSES

CHECKPOINT = "checkpoint.npz"
LOG = "log.csv"
MODEL = "model.keras"


@dataclass
class EpochResult:
    """One line of the log."""

    epoch: int
    loss: float
    accuracy: float
    val_accuracy: float
    val_accuracy_no_twins: float
    seconds: float


@dataclass
class TrainingRun:
    """A run in its own folder, which holds all that resuming it needs.

    Attributes:
        recipe: what to do.
        train: the rows to train on, cleaned.
        validation: the rows to choose on.
        no_twins: (len(validation),) bool; the validation rows that have no twin in Training.
            The epoch is chosen on these.
        folder: where checkpoint, log and model go.
        report: called after every epoch.
    """

    recipe: Recipe
    train: FaceDataset
    validation: FaceDataset
    no_twins: NDArray[np.bool_]
    folder: Path
    report: Callable[[EpochResult], None] = lambda result: None
    results: list[EpochResult] = field(default_factory=list)

    def run(self, *, resume: bool = False) -> Path:
        """Train to the recipe's last epoch and save the best averaged weights as `.keras`.

        Args:
            resume: go on from the folder's checkpoint, exactly; without one, start.

        Returns:
            The path of the saved model.

        Raises:
            MoodlensError: the checkpoint is of another recipe, or can't be written.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        schedule = self.recipe.schedule
        keras.utils.set_random_seed(self.recipe.seed)
        keras.config.set_dtype_policy(schedule.precision)
        try:
            has_votes = self.train.votes is not None
            model = build_network(
                self.recipe.network, votes=len(VOTE_CLASSES) if has_votes else 0, fused=True
            )
        finally:
            keras.config.set_dtype_policy("float32")
        steps = max(1, len(self.train) // schedule.batch_size)
        self._compile(model, steps, has_votes)
        average = WeightAverage(schedule.ema_decay)
        first_epoch = 0
        if resume and (self.folder / CHECKPOINT).exists():
            first_epoch = self._restore(model, average)
        keeper = _EpochKeeper(self, model, average)
        model.fit(
            TrainingBatches(self.train, self.recipe, first_epoch=first_epoch),
            epochs=schedule.epochs,
            initial_epoch=first_epoch,
            callbacks=[average, keeper],
            shuffle=False,
            verbose=0,
        )
        return self._save_best(has_votes)

    def _compile(self, model: keras.Model, steps: int, has_votes: bool) -> None:
        schedule = self.recipe.schedule
        warmup = int(schedule.warmup_epochs * steps)
        rate = keras.optimizers.schedules.CosineDecay(
            initial_learning_rate=schedule.learning_rate / 20,
            decay_steps=max(1, schedule.epochs * steps - warmup),
            warmup_target=schedule.learning_rate,
            warmup_steps=warmup,
        )
        optimizer = keras.optimizers.SGD(
            rate,
            momentum=schedule.momentum,
            nesterov=True,
            weight_decay=schedule.weight_decay,
        )
        optimizer.exclude_from_weight_decay(var_names=["bias", "gamma", "beta"])
        loss = keras.losses.CategoricalCrossentropy(from_logits=True)
        if has_votes:
            model.compile(
                optimizer,
                loss={LOGITS_LAYER: loss, VOTES_LAYER: loss},
                loss_weights={
                    LOGITS_LAYER: 1.0,
                    VOTES_LAYER: self.recipe.target.votes_head_weight,
                },
                metrics={LOGITS_LAYER: [keras.metrics.CategoricalAccuracy(name="accuracy")]},
            )
        else:
            model.compile(
                optimizer, loss=loss, metrics=[keras.metrics.CategoricalAccuracy(name="accuracy")]
            )

    def score(self, model: keras.Model, weights: Weights | None) -> tuple[float, float]:
        """Validation accuracy with the given weights: all rows, and rows without twins."""
        current = model.get_weights()
        if weights is not None:
            model.set_weights(weights)
        faces = self.validation.images[..., None].astype(np.float32) / 255.0
        found = model.predict(faces, batch_size=256, verbose=0)
        if weights is not None:
            model.set_weights(current)
        logits = found[LOGITS_LAYER] if isinstance(found, dict) else found
        right = np.asarray(logits).argmax(axis=1) == self.validation.labels
        return float(right.mean()), float(right[self.no_twins].mean())

    def save_checkpoint(self, model: keras.Model, average: WeightAverage, epoch: int) -> None:
        """Write the whole state beside the old checkpoint, then put it in its place."""
        state: dict[str, NDArray[Any]] = {"epoch": np.array(epoch), **average.state()}
        state["recipe"] = np.array(self.recipe.model_dump_json())
        for i, variable in enumerate(model.variables):
            state[f"model_{i}"] = keras.ops.convert_to_numpy(variable)
        for i, variable in enumerate(model.optimizer.variables):
            state[f"optimizer_{i}"] = keras.ops.convert_to_numpy(variable)
        write_atomically(self.folder / CHECKPOINT, lambda file: np.savez(file, **state))

    def _restore(self, model: keras.Model, average: WeightAverage) -> int:
        with np.load(self.folder / CHECKPOINT, allow_pickle=False) as stored:
            state = {name: stored[name] for name in stored.files}
        if str(state["recipe"]) != self.recipe.model_dump_json():
            raise MoodlensError(
                f"{self.folder / CHECKPOINT}: made with another recipe; "
                "choose another folder or leave --resume out"
            )
        model.optimizer.build(model.trainable_variables)
        for i, variable in enumerate(model.variables):
            variable.assign(state[f"model_{i}"])
        for i, variable in enumerate(model.optimizer.variables):
            variable.assign(state[f"optimizer_{i}"])
        average.restore(state)
        return int(state["epoch"])

    def keep_best(self, weights: Weights) -> None:
        """Remember these weights as the best so far."""
        named = {f"w_{i}": w for i, w in enumerate(weights)}
        write_atomically(self.folder / "best.npz", lambda file: np.savez(file, **named))

    def append_log(self, result: EpochResult) -> None:
        """Add a line to the CSV log."""
        path = self.folder / LOG
        fresh = not path.exists()
        with path.open("a", newline="") as file:
            writer = csv.writer(file)
            if fresh:
                writer.writerow(vars(result))
            writer.writerow(vars(result).values())

    def _save_best(self, has_votes: bool) -> Path:
        with np.load(self.folder / "best.npz", allow_pickle=False) as stored:
            best = [stored[f"w_{i}"] for i in range(len(stored.files))]
        trained = build_network(self.recipe.network, votes=len(VOTE_CLASSES) if has_votes else 0)
        trained.set_weights(best)
        plain = build_network(self.recipe.network)
        for layer in plain.layers:
            layer.set_weights(trained.get_layer(layer.name).get_weights())
        path = self.folder / MODEL
        partial = path.with_suffix(".partial.keras")
        plain.save(partial)
        os.replace(partial, path)
        return path


class _EpochKeeper(keras.callbacks.Callback):  # type: ignore[misc]
    """After every epoch: score the average, keep the best, log, checkpoint."""

    def __init__(self, run: TrainingRun, model: keras.Model, average: WeightAverage) -> None:
        super().__init__()
        self._run = run
        self._trained = model
        self._average = average
        self._started = 0.0

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        self._started = time.perf_counter()

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        logs = logs or {}
        everything, no_twins = self._run.score(self._trained, self._average.weights)
        best = max((r.val_accuracy_no_twins for r in self._run.results), default=0.0)
        result = EpochResult(
            epoch=epoch + 1,
            loss=round(float(logs.get("loss", np.nan)), 5),
            accuracy=round(
                float(logs.get(f"{LOGITS_LAYER}_accuracy", logs.get("accuracy", np.nan))), 5
            ),
            val_accuracy=round(everything, 5),
            val_accuracy_no_twins=round(no_twins, 5),
            seconds=round(time.perf_counter() - self._started, 1),
        )
        if no_twins >= best or not (self._run.folder / "best.npz").exists():
            self._run.keep_best(self._average.weights or self._trained.get_weights())
        self._run.results.append(result)
        self._run.append_log(result)
        self._run.save_checkpoint(self._trained, self._average, epoch + 1)
        self._run.report(result)


def write_atomically(path: Path, write: Callable[[Any], Any]) -> None:
    """Write a file beside its place, then move it there: a crash leaves the old one whole.

    Raises:
        MoodlensError: the disk is full or the folder can't be written; the old file stays.
    """
    partial = path.with_name(path.name + ".partial")
    try:
        with partial.open("wb") as file:
            write(file)
            file.flush()
            os.fsync(file.fileno())
        os.replace(partial, path)
    except OSError as error:
        partial.unlink(missing_ok=True)
        raise MoodlensError(f"{path}: can't be written: {error.strerror or error}") from error
