"""An exponential moving average of the weights, which generalises better than the last ones.

Polyak and Juditsky 1992; the averaged batch statistics come along, as in Tarvainen and
Valpola 2017 (arXiv:1703.01780).
"""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from moodlens.training.storage import Weights


class WeightAverage(keras.callbacks.Callback):
    """Keeps the average of `model.get_weights()`, brought up to date every few steps."""

    def __init__(self, decay: float, every: int = 8) -> None:
        super().__init__()
        self._decay = decay**every
        self._every = every
        self._step = 0
        self.weights: Weights | None = None

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:  # noqa: ARG002
        self._step += 1
        if self._decay > 0 and self._step % self._every == 0:
            self.update(self.model.get_weights())

    def update(self, current: Weights) -> None:
        """Move the average towards `current`; early on faster, so that it forgets the start."""
        if self.weights is None:
            self.weights = [w.copy() for w in current]
            return
        count = self._step // self._every
        decay = min(self._decay, count / (count + 10))
        for average, value in zip(self.weights, current, strict=True):
            if np.issubdtype(average.dtype, np.floating):
                average *= decay
                average += (1 - decay) * value
            else:
                average[...] = value

    def state(self) -> dict[str, NDArray[Any]]:
        """What a checkpoint must hold to go on exactly."""
        kept = {f"ema_{i}": w for i, w in enumerate(self.weights or [])}
        return {"ema_step": np.array(self._step), **kept}

    def restore(self, state: dict[str, NDArray[Any]]) -> None:
        self._step = int(state["ema_step"])
        found = sum(1 for name in state if name.startswith("ema_")) - 1
        self.weights = [state[f"ema_{i}"].copy() for i in range(found)] or None
