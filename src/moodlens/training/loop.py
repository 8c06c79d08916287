"""The training run: fit, average, score, checkpoint, resume."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from moodlens.datasets.core import FaceDataset
from moodlens.errors import MoodlensError
from moodlens.recognition.preprocess import to_input
from moodlens.training.averaging import WeightAverage
from moodlens.training.batches import TrainingBatches, repeats, steps_in_epoch
from moodlens.training.losses import MirrorConsistentCrossentropy
from moodlens.training.network import LOGITS_LAYER, VOTES_LAYER, build_network, plain_network
from moodlens.training.recipe import Recipe
from moodlens.training.sharpness import SharpnessAwareSGD
from moodlens.training.storage import (
    BEST,
    CHECKPOINT,
    LOG,
    MODEL,
    EpochResult,
    LossError,
    Weights,
    load_weights,
    read_arrays,
    read_log,
    results_from_json,
    results_to_json,
    same_recipe,
    save_weights,
    write_arrays,
    write_atomically,
    write_log,
)
from moodlens.training.targets import VOTE_CLASSES
from moodlens.training.teacher import Teacher

__all__ = ["CHECKPOINT", "LOG", "MODEL", "EpochResult", "TrainingRun", "write_atomically"]


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
        teacher: whose answers become part of the targets, as the recipe says.
        start: weights to start from instead of random ones, as `best.npz` holds them.
        callbacks: of Keras, for progress and logs.
        until_epoch: stop after this epoch, as if interrupted; None: go to the recipe's last.
    """

    recipe: Recipe
    train: FaceDataset
    validation: FaceDataset
    no_twins: NDArray[np.bool_]
    folder: Path
    report: Callable[[EpochResult], None] = lambda _: None
    teacher: Teacher | None = None
    start: Weights | None = None
    callbacks: Sequence[keras.callbacks.Callback] = ()
    until_epoch: int | None = None
    results: list[EpochResult] = field(default_factory=list)

    @property
    def has_votes(self) -> bool:
        """Whether a second head is trained on FER+ votes."""
        return self.train.votes is not None

    def run(self, *, resume: bool = False) -> Path:
        """Train to the recipe's last epoch and save the best averaged weights as `.keras`.

        Interrupted by Ctrl-C, the last whole epoch's checkpoint and the best model stay.

        Args:
            resume: go on from the folder's checkpoint, exactly; without one, start.

        Returns:
            The path of the saved model.

        Raises:
            MoodlensError: the checkpoint is of another recipe, damaged, or can't be written; or
                the loss is no longer a number.
        """
        self.make_folder()
        schedule = self.recipe.schedule
        model = self._build()
        self._compile(model)
        # of its steps, every other one only climbs
        average = WeightAverage(schedule.ema_decay ** (1 / repeats(self.recipe)))
        first_epoch = 0
        if resume and (self.folder / CHECKPOINT).exists():
            first_epoch = self._restore(model, average)
        last_epoch = min(schedule.epochs, self.until_epoch or schedule.epochs)
        if first_epoch < last_epoch:
            try:
                model.fit(
                    TrainingBatches(
                        self.train, self.recipe, first_epoch=first_epoch, teacher=self.teacher
                    ),
                    epochs=last_epoch,
                    initial_epoch=first_epoch,
                    callbacks=[average, _EpochKeeper(self, model, average), *self.callbacks],
                    shuffle=False,
                    verbose=0,
                )
            except KeyboardInterrupt:
                if self.results:
                    self.save_best()
                raise
        return self.save_best()

    def make_folder(self) -> None:
        """Make the run's folder.

        Raises:
            MoodlensError: it can't be made.
        """
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise MoodlensError(
                f"{self.folder}: can't be made: {error.strerror or error}"
            ) from error

    def _build(self) -> keras.Model:
        keras.utils.set_random_seed(self.recipe.seed)
        keras.config.set_dtype_policy(self.recipe.schedule.precision)
        try:
            model = build_network(
                self.recipe.network, votes=len(VOTE_CLASSES) if self.has_votes else 0, fused=True
            )
        finally:
            keras.config.set_dtype_policy("float32")
        if self.start is not None:
            try:
                model.set_weights(self.start)
            except ValueError as error:
                raise MoodlensError(f"the weights to start from do not fit: {error}") from error
        return model

    def _compile(self, model: keras.Model) -> None:
        schedule = self.recipe.schedule
        steps = steps_in_epoch(len(self.train), self.recipe)
        warmup = int(schedule.warmup_epochs * steps)
        rate = keras.optimizers.schedules.CosineDecay(
            initial_learning_rate=schedule.learning_rate / 20,
            decay_steps=max(1, schedule.epochs * steps - warmup),
            warmup_target=schedule.learning_rate,
            warmup_steps=warmup,
        )
        optimizer: keras.optimizers.Optimizer
        shared = {"momentum": schedule.momentum, "weight_decay": schedule.weight_decay}
        if schedule.sharpness > 0:
            optimizer = SharpnessAwareSGD(rate, rho=schedule.sharpness, **shared)
        else:
            optimizer = keras.optimizers.SGD(rate, nesterov=True, **shared)
        optimizer.exclude_from_weight_decay(var_names=["bias", "gamma", "beta"])
        plain = keras.losses.CategoricalCrossentropy(from_logits=True)
        agreeing = self.recipe.target.flip_consistency
        loss = MirrorConsistentCrossentropy(agreeing) if agreeing else plain
        accuracy = keras.metrics.CategoricalAccuracy(name="accuracy")
        if self.has_votes:
            head_weight = self.recipe.target.votes_head_weight
            model.compile(
                optimizer,
                loss={LOGITS_LAYER: loss, VOTES_LAYER: plain},
                loss_weights={LOGITS_LAYER: 1.0, VOTES_LAYER: head_weight},
                metrics={LOGITS_LAYER: [accuracy]},
            )
        else:
            model.compile(optimizer, loss=loss, metrics=[accuracy])

    def score(self, model: keras.Model, weights: Weights | None) -> tuple[float, float]:
        """Validation accuracy with the given weights: all rows, and rows without twins."""
        current = model.get_weights()
        if weights is not None:
            model.set_weights(weights)
        found = model.predict(to_input(self.validation.images), batch_size=256, verbose=0)
        if weights is not None:
            model.set_weights(current)
        logits = found[LOGITS_LAYER] if isinstance(found, dict) else found
        right = np.asarray(logits).argmax(axis=1) == self.validation.labels
        chosen = right[self.no_twins] if self.no_twins.any() else right
        return float(right.mean()), float(chosen.mean())

    def finish_epoch(
        self, model: keras.Model, average: WeightAverage, epoch: int, logs: dict[str, Any], s: float
    ) -> EpochResult:
        """Score the averaged weights, keep the best, log, checkpoint.

        Raises:
            LossError: the loss is not a number. MoodlensError: a file can't be written.
                The checkpoint of the epoch before stays as it was.
        """
        loss = float(logs.get("loss", math.nan))
        if not math.isfinite(loss):
            raise LossError(
                f"the loss is not a number after epoch {epoch}: use a lower learning_rate or "
                'precision = "float32"'
            )
        everything, no_twins = self.score(model, average.weights)
        best = max((r.val_accuracy_no_twins for r in self.results), default=0.0)
        accuracy = logs.get(f"{LOGITS_LAYER}_accuracy", logs.get("accuracy", math.nan))
        result = EpochResult(
            epoch=epoch,
            loss=round(loss, 5),
            accuracy=round(float(accuracy), 5),
            val_accuracy=round(everything, 5),
            val_accuracy_no_twins=round(no_twins, 5),
            seconds=round(s, 1),
        )
        if result.val_accuracy_no_twins >= best or not (self.folder / BEST).exists():
            save_weights(self.folder / BEST, average.weights or model.get_weights())
        self.results.append(result)
        self._save_checkpoint(model, average, epoch)
        write_log(self.folder / LOG, self.results)
        self.report(result)
        return result

    def _save_checkpoint(self, model: keras.Model, average: WeightAverage, epoch: int) -> None:
        """Write the whole state beside the old checkpoint, then put it in its place."""
        state: dict[str, NDArray[Any]] = {"epoch": np.array(epoch), **average.state()}
        state["recipe"] = np.array(self.recipe.model_dump_json())
        state["results"] = np.array(results_to_json(self.results))
        for i, variable in enumerate(model.variables):
            state[f"model_{i}"] = variable.numpy()
        for i, variable in enumerate(model.optimizer.variables):
            state[f"optimizer_{i}"] = variable.numpy()
        write_atomically(self.folder / CHECKPOINT, lambda file: write_arrays(file, state))

    def _restore(self, model: keras.Model, average: WeightAverage) -> int:
        path = self.folder / CHECKPOINT
        state = read_arrays(path)
        if not same_recipe(str(state.get("recipe")), self.recipe):
            raise MoodlensError(
                f"{path}: made with another recipe; choose another folder or leave --resume out"
            )
        model.optimizer.build(model.trainable_variables)
        try:
            for i, variable in enumerate(model.variables):
                variable.assign(state[f"model_{i}"])
            for i, variable in enumerate(model.optimizer.variables):
                variable.assign(state[f"optimizer_{i}"])
            average.restore(state)
            epoch = int(state["epoch"])
        except (KeyError, ValueError) as error:
            raise MoodlensError(f"{path}: does not fit this network and data: {error}") from error
        if "results" in state:
            self.results = results_from_json(str(state["results"]))
        else:
            self.results = read_log(self.folder / LOG, until_epoch=epoch)
        return epoch

    def save_best(self) -> Path:
        """The best weights so far as a plain `.keras` model with the emotion head alone.

        Raises:
            MoodlensError: there are none yet, or the file can't be written.
        """
        path = self.folder / MODEL
        plain = plain_network(
            self.recipe.network, load_weights(self.folder / BEST), votes=self.has_votes
        )
        partial = path.with_suffix(".partial.keras")
        try:
            plain.save(partial)
            partial.replace(path)
        except OSError as error:
            raise MoodlensError(f"{path}: can't be written: {error.strerror or error}") from error
        finally:
            partial.unlink(missing_ok=True)
        return path


class _EpochKeeper(keras.callbacks.Callback):
    """Hands every finished epoch to the run, before other callbacks see its logs."""

    def __init__(self, run: TrainingRun, model: keras.Model, average: WeightAverage) -> None:
        super().__init__()
        self._run = run
        self._trained = model
        self._average = average
        self._started = 0.0

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:  # noqa: ARG002
        self._started = time.perf_counter()

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        spent = time.perf_counter() - self._started
        result = self._run.finish_epoch(
            self._trained, self._average, epoch + 1, dict(logs or {}), spent
        )
        if logs is not None:  # so that TensorBoard and the progress bar show them
            logs["val_accuracy"] = result.val_accuracy
            logs["val_accuracy_no_twins"] = result.val_accuracy_no_twins
