"""An exported detector back in Keras, so that it can be trained further."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from moodlens.detection.own import MoodlensDetector
from moodlens.errors import MissingExtraError, ModelError
from moodlens.training.detector.network import build_detector
from moodlens.training.detector.recipe import NetworkRecipe
from moodlens.training.int8 import is_int8

_BLOCK = re.compile(r"stage\d_conv\d+")
STEM_SCALE = 4 / 255
"""The export folds this into the stem's kernel: it takes pixels, the network shares of white."""


def restore_weights(
    path: Path, recipe: NetworkRecipe, pictures: NDArray[np.uint8]
) -> list[NDArray[Any]]:
    """Weights for `build_detector` that give an exported file's answers.

    The export folds each normalisation into its convolution. Training normalises by the batch
    again, so what was folded is taken apart with the statistics of some pictures. Blocks that
    the recipe has and the file lacks begin as identities, so a deeper network starts from the
    same answers (Chen et al. 2016, arXiv:1511.05641).

    Args:
        path: as `export_detector` wrote it.
        recipe: the widths that the file has, and its depths or larger ones.
        pictures: (n, height, width) gray, like those to be trained on; some dozens.

    Raises:
        MissingExtraError: onnx is not installed.
        ModelError: no such file, no detector, or one of another shape.
    """
    try:
        import onnx
    except ImportError:
        raise MissingExtraError("training a detector further", "train") from None
    import keras

    MoodlensDetector(path)  # refuses what is no detector
    whole = onnx.load(str(path))
    if is_int8(whole):
        raise ModelError(
            f"{path}: an int8 detector can't be trained further: its weights were rounded; start "
            "from the detector.onnx it was made from"
        )
    stored = {e.name: onnx.numpy_helper.to_array(e) for e in whole.graph.initializer}
    model = build_detector(recipe)
    convolutions = [layer for layer in model.layers if isinstance(layer, keras.layers.Conv2D)]
    normalised = {
        layer.name.removesuffix("_bn"): layer
        for layer in model.layers
        if isinstance(layer, keras.layers.BatchNormalization)
    }
    grown = {
        name for name in normalised if _BLOCK.fullmatch(name) and f"{name}_w_half" not in stored
    }
    for name in grown:
        layer = normalised.pop(name)
        gamma, *rest = layer.get_weights()
        layer.set_weights([0 * gamma, *rest])
    try:
        for layer in convolutions:
            if layer.name in grown:
                continue
            kernel = stored[f"{layer.name}_w_half"].astype(np.float32).transpose(2, 3, 1, 0)
            if layer.name == "stem":
                kernel = kernel / np.float32(STEM_SCALE)
            bias = stored[f"{layer.name}_b"]
            layer.set_weights([kernel] if layer.name in normalised else [kernel, bias])
        for name, layer in normalised.items():
            bias, one = stored[f"{name}_b"], np.ones_like(stored[f"{name}_b"])
            layer.set_weights([one * np.sqrt(1 + layer.epsilon), bias, 0 * one, one])
    except (KeyError, ValueError) as error:
        raise ModelError(
            f"{path}: not a detector of the recipe's widths and depths: {error}"
        ) from error
    outputs = {name: model.get_layer(name).output for name in normalised}
    seen = keras.Model(model.input, outputs).predict(
        pictures[..., None].astype(np.float32) / 255, batch_size=16, verbose=0
    )
    for name, layer in normalised.items():
        mean = seen[name].mean(axis=(0, 1, 2), dtype=np.float64).astype(np.float32)
        variance = seen[name].var(axis=(0, 1, 2), dtype=np.float64).astype(np.float32)
        gamma = np.sqrt(variance + layer.epsilon)
        layer.set_weights([gamma, stored[f"{name}_b"] + mean, mean, variance])
    return list(model.get_weights())
