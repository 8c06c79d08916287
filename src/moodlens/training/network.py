"""The network: a squeeze-and-excitation residual CNN on 48x48 gray faces, in pure Keras 3.

The body spends its multiply-adds on wide 3x3 convolutions at 24x24, 12x12 and 6x6 pixels,
where a processor's matrix units are busy, and few on full-resolution maps, where it waits
for memory. Squeeze-and-excitation follows Hu et al. 2018 (arXiv:1709.01507), the shortcut
with average pooling He et al. 2019 (arXiv:1812.01187, "ResNet-D").
"""

from __future__ import annotations

from typing import Any

import keras

from moodlens.training.fused import (
    FusedAveragePooling2D,
    FusedBatchNormalization,
    FusedConv2D,
)
from moodlens.training.recipe import NetworkRecipe

FEATURES_LAYER = "features"
POOL_LAYER = "pool"
LOGITS_LAYER = "logits"
VOTES_LAYER = "votes"

_STOCK = (
    keras.layers.Conv2D,
    keras.layers.BatchNormalization,
    keras.layers.AveragePooling2D,
)
_FUSED = (FusedConv2D, FusedBatchNormalization, FusedAveragePooling2D)


def build_network(recipe: NetworkRecipe, *, votes: int = 0, fused: bool = False) -> keras.Model:
    """The functional model: (faces, 48, 48, 1) float32 in [0, 1] to (faces, 7) logits.

    Args:
        recipe: widths, depths and regularisation.
        votes: size of a second head trained on the taggers' votes; 0 leaves it out, and the
            output is then one tensor instead of a dictionary of two.
        fused: normalise with the backend's own fused kernel where there is one. Weights are
            the same; use it to train, and build without it to save.
    """
    Convolution, Normalization, Pooling = _FUSED if fused else _STOCK

    def normalise(x: Any, name: str, gamma: float = 1.0) -> Any:
        start = keras.initializers.Constant(gamma)
        return Normalization(momentum=0.9, epsilon=1e-5, gamma_initializer=start, name=name)(x)

    def conv(x: Any, width: int, kernel: int, name: str, strides: int = 1) -> Any:
        layer = Convolution(
            width,
            kernel,
            strides=strides,
            padding="same",
            use_bias=False,
            kernel_initializer="he_normal",
            name=name,
        )
        return layer(x)

    def relu(x: Any, name: str) -> Any:
        return keras.layers.ReLU(name=name)(x)

    def squeeze_excite(x: Any, name: str) -> Any:
        width = int(x.shape[-1])
        gate = keras.layers.GlobalAveragePooling2D(keepdims=True, name=f"{name}_pool")(x)
        gate = Convolution(
            max(8, width // recipe.squeeze_ratio), 1, activation="relu", name=f"{name}_squeeze"
        )(gate)
        gate = Convolution(width, 1, activation="sigmoid", name=f"{name}_excite")(gate)
        return keras.layers.Multiply(name=f"{name}_scale")([x, gate])

    def block(x: Any, width: int, strides: int, name: str) -> Any:
        shortcut = x
        if strides > 1:
            shortcut = Pooling(2, padding="same", name=f"{name}_down")(x)
        if int(shortcut.shape[-1]) != width:
            shortcut = normalise(conv(shortcut, width, 1, f"{name}_match"), f"{name}_match_bn")
        y = relu(
            normalise(conv(x, width, 3, f"{name}_conv1", strides), f"{name}_bn1"), f"{name}_relu1"
        )
        y = normalise(conv(y, width, 3, f"{name}_conv2"), f"{name}_bn2", recipe.residual_start)
        if recipe.squeeze_ratio:
            y = squeeze_excite(y, f"{name}_se")
        return relu(keras.layers.Add(name=f"{name}_add")([y, shortcut]), f"{name}_relu2")

    faces = keras.Input((48, 48, 1), name="faces")
    x = keras.layers.Rescaling(1 / 0.25, offset=-0.5 / 0.25, name="standardise")(faces)
    if recipe.full_size_width:
        x = conv(x, recipe.full_size_width, 3, "full_size")
        x = relu(normalise(x, "full_size_bn"), "full_size_relu")
    x = conv(x, recipe.stem_width, recipe.stem_kernel, "stem", recipe.stem_stride)
    x = relu(normalise(x, "stem_bn"), "stem_relu")
    for stage, (width, depth) in enumerate(zip(recipe.widths, recipe.depths, strict=True), 1):
        for index in range(1, depth + 1):
            strides = 2 if index == 1 and stage > 1 else 1
            x = block(x, width, strides, f"stage{stage}_block{index}")
    x = keras.layers.Activation("linear", dtype="float32", name=FEATURES_LAYER)(x)
    x = keras.layers.GlobalAveragePooling2D(dtype="float32", name=POOL_LAYER)(x)
    # a seed of its own has a state that a checkpoint holds; without, torch's global one is drawn on
    head = keras.layers.Dropout(recipe.dropout, seed=1, dtype="float32", name="dropout")(x)
    logits = keras.layers.Dense(7, dtype="float32", name=LOGITS_LAYER)(head)
    if not votes:
        return keras.Model(faces, logits, name=recipe.name)
    vote_logits = keras.layers.Dense(votes, dtype="float32", name=VOTES_LAYER)(head)
    return keras.Model(faces, {LOGITS_LAYER: logits, VOTES_LAYER: vote_logits}, name=recipe.name)


def plain_network(recipe: NetworkRecipe, weights: list[Any], *, votes: bool) -> keras.Model:
    """The network with the emotion head alone, from the weights of a training run.

    Args:
        recipe: the network's shape.
        weights: as `Model.get_weights()` of the trained network gave them.
        votes: whether that network had the second head.
    """
    from moodlens.training.targets import VOTE_CLASSES

    trained = build_network(recipe, votes=len(VOTE_CLASSES) if votes else 0)
    trained.set_weights(weights)
    plain = build_network(recipe)
    for layer in plain.layers:
        layer.set_weights(trained.get_layer(layer.name).get_weights())
    return plain
