"""What the two heads are trained to say: soft targets from labels and FER+ votes."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from moodlens.datasets.core import FaceDataset
from moodlens.datasets.fer2013 import FERPLUS_COLUMNS
from moodlens.emotions import EMOTIONS
from moodlens.training.recipe import TargetRecipe

VOTE_CLASSES = FERPLUS_COLUMNS[:8]
"""The eight FER+ emotions; `unknown` and `NF` (not a face) are no emotion to learn."""

_FERPLUS_NAME = {
    "angry": "anger",
    "disgust": "disgust",
    "fear": "fear",
    "happy": "happiness",
    "sad": "sadness",
    "surprise": "surprise",
    "neutral": "neutral",
}
_COLUMNS = [FERPLUS_COLUMNS.index(_FERPLUS_NAME[emotion]) for emotion in EMOTIONS]


def usable_rows(dataset: FaceDataset) -> tuple[NDArray[np.bool_], dict[str, int]]:
    """Which rows to train on, and how many are left out and why.

    A row is left out when its picture is one flat gray, or when most FER+ taggers said that it
    is not a face. Only for training: figures are reported on every row.
    """
    blank = dataset.images.reshape(len(dataset), -1).std(axis=1) < 1.0
    no_face = np.zeros(len(dataset), dtype=bool)
    if dataset.votes is not None:
        total = np.maximum(dataset.votes.sum(axis=1), 1)
        no_face = (dataset.votes[:, FERPLUS_COLUMNS.index("NF")] / total > 0.5) & ~blank
    return ~(blank | no_face), {"blank": int(blank.sum()), "not a face": int(no_face.sum())}


def emotion_targets(
    dataset: FaceDataset, recipe: TargetRecipe, taught: NDArray[np.float32] | None = None
) -> NDArray[np.float32]:
    """(n, 7) float32, each row a distribution.

    Args:
        dataset: labels, and votes where there are any.
        recipe: the shares.
        taught: (n, 7) what a teacher says of the same pictures; takes `teacher_share` of all.
    """
    label = np.eye(len(EMOTIONS), dtype=np.float32)[dataset.labels]
    share = np.float32(recipe.votes_share if dataset.votes is not None else 0.0)
    smoothing = np.float32(recipe.smoothing)
    voted = label
    if dataset.votes is not None:
        counts = dataset.votes[:, _COLUMNS].astype(np.float32)
        total = counts.sum(axis=1, keepdims=True)
        voted = np.where(total > 0, counts / np.maximum(total, 1), label)
    mixed = (1 - share - smoothing) * label + share * voted + smoothing / len(EMOTIONS)
    if taught is not None:
        mixed = (1 - recipe.teacher_share) * mixed + recipe.teacher_share * taught
    return np.asarray(mixed, dtype=np.float32)


def vote_targets(dataset: FaceDataset) -> NDArray[np.float32]:
    """(n, 8) float32 distributions over `VOTE_CLASSES`; all zero (no loss) without a vote."""
    if dataset.votes is None:
        return np.zeros((len(dataset), len(VOTE_CLASSES)), dtype=np.float32)
    counts = dataset.votes[:, : len(VOTE_CLASSES)].astype(np.float32)
    return np.asarray(counts / np.maximum(counts.sum(axis=1, keepdims=True), 1), dtype=np.float32)
