"""A run as the command line does it: record, progress, logs, curves around the loop."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console

from moodlens.datasets.core import FaceDataset
from moodlens.errors import MoodlensError
from moodlens.evaluation.plots import curves_png
from moodlens.training.data import TrainingData
from moodlens.training.loop import TrainingRun
from moodlens.training.progress import ProgressBars, TensorBoardLog
from moodlens.training.provenance import describe_run
from moodlens.training.recipe import Recipe
from moodlens.training.storage import (
    CHECKPOINT,
    RECORD,
    EpochResult,
    load_weights,
    write_atomically,
    write_text,
)
from moodlens.training.teacher import open_teacher

CURVES = "curves.png"
TENSORBOARD = "tensorboard"


def check_folder(folder: Path, *, resume: bool) -> None:
    """Keep an earlier run from being overwritten.

    Raises:
        MoodlensError: the folder holds a run and it is not to be resumed.
    """
    if not resume and (folder / CHECKPOINT).exists():
        raise MoodlensError(
            f"{folder}: holds a training run already; go on with --resume, or choose another "
            "folder with --output"
        )


@dataclass
class Session:
    """A run with everything around it.

    Attributes:
        run: the loop.
        record: what reproduces the run; written to `run.json`.
        screen: where progress goes.
    """

    run: TrainingRun
    record: dict[str, Any]
    screen: Console

    def train(self, *, resume: bool = False) -> Path:
        """Train to the end; the best epoch's model, its curves and logs are in the folder.

        Raises:
            MoodlensError: see `TrainingRun.run`; or the data are not those of the checkpoint.
        """
        folder, recipe = self.run.folder, self.run.recipe
        first = self._write_record(resume=resume)
        bars = ProgressBars(self.screen, recipe.schedule.epochs, first)
        board = TensorBoardLog(folder / TENSORBOARD)
        self.run.callbacks = [*self.run.callbacks, bars, board]
        self.run.report = bars.report
        try:
            return self.run.run(resume=resume)
        except KeyboardInterrupt:
            bars.stop()
            done = len(self.run.results)
            self.screen.print(
                f"stopped after {done} whole epochs; go on with --resume"
                if done
                else "stopped before the first epoch ended; nothing to resume",
                highlight=False,
                soft_wrap=True,
            )
            raise
        finally:
            bars.stop()
            board.close()
            self._draw_curves(self.run.results)

    def _write_record(self, *, resume: bool) -> int:
        """Write `run.json`, or check that a resumed run is on the same data; its first epoch."""
        self.run.make_folder()
        path = self.run.folder / RECORD
        if resume and path.exists() and (self.run.folder / CHECKPOINT).exists():
            try:
                stored = json.loads(path.read_text(encoding="utf-8"))
                same = stored["data"]["sha256"] == self.record["data"]["sha256"]
            except (OSError, ValueError, KeyError, TypeError) as error:
                raise MoodlensError(f"{path}: not the record of a run: {error}") from error
            if not same:
                raise MoodlensError(
                    f"{path}: that run was on other data (or other votes); "
                    "choose another folder or leave --resume out"
                )
            return 0
        write_text(path, json.dumps(self.record, indent=1) + "\n")
        return 0

    def _draw_curves(self, results: list[EpochResult]) -> None:
        if not results:
            return
        picture = curves_png([vars(result) for result in results])
        try:
            write_atomically(self.run.folder / CURVES, lambda file: file.write(picture))
        except MoodlensError as error:  # must not hide why the run ended
            self.screen.print(str(error), highlight=False, soft_wrap=True)


def open_run(
    recipe: Recipe,
    dataset: FaceDataset,
    prepared: TrainingData,
    folder: Path,
    *,
    backend: str,
    screen: Console,
    teachers: Sequence[Path] = (),
    start_from: Path | None = None,
) -> Session:
    """Put a run together.

    Args:
        recipe: what to do.
        dataset: all rows, for the record's hash.
        prepared: the rows to train and choose on.
        folder: of the run.
        backend: of Keras, for the record.
        screen: where progress goes.
        teachers: models to learn from, where the recipe's `teacher_share` is above 0.
        start_from: `best.npz` of an earlier run with the same network.

    Raises:
        MoodlensError: a teacher asks for a recipe with `teacher_share`, or the other way round.
    """
    teacher = open_teacher(teachers, recipe.target)
    start = None if start_from is None else load_weights(start_from)
    record = describe_run(
        recipe,
        dataset,
        backend=backend,
        left_out=prepared.left_out,
        teachers=list(teachers),
        start_from=start_from,
    )
    record["rows_trained_on"] = len(prepared.train)
    record["chosen_on"] = f"{prepared.chosen_on}, rows without a twin in training"
    run = TrainingRun(
        recipe,
        prepared.train,
        prepared.validation,
        prepared.no_twins,
        folder,
        teacher=teacher,
        start=start,
    )
    return Session(run, record, screen)
