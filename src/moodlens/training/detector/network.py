"""The detector's network: plain 3x3 convolutions on few channels, in pure Keras 3.

A 320x256 picture is cut down to 80x64 by one wide convolution; from there three stages work at
strides 8, 16 and 32, and a short top-down path (Lin et al. 2017, arXiv:1612.03144) hands what
the coarse ones see to the fine ones. Dense convolutions of 32 to 96 channels keep a
processor's vector units busy, where depthwise ones wait for memory in training.
Every cell of the three grids says: a face centred here or not, its box, its five landmarks.
"""

from __future__ import annotations

from typing import Any, Final

import keras

from moodlens.training.detector.recipe import NetworkRecipe
from moodlens.training.fused import FusedBatchNormalization, FusedConv2D

STRIDES: Final = (8, 16, 32)
OUTPUTS: Final = 15
"""Of a cell: one logit, box (centre x, y, log width, log height), ten landmark coordinates."""
PRIOR: Final = -4.6
"""The logit's start: a face in a hundred cells, as in Lin et al. 2017 (arXiv:1708.02002)."""


def build_detector(recipe: NetworkRecipe, *, fused: bool = False) -> keras.Model:
    """The functional model: (n, h, w, 1) float32 in [0, 1] to (n, cells, OUTPUTS) float32.

    Cells are ordered by stride, row and column; `h` and `w` are multiples of 32.

    Args:
        recipe: widths and depths.
        fused: train through the backend's own kernels where there are some; same weights.
    """
    convolution = FusedConv2D if fused else keras.layers.Conv2D
    normalization = FusedBatchNormalization if fused else keras.layers.BatchNormalization

    def conv(x: Any, width: int, name: str, *, kernel: int = 3, strides: int = 1) -> Any:
        y = convolution(
            width, kernel, strides=strides, padding="same", use_bias=False,
            kernel_initializer="he_normal", name=name,
        )(x)  # fmt: skip
        return normalization(momentum=0.97, epsilon=1e-4, name=f"{name}_bn")(y)

    def relu(x: Any, name: str) -> Any:
        return keras.layers.ReLU(name=f"{name}_relu")(x)

    def stage(x: Any, number: int) -> Any:
        width, depth = recipe.widths[number], recipe.depths[number]
        x = relu(conv(x, width, f"stage{number}_down", strides=2), f"stage{number}_down")
        for i in range(depth):
            name = f"stage{number}_conv{i}"
            y = keras.layers.Add(name=f"{name}_add")([conv(x, width, name), x])
            x = relu(y, name)
        return x

    def lift(x: Any, fine: Any, name: str) -> Any:
        y = conv(x, int(fine.shape[-1]), name, kernel=1)
        y = keras.layers.UpSampling2D(2, interpolation="nearest", name=f"{name}_up")(y)
        return relu(keras.layers.Add(name=f"{name}_add")([y, fine]), name)

    pictures = keras.Input((None, None, 1), name="pictures")
    x = keras.layers.Rescaling(4.0, offset=-2.0, name="standardise")(pictures)
    x = relu(conv(x, recipe.stem, "stem", kernel=8, strides=4), "stem")
    fine = stage(x, 0)
    middle = stage(fine, 1)
    coarse = stage(middle, 2)
    middle = lift(coarse, middle, "lift_middle")
    fine = lift(middle, fine, "lift_fine")
    answers = []
    for number, level in enumerate((fine, middle, coarse)):
        y = relu(conv(level, recipe.neck[number], f"neck{number}"), f"neck{number}")
        y = keras.layers.Activation("linear", dtype="float32", name=f"neck{number}_out")(y)
        y = convolution(
            OUTPUTS, 1, padding="same", name=f"head{number}", dtype="float32",
            bias_initializer=_prior_bias, kernel_initializer="glorot_uniform",
        )(y)  # fmt: skip
        answers.append(
            keras.layers.Reshape((-1, OUTPUTS), dtype="float32", name=f"cells{number}")(y)
        )
    cells = keras.layers.Concatenate(axis=1, dtype="float32", name="cells")(answers)
    return keras.Model(pictures, cells, name="moodlens-detector")


def _prior_bias(shape: Any, dtype: Any = None) -> Any:
    assert tuple(shape) == (OUTPUTS,)
    start = [PRIOR] + [0.0] * (OUTPUTS - 1)
    return keras.ops.convert_to_tensor(start, dtype=dtype)
