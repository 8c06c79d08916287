"""What to train on and what to choose on, from any data set."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from moodlens.datasets.core import FaceDataset
from moodlens.datasets.twins import without_twins
from moodlens.errors import DatasetError
from moodlens.training.targets import usable_rows

_VALIDATION = ("PublicTest", "validation", "test")
_HELD_OUT = 0.1


@dataclass(frozen=True)
class TrainingData:
    """Rows for a run.

    Attributes:
        train: cleaned.
        validation: as it is; nothing is ever left out of what is reported on.
        no_twins: (len(validation),) bool, rows without a twin among all training rows.
        left_out: how many training rows were left out, by reason.
        chosen_on: what the validation rows are called.
    """

    train: FaceDataset
    validation: FaceDataset
    no_twins: NDArray[np.bool_]
    left_out: dict[str, int]
    chosen_on: str


def prepare(dataset: FaceDataset, *, seed: int, rows: int | None = None) -> TrainingData:
    """Split, find twins, clean.

    PrivateTest is never used. Data without a split to choose on lose a tenth of each emotion
    to one.

    Args:
        dataset: all rows.
        seed: of the tenth, and of the choice of rows.
        rows: train on that many rows only, chosen by chance; None: all.

    Raises:
        DatasetError: nothing is left to train on, or to choose on.
    """
    names = set(dataset.splits.tolist())
    chosen_on = next((name for name in _VALIDATION if name in names), None)
    training = next((name for name in ("Training", "all") if name in names), None)
    if training is None:
        raise DatasetError(f"{dataset.source}: no Training rows; found {', '.join(sorted(names))}")
    known = dataset.split(training)
    if chosen_on is None:
        chosen_on = "a tenth held out"
        held = _held_out(known.labels, seed)
        known, validation = known.select(~held), known.select(held)
    else:
        validation = dataset.split(chosen_on)
    if not len(known) or not len(validation):
        raise DatasetError(f"{dataset.source}: too few pictures to train on and to choose on")
    unseen = without_twins(validation.images, known.images)
    keep, left_out = usable_rows(known)
    train = known.select(keep)
    if rows is not None and rows < len(train):
        chosen = np.random.default_rng(seed).permutation(len(train))[:rows]
        train = train.select(np.sort(chosen))
    return TrainingData(train, validation, unseen, left_out, chosen_on)


def _held_out(labels: NDArray[np.int64], seed: int) -> NDArray[np.bool_]:
    """(n,) bool, true for a tenth of each label, at least one where there are two."""
    rng = np.random.default_rng(seed)
    held = np.zeros(len(labels), dtype=bool)
    for label in np.unique(labels):
        rows = rng.permutation(np.flatnonzero(labels == label))
        count = max(1, round(len(rows) * _HELD_OUT)) if len(rows) > 1 else 0
        held[rows[:count]] = True
    return held
