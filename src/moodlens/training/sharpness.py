"""Sharpness-aware minimisation (SAM): prefer weights whose whole neighbourhood has a low loss.

Foret et al. 2021 (arXiv:2010.01412). A step asks for two gradients: one at the weights, which
leads uphill to the worst point within `rho`, and one there, with which the weights are moved. So
each batch must be given twice in a row (`TrainingBatches` does), and a step costs double.

Written as an optimizer, with arithmetic in place of branches, it runs on every Keras backend.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
from keras import ops


class SharpnessAwareSGD(keras.optimizers.SGD):
    """`keras.optimizers.SGD` with Nesterov momentum whose even calls climb and odd calls descend.

    After an odd number of calls the weights are displaced; after an even number they are where
    a whole step has brought them.
    """

    def __init__(self, *args: Any, rho: float = 0.05, **rest: Any) -> None:
        """See `keras.optimizers.SGD`.

        Args:
            args: as for SGD.
            rho: how far to climb, as the Euclidean length over all weights.
            rest: as for SGD.
        """
        super().__init__(*args, nesterov=True, **rest)
        self.rho = rho

    def build(self, variables: Sequence[Any]) -> None:
        if self.built:
            return
        super().build(variables)
        self.offsets = self.add_optimizer_variables(variables, "offset")
        decay = self.weight_decay or 0.0
        self._decays = [decay if self._use_weight_decay(v) else 0.0 for v in variables]

    def apply(self, grads: Sequence[Any], trainable_variables: Any = None) -> Any:
        squares = [ops.sum(ops.square(ops.cast(g, "float32"))) for g in grads]
        norm = ops.sqrt(sum(squares[1:], squares[0]))
        self._climb = self.rho / (norm + 1e-12)
        self._descends = ops.cast(ops.mod(self.iterations, 2), "float32")
        return super().apply(grads, trainable_variables)

    def _apply_weight_decay(self, variables: Any) -> None:
        """Nothing here: `update_step` decays the weights, not the displaced ones."""

    def update_step(self, gradient: Any, variable: Any, learning_rate: Any) -> None:
        index = self._get_variable_index(variable)
        momentum, offset = self.momentums[index], self.offsets[index]
        dtype = variable.dtype
        rate, descends = ops.cast(learning_rate, dtype), ops.cast(self._descends, dtype)
        climbs, gradient = 1 - descends, ops.cast(gradient, dtype)
        speed = momentum * self.momentum - gradient * rate
        step = speed * self.momentum - gradient * rate
        uphill = gradient * ops.cast(self._climb, dtype) * climbs
        home = (variable - offset) * (1 - self._decays[index] * rate * descends)
        moved = home + step * descends + uphill
        kept = speed * descends + momentum * climbs
        self.assign(variable, moved)
        self.assign(momentum, kept)
        self.assign(offset, uphill)

    def get_config(self) -> dict[str, Any]:
        config: dict[str, Any] = super().get_config()
        config.pop("nesterov")
        return config | {"rho": self.rho}
