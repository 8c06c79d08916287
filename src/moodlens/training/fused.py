"""Three layers through torch's own kernels: same variables, same answers, less memory traffic.

On the torch backend Keras copies a channels-last map to channels-first and back around every
convolution and pooling, and normalises a bfloat16 map in separate float32 passes. On a
processor those copies cost as much as the arithmetic. These layers hand torch a view instead.
They hold the weights under the same names as Keras' own, so a network is trained with them and
saved without; on every other backend they are Keras' own.
"""

from __future__ import annotations

from typing import Any

import keras


def _on_torch() -> bool:
    return bool(keras.backend.backend() == "torch")


def _channels_first(x: Any) -> Any:
    """(n, h, w, c) to a (n, c, h, w) view, which torch knows as its channels-last format."""
    return x.permute(0, 3, 1, 2)


def _channels_last(x: Any) -> Any:
    return x.permute(0, 2, 3, 1)


class FusedConv2D(keras.layers.Conv2D):
    """`keras.layers.Conv2D` with padding "same", without the layout copies."""

    def call(self, inputs: Any) -> Any:
        if not _on_torch():
            return super().call(inputs)
        import torch
        from torch.nn import functional

        x = _channels_first(inputs)
        kernel = keras.ops.convert_to_tensor(self.kernel).permute(3, 2, 0, 1)
        kernel = kernel.contiguous(memory_format=torch.channels_last)
        bias = keras.ops.convert_to_tensor(self.bias) if self.use_bias else None
        stride = int(self.strides[0])
        size = int(self.kernel_size[0])
        if stride == 1:
            y = functional.conv2d(x, kernel, bias, padding=size // 2)
        else:  # "same" as Keras means it: the odd pixel goes to the right and the bottom
            total = max(size - stride, 0)
            before, after = total // 2, total - total // 2
            y = functional.conv2d(
                functional.pad(x, (before, after, before, after)), kernel, bias, stride=stride
            )
        return self.activation(_channels_last(y)) if self.activation else _channels_last(y)


class FusedBatchNormalization(keras.layers.BatchNormalization):
    """`keras.layers.BatchNormalization` over the last axis in one kernel."""

    def call(self, inputs: Any, training: bool | None = None, mask: Any = None) -> Any:
        if not _on_torch() or mask is not None:
            return super().call(inputs, training=training, mask=mask)
        from torch.nn import functional

        y = functional.batch_norm(
            _channels_first(inputs),
            self.moving_mean.value,
            self.moving_variance.value,
            self.gamma.value,
            self.beta.value,
            training=bool(training) and self.trainable,
            momentum=1.0 - self.momentum,
            eps=self.epsilon,
        )
        return _channels_last(y)


class FusedAveragePooling2D(keras.layers.AveragePooling2D):
    """`keras.layers.AveragePooling2D` of an even map, without the layout copies."""

    def call(self, inputs: Any) -> Any:
        if not _on_torch():
            return super().call(inputs)
        from torch.nn import functional

        y = functional.avg_pool2d(_channels_first(inputs), int(self.pool_size[0]))
        return _channels_last(y)
