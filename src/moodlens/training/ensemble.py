"""Several trained networks as one: a face goes through all of them, and their logits are averaged.

An ensemble errs less than its members (Lakshminarayanan et al. 2017, arXiv:1612.01474) and costs
as much as all of them. Their last maps are laid side by side, so the whole still ends in one
global average and one dense layer, and its class activation map stays exact.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from moodlens.errors import ModelError
from moodlens.training.network import FEATURES_LAYER, LOGITS_LAYER, POOL_LAYER


def average_networks(networks: Sequence[Any], name: str) -> Any:
    """One network whose logits are the mean of the members' logits.

    Args:
        networks: Keras models from `build_network` without the vote head; two or more, whose
            last maps have the same height and width.
        name: of the new model.

    Returns:
        A Keras model (faces, 48, 48, 1) to (faces, 7) with copies of the members' weights.

    Raises:
        ModelError: fewer than two, or their maps differ in size.
    """
    import keras

    if len(networks) < 2:
        raise ModelError("an ensemble needs two networks or more")
    sizes = {tuple(network.get_layer(FEATURES_LAYER).output.shape[1:3]) for network in networks}
    if len(sizes) > 1:
        raise ModelError(f"an ensemble needs maps of one size, found {sorted(sizes)}")
    faces = keras.Input((48, 48, 1), name="faces")
    maps, kernels, biases = [], [], []
    for number, network in enumerate(networks, 1):
        body = keras.Model(
            network.input, network.get_layer(FEATURES_LAYER).output, name=f"member{number}"
        )
        maps.append(body(faces))
        kernel, bias = network.get_layer(LOGITS_LAYER).get_weights()
        kernels.append(kernel)
        biases.append(bias)
    x = keras.layers.Concatenate(dtype="float32", name=FEATURES_LAYER)(maps)
    x = keras.layers.GlobalAveragePooling2D(dtype="float32", name=POOL_LAYER)(x)
    logits = keras.layers.Dense(len(biases[0]), dtype="float32", name=LOGITS_LAYER)
    averaged = keras.Model(faces, logits(x), name=name)
    share = np.float32(1 / len(networks))
    logits.set_weights([np.concatenate(kernels) * share, np.sum(biases, axis=0) * share])
    return averaged
