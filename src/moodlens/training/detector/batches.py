"""Batches of composed scenes for `keras.Model.fit`, the same at every run with the same seed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import cv2
import keras
import numpy as np
from numpy.typing import NDArray

from moodlens.detection.base import MIRRORED
from moodlens.training.detector.effects import Chance, tone
from moodlens.training.detector.scenes import DOUBTFUL, FACE

ZOOM = 1.35
"""A scene is shown at most so much larger or smaller than it was composed."""
TINY_PX = 12.0
"""Faces smaller than this count neither as faces nor as background."""

Pool = tuple[NDArray[np.uint8], NDArray[np.float32]]
"""Images (n, height, width) and labels (n, faces, 15)."""


class SceneBatches(keras.utils.PyDataset):
    """Shuffled batches from pools of scenes: mirrored, zoomed and toned anew each time.

    Chance depends on seed, epoch and batch number alone.
    """

    def __init__(
        self, pools: Sequence[Pool], batch_size: int, seed: int, *, first_epoch: int = 0
    ) -> None:
        super().__init__()
        self._pools = pools
        self._starts = np.cumsum([0, *(len(images) for images, _ in pools)])
        self._size = batch_size
        self._seed = seed
        self._epoch = first_epoch
        self._order = self._shuffled()

    def _shuffled(self) -> NDArray[np.int64]:
        return np.random.default_rng((self._seed, self._epoch)).permutation(int(self._starts[-1]))

    def __len__(self) -> int:
        return max(1, int(self._starts[-1]) // self._size)

    def __getitem__(self, index: int) -> tuple[Any, Any]:
        rng = np.random.default_rng((self._seed, self._epoch, index))
        images, labels = [], []
        for number in self._order[index * self._size : (index + 1) * self._size]:
            which = int(np.searchsorted(self._starts, number, side="right")) - 1
            at = int(number - self._starts[which])
            image, label = vary(self._pools[which][0][at], self._pools[which][1][at], rng)
            images.append(image)
            labels.append(label)
        return np.stack(images)[..., None].astype(np.float32) / 255, np.stack(labels)

    def on_epoch_end(self) -> None:
        self._epoch += 1
        self._order = self._shuffled()


def vary(
    image: NDArray[np.uint8], label: NDArray[np.float32], rng: Chance
) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
    """The scene mirrored (half of the time), zoomed (half) and with another exposure (half)."""
    height, width = image.shape
    label = label.copy()
    scale, shift = np.ones(2, np.float32), np.zeros(2, np.float32)
    flip = rng.random() < 0.5
    if rng.random() < 0.5:
        zoom = np.exp(rng.uniform(-np.log(ZOOM), np.log(ZOOM)))
        scale = np.array([zoom, zoom * np.exp(rng.normal(0, 0.04))], np.float32)
        room = np.array([width, height], np.float32) * (1 - scale)
        shift = (room * rng.uniform(0, 1, 2)).astype(np.float32)
    if flip:
        label = mirrored(label, width)
    matrix = np.array(
        [[-scale[0] if flip else scale[0], 0, 0], [0, scale[1], shift[1]]], np.float32
    )
    matrix[0, 2] = shift[0] + (scale[0] * (width - 1) if flip else 0)
    if flip or scale[0] != 1:
        border = cv2.BORDER_CONSTANT if rng.random() < 0.5 else cv2.BORDER_REFLECT_101
        how = cv2.INTER_LINEAR if scale[0] != 1 else cv2.INTER_NEAREST
        if border == cv2.BORDER_REFLECT_101 and scale.min() < 1:
            border = cv2.BORDER_REPLICATE  # a mirrored border would show faces without a label
        image = np.asarray(
            cv2.warpAffine(image, matrix, (width, height), flags=how, borderMode=border), np.uint8
        )
    used = label[:, 14] > 0
    label[:, :14] = np.where(
        used[:, None], label[:, :14] * np.tile(scale, 7) + np.tile(shift, 7), 0
    )
    _judge_again(label, width, height)
    if rng.random() < 0.5:
        image = tone(image, rng, 0.5)
    return image, label


def mirrored(label: NDArray[np.float32], width: int) -> NDArray[np.float32]:
    """Label rows of the mirrored picture."""
    turned = label.copy()
    turned[:, 0], turned[:, 2] = width - label[:, 2], width - label[:, 0]
    marks = label[:, 4:14].reshape(-1, 5, 2)[:, MIRRORED].copy()
    marks[..., 0] = width - marks[..., 0]
    turned[:, 4:14] = marks.reshape(-1, 10)
    turned[label[:, 14] == 0] = 0
    return turned


def _judge_again(label: NDArray[np.float32], width: int, height: int) -> None:
    """After a zoom: faces now tiny or mostly outside become doubtful; in place."""
    wh = np.maximum(label[:, 2:4] - label[:, :2], 1e-3)
    low = np.maximum(label[:, :2], 0)
    high = np.minimum(label[:, 2:4], np.array([width, height], np.float32))
    seen = np.prod(np.clip(high - low, 0, None), axis=1) / np.prod(wh, axis=1)
    poor = (np.sqrt(np.prod(wh, axis=1)) < TINY_PX) | (seen < 0.55)
    label[(label[:, 14] == FACE) & poor, 14] = DOUBTFUL
