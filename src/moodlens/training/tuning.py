"""The search for a better recipe: random trials first, then those that Optuna finds promising.

Random search comes first because it is hard to beat with few trials (Bergstra and Bengio 2012);
then the tree-structured Parzen estimator (Bergstra et al. 2011) learns from what was tried.
A trial that is worse than the median of the others at the same epoch is given up.
"""

from __future__ import annotations

import json
import sqlite3
import warnings
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import filelock
import keras

from moodlens.errors import MissingExtraError, MoodlensError
from moodlens.evaluation.plots import importance_png
from moodlens.training.data import TrainingData
from moodlens.training.loop import TrainingRun
from moodlens.training.recipe import Recipe
from moodlens.training.storage import (
    CHECKPOINT,
    LOG,
    EpochResult,
    LossError,
    read_log,
    write_atomically,
    write_text,
)
from moodlens.training.teacher import Teacher

STUDY = "study.sqlite"
BEST_RECIPE = "best.toml"
IMPORTANCE = "importance.png"
_NAME = "moodlens"
_CONTINUES = "continues"
_TOP_SHARE = 0.25
_ENOUGH_FOR_IMPORTANCE = 4


@dataclass(frozen=True)
class Range:
    """Where a value of the recipe is looked for.

    Attributes:
        name: dotted, as `Recipe.with_changes` takes it.
        low: smallest value.
        high: largest value.
        log: whether small steps matter more among small values.
    """

    name: str
    low: float
    high: float
    log: bool = False


SPACE = (
    Range("schedule.learning_rate", 0.02, 0.4, log=True),
    Range("schedule.weight_decay", 0.0005, 0.02, log=True),
    Range("schedule.balance", 0.0, 0.75),
    Range("network.dropout", 0.0, 0.4),
    Range("target.smoothing", 0.0, 0.2),
    Range("augment.scale", 1.0, 1.35),
    Range("augment.shift", 0.0, 0.15),
    Range("augment.rotation_deg", 0.0, 20.0),
    Range("augment.tone", 0.0, 0.8),
    Range("augment.erase", 0.0, 0.5),
    Range("augment.mixup", 0.0, 0.5),
    Range("augment.cutmix", 0.0, 0.3),
)
VOTES_SPACE = (
    Range("target.votes_share", 0.0, 0.6),
    Range("target.votes_head_weight", 0.0, 1.0),
)
"""Only where the data have FER+ votes."""


@dataclass(frozen=True)
class Tuned:
    """What a search has found so far.

    Attributes:
        recipe: the best one's file.
        accuracy: of its best epoch on the validation rows without twins, in [0, 1].
        finished: how many trials ran to their last epoch.
        pruned: how many were given up.
        importance: name to share, the largest first; empty with too few finished trials.
    """

    recipe: Path
    accuracy: float
    finished: int
    pruned: int
    importance: dict[str, float]


class Search:
    """A search in its own folder, which holds all that going on with it needs."""

    def __init__(
        self,
        base: Recipe,
        prepared: TrainingData,
        folder: Path,
        *,
        identity: dict[str, Any],
        random_trials: int = 10,
        teacher: Teacher | None = None,
        say: Callable[[str], None] = lambda _: None,
    ) -> None:
        """Open a search, or start it.

        Args:
            base: the recipe whose values are changed; its epochs are those of a trial.
            prepared: the rows to train and choose on.
            folder: where the study and the trials go.
            identity: what must be the same to go on, as the data's hash; ready for JSON.
            random_trials: how many trials come before the estimator takes over.
            teacher: where the base recipe learns from one.
            say: told a line for each epoch and trial.

        Raises:
            MissingExtraError: Optuna is not installed.
            MoodlensError: the folder holds another search, or its study is damaged.
        """
        try:
            import optuna
        except ImportError as error:
            raise MissingExtraError("tuning", "train") from error
        self._optuna = optuna
        self.base, self.prepared, self.folder = base, prepared, folder
        self._teacher, self._say = teacher, say
        self._lock = _locked(folder)
        try:
            optuna.logging.set_verbosity(optuna.logging.ERROR)
            self._study = self._open(random_trials, identity)
        except BaseException:
            self._lock.release()
            raise

    def _open(self, random_trials: int, identity: dict[str, Any]) -> Any:
        optuna, path = self._optuna, self.folder / STUDY
        identity = {**identity, "recipe": json.loads(self.base.model_dump_json())}
        try:
            with closing(sqlite3.connect(path)) as database:  # a trial writes often; one sync each
                database.execute("PRAGMA journal_mode=WAL")
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
                study = optuna.create_study(
                    storage=f"sqlite:///{path.resolve()}",
                    study_name=_NAME,
                    direction="maximize",
                    load_if_exists=True,
                    pruner=optuna.pruners.MedianPruner(
                        n_startup_trials=4, n_warmup_steps=max(1, self.base.schedule.epochs // 4)
                    ),
                )
                # A search that goes on must not draw the same values again.
                study.sampler = optuna.samplers.TPESampler(
                    n_startup_trials=random_trials,
                    multivariate=True,
                    seed=self.base.seed + len(study.trials),
                )
            stored = study.user_attrs.get("identity")
        except Exception as error:  # SQLAlchemy's and Optuna's errors share no base class
            reason = (str(error).splitlines() or [type(error).__name__])[0][:200]
            raise MoodlensError(f"{path}: can't be used as a study: {reason}") from error
        if stored is None:
            study.set_user_attr("identity", identity)
        elif stored != identity:
            differs = [name for name in identity if stored.get(name) != identity[name]]
            raise MoodlensError(
                f"{path}: that search was with another {' and '.join(differs)}; choose another "
                "folder with --output"
            )
        return study

    def close(self) -> None:
        """Let another process go on with the search."""
        self._lock.release()

    def run(self, trials: int) -> Tuned:
        """Try until the study has that many trials, finished or given up; then plot.

        A trial that was interrupted goes on from its checkpoint. After every trial the best
        recipe is written, so Ctrl-C loses nothing.

        Raises:
            MoodlensError: no trial came to an end, or a file can't be written.
        """
        self._take_up_interrupted()
        while (done := self._counted()) < trials:
            self._try(done + 1, trials)
        return self.summary()

    def _states(self, *states: str) -> list[Any]:
        known = self._optuna.trial.TrialState
        return list(self._study.get_trials(states=tuple(known[name] for name in states)))

    def _counted(self) -> int:
        return len(self._states("COMPLETE", "PRUNED"))

    def _take_up_interrupted(self) -> None:
        """Queue trials that a crash or Ctrl-C cut off, each with its folder, once."""
        failed = self._optuna.trial.TrialState.FAIL
        for trial in self._states("RUNNING"):
            self._study.tell(trial.number, state=failed)
        again = {t.user_attrs.get(_CONTINUES) for t in self._states(*_STATES)}
        for trial in self._states("FAIL"):
            if trial.number not in again and trial.params:
                folder = trial.user_attrs.get("folder", trial.number)
                self._study.enqueue_trial(
                    trial.params, user_attrs={_CONTINUES: trial.number, "folder": folder}
                )

    def _try(self, count: int, wanted: int) -> None:
        states = self._optuna.trial.TrialState
        trial = self._study.ask()
        recipe = self._recipe_of(trial)
        folder = self.folder / "trials" / str(trial.user_attrs.get("folder", trial.number))
        try:
            accuracy = self._train(trial, recipe, folder, f"trial {count}/{wanted}")
        except self._optuna.TrialPruned:
            self._study.tell(trial, state=states.PRUNED)
            self._say(f"trial {count}/{wanted} given up: worse than the median of the others")
        except LossError:
            self._study.tell(trial, state=states.PRUNED)
            self._say(f"trial {count}/{wanted} given up: the loss is no longer a number")
        except BaseException:
            self._study.tell(trial, state=states.FAIL)
            raise
        else:
            self._study.tell(trial, accuracy)
            best = self._study.best_trial
            self._say(f"trial {count}/{wanted}: {accuracy:.2%}, the best {best.value:.2%}")
            if best.number == trial.number:
                write_text(self.folder / BEST_RECIPE, self._best_text())
        for file in folder.glob("*"):  # the log stays; weights of a short trial are of no use
            if file.name != LOG:
                file.unlink(missing_ok=True)

    def _recipe_of(self, trial: Any) -> Recipe:
        space = SPACE + (VOTES_SPACE if self.prepared.train.votes is not None else ())
        return self.base.with_changes(
            {r.name: trial.suggest_float(r.name, r.low, r.high, log=r.log) for r in space}
        )

    def _train(self, trial: Any, recipe: Recipe, folder: Path, name: str) -> float:
        """The best epoch's accuracy; gives up where the median of the others is better."""
        epochs = recipe.schedule.epochs

        def report(result: EpochResult) -> None:
            self._say(
                f"{name}  epoch {result.epoch}/{epochs}  loss {result.loss:.3f}  without twins "
                f"{result.val_accuracy_no_twins:.2%}  {result.seconds:.0f} s"
            )
            trial.report(result.val_accuracy_no_twins, result.epoch)
            if result.epoch < epochs and trial.should_prune():
                raise self._optuna.TrialPruned

        resume = (folder / CHECKPOINT).exists()
        if resume:
            for result in read_log(folder / LOG):
                trial.report(result.val_accuracy_no_twins, result.epoch)
        keras.backend.clear_session()
        run = TrainingRun(
            recipe,
            self.prepared.train,
            self.prepared.validation,
            self.prepared.no_twins,
            folder,
            report=report,
            teacher=self._teacher,
        )
        trial.set_user_attr("folder", folder.name)
        run.run(resume=resume)
        return max(result.val_accuracy_no_twins for result in run.results)

    def _best_text(self) -> str:
        best = self._study.best_trial
        return (
            f"# Trial {best.number} of a search: {best.value:.2%} without twins after "
            f"{self.base.schedule.epochs} epochs at most.\n{self._best_recipe().to_toml()}"
        )

    def _best_recipe(self) -> Recipe:
        return self.base.with_changes(self._study.best_trial.params)

    def summary(self) -> Tuned:
        """The best recipe so far, written as TOML, and what mattered, as a plot.

        Raises:
            MoodlensError: no trial has come to an end yet, or a file can't be written.
        """
        finished = self._states("COMPLETE")
        if not finished:
            raise MoodlensError(f"{self.folder}: no trial has come to an end yet")
        write_text(self.folder / BEST_RECIPE, self._best_text())
        importance = self._importance() if len(finished) >= _ENOUGH_FOR_IMPORTANCE else {}
        if importance:
            picture = importance_png(importance, len(finished))
            write_atomically(self.folder / IMPORTANCE, lambda file: file.write(picture))
        return Tuned(
            self.folder / BEST_RECIPE,
            float(self._study.best_value),
            len(finished),
            len(self._states("PRUNED")),
            importance,
        )

    def _importance(self) -> dict[str, float]:
        """Shares of 1, by PED-ANOVA (Watanabe et al. 2023, arXiv:2304.10255)."""
        evaluator = self._optuna.importance.PedAnovaImportanceEvaluator
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # experimental in older versions
            found = self._optuna.importance.get_param_importances(
                self._study, evaluator=evaluator(target_quantile=_TOP_SHARE)
            )
        return {name: float(share) for name, share in found.items()}


_STATES = ("RUNNING", "COMPLETE", "PRUNED", "FAIL", "WAITING")


def _locked(folder: Path) -> Any:
    """The folder's lock, held."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = filelock.FileLock(str(folder / ".lock"))
        lock.acquire(timeout=0)
    except filelock.Timeout as error:
        raise MoodlensError(f"{folder}: another search is running in this folder") from error
    except OSError as error:
        raise MoodlensError(f"{folder}: can't be made: {error.strerror or error}") from error
    return lock
