"""What a run keeps in its folder: the checkpoint, the best weights, the log. Written atomically."""

from __future__ import annotations

import csv
import io
import json
import os
import zipfile
from collections.abc import Callable
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from moodlens.errors import MoodlensError
from moodlens.training.recipe import Recipe

Weights = list[NDArray[Any]]
"""As `keras.Model.get_weights()` gives them."""

CHECKPOINT = "checkpoint.npz"
BEST = "best.npz"
LOG = "log.csv"
MODEL = "model.keras"
RECORD = "run.json"
"""Recipe, seed, revision, versions, data: what reproduces the run."""


class LossError(MoodlensError):
    """The loss of a run is no longer a number."""


@dataclass
class EpochResult:
    """One line of the log."""

    epoch: int
    loss: float
    accuracy: float
    val_accuracy: float
    val_accuracy_no_twins: float
    seconds: float


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
        partial.replace(path)
    except OSError as error:
        partial.unlink(missing_ok=True)
        raise MoodlensError(f"{path}: can't be written: {error.strerror or error}") from error
    except BaseException:  # also Ctrl-C: nothing half written stays behind
        partial.unlink(missing_ok=True)
        raise


def write_text(path: Path, text: str) -> None:
    """A small text file, atomically."""
    write_atomically(path, lambda file: file.write(text.encode("utf-8")))


def read_arrays(path: Path) -> dict[str, NDArray[Any]]:
    """Every array of an `.npz` file; never unpickles.

    Raises:
        MoodlensError: it is not there or damaged.
    """
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as stored:
            return {name: stored[name] for name in stored.files}
    except FileNotFoundError:
        raise MoodlensError(f"{path}: no such file") from None
    except (OSError, ValueError, EOFError, AttributeError, zipfile.BadZipFile) as error:
        raise MoodlensError(
            f"{path}: can't be read: damaged, or no .npz file of a training run"
        ) from error


def write_arrays(file: Any, arrays: dict[str, NDArray[Any]]) -> None:
    """Named arrays as `.npz`, into an open file."""
    np.savez(file, **arrays)  # type: ignore[arg-type]


def save_weights(path: Path, weights: Weights) -> None:
    """A list of weights as `.npz`."""
    named = {f"w_{i}": w for i, w in enumerate(weights)}
    write_atomically(path, lambda file: write_arrays(file, named))


def load_weights(path: Path) -> Weights:
    """What `save_weights` wrote.

    Raises:
        MoodlensError: not there, damaged, or another kind of file.
    """
    stored = read_arrays(path)
    try:
        return [stored[f"w_{i}"] for i in range(len(stored))]
    except KeyError as error:
        raise MoodlensError(f"{path}: not the weights of a run; expected its {BEST}") from error


def same_recipe(stored: str, recipe: Recipe) -> bool:
    """Whether a stored recipe means the same; values added since then have their defaults."""
    try:
        return Recipe.model_validate_json(stored) == recipe
    except ValueError:
        return False


def results_to_json(results: list[EpochResult]) -> str:
    """The log as it is kept inside the checkpoint, so that the two never disagree."""
    return json.dumps([asdict(result) for result in results])


def results_from_json(text: str) -> list[EpochResult]:
    """The other way round."""
    return [EpochResult(**entry) for entry in json.loads(text)]


def write_log(path: Path, results: list[EpochResult]) -> None:
    """The log as CSV, a line an epoch."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(field.name for field in fields(EpochResult))
    writer.writerows(vars(result).values() for result in results)
    write_text(path, text.getvalue())


def read_log(path: Path, until_epoch: int | None = None) -> list[EpochResult]:
    """The log of a run; none when there is no file.

    Args:
        path: of the CSV file.
        until_epoch: leave out later epochs, and of repeated ones all but the last.

    Raises:
        MoodlensError: the file is not such a log.
    """
    if not path.exists():
        return []
    kept: dict[int, EpochResult] = {}
    try:
        with path.open(encoding="utf-8", newline="") as file:
            for row in csv.DictReader(file):
                epoch = int(row["epoch"])
                numbers = {f.name: float(row[f.name]) for f in fields(EpochResult)[1:]}
                if until_epoch is None or epoch <= until_epoch:
                    kept[epoch] = EpochResult(epoch, **numbers)
    except (OSError, KeyError, TypeError, ValueError) as error:
        raise MoodlensError(f"{path}: not the log of a training run: {error}") from error
    return [kept[epoch] for epoch in sorted(kept)]
