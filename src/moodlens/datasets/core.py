"""One type for every labelled set of faces."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from moodlens.emotions import EMOTIONS
from moodlens.errors import DatasetError


@dataclass(frozen=True)
class FaceDataset:
    """Face crops with their labels.

    Attributes:
        images: (n, 48, 48) uint8, gray.
        labels: (n,) int64, index into `EMOTIONS`.
        splits: (n,) the split's name of each row.
        rows: (n,) int64, the row in the file (0 is the first picture), for messages and joins.
        source: the file or folder.
        votes: (n, 10) uint8 FER+ votes in FER+ column order, or None.
    """

    images: NDArray[np.uint8]
    labels: NDArray[np.int64]
    splits: NDArray[np.str_]
    rows: NDArray[np.int64]
    source: str
    votes: NDArray[np.uint8] | None = None

    def __post_init__(self) -> None:
        n = len(self.images)
        lengths = {len(self.labels), len(self.splits), len(self.rows)}
        if self.votes is not None:
            lengths.add(len(self.votes))
        if lengths != {n}:
            raise DatasetError(f"{self.source}: {n} pictures but {lengths} labels, splits or votes")

    def __len__(self) -> int:
        return len(self.images)

    def select(self, chosen: NDArray[np.bool_] | NDArray[np.int64]) -> FaceDataset:
        """The rows that a mask or an index array chooses."""
        return replace(
            self,
            images=self.images[chosen],
            labels=self.labels[chosen],
            splits=self.splits[chosen],
            rows=self.rows[chosen],
            votes=None if self.votes is None else self.votes[chosen],
        )

    def split(self, name: str) -> FaceDataset:
        """The rows of one split.

        Raises:
            DatasetError: there is no row of that split; the message lists those there are.
        """
        chosen = self.splits == name
        if not chosen.any():
            there = ", ".join(sorted(set(self.splits.tolist()))) or "none"
            raise DatasetError(f"{self.source}: no rows of split {name!r}; splits found: {there}")
        return self.select(chosen)

    def counts(self) -> dict[str, int]:
        """How many pictures each emotion has."""
        found = np.bincount(self.labels, minlength=len(EMOTIONS))
        return {emotion: int(found[i]) for i, emotion in enumerate(EMOTIONS)}
