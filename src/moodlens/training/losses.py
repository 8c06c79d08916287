"""The loss of the emotion head, where a face and its mirror image must agree."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops


class MirrorConsistentCrossentropy(keras.losses.Loss):
    """Cross-entropy plus the disagreement between each face and its mirror image.

    The second half of a batch must hold the mirror images of the first, in the same order. The
    disagreement is the symmetric Kullback-Leibler divergence (Jeffreys 1946) of the two answers.
    """

    def __init__(self, weight: float, name: str = "mirror_consistent_crossentropy") -> None:
        """Args:
        weight: of the disagreement beside the cross-entropy.
        name: in the logs.
        """
        super().__init__(name=name)
        self.weight = weight

    def call(self, y_true: Any, y_pred: Any) -> Any:
        """(n,) losses of (n, 7) target distributions and (n, 7) logits."""
        entropy = ops.categorical_crossentropy(y_true, y_pred, from_logits=True)
        seen, mirrored = ops.split(ops.log_softmax(y_pred), 2, axis=0)
        gap = ops.sum((ops.exp(seen) - ops.exp(mirrored)) * (seen - mirrored), axis=-1)
        return entropy + self.weight * ops.concatenate([gap, gap], axis=0)
