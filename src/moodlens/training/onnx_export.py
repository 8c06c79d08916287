"""A trained network becomes one self-describing ONNX file, and a `.keras` file again."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from moodlens.errors import MissingExtraError, ModelError
from moodlens.recognition.classifier import CAM_OUTPUT, open_session
from moodlens.recognition.metadata import METADATA_KEY, ModelInfo
from moodlens.training.network import FEATURES_LAYER, LOGITS_LAYER
from moodlens.training.storage import write_atomically

SCORES_OUTPUT = "scores"
PARITY = 1e-4
"""Largest difference between the two files' logits that is let pass."""


def with_activation_map(network: Any) -> Any:
    """The network with a second output: how much each place speaks for each label.

    A class activation map (Zhou et al. 2016, arXiv:1512.04150) is the last map times the
    weights of the dense layer; its mean over all places is the logit less the bias.

    Args:
        network: a Keras model from `build_network` without the vote head.

    Returns:
        A Keras model with the outputs (faces, 7) and (faces, h, w, 7).
    """
    import keras

    kernel, _ = network.get_layer(LOGITS_LAYER).get_weights()  # (width, 7)
    to_map = keras.layers.Conv2D(kernel.shape[1], 1, use_bias=False, name="activation_map")
    found = to_map(network.get_layer(FEATURES_LAYER).output)
    to_map.set_weights([kernel[None, None]])
    outputs = [
        keras.layers.Identity(name=SCORES_OUTPUT)(network.output),
        keras.layers.Identity(name=CAM_OUTPUT)(found),
    ]
    return keras.Model(network.input, outputs, name=network.name)


def write_onnx(network: Any, path: Path, info: ModelInfo) -> None:
    """Write a network of ours as ONNX: scores, activation map, card; any number of faces.

    Raises:
        MissingExtraError: the converter is not installed.
        ModelError: the conversion fails.
    """
    try:
        import onnx
    except ImportError as error:
        raise MissingExtraError("writing ONNX files", "train") from error
    from moodlens.artifacts.convert import keras_to_onnx  # type: ignore[attr-defined]

    graph = keras_to_onnx(with_activation_map(network))
    del onnx
    write_card(graph, info)
    write_atomically(path, lambda file: file.write(graph.SerializeToString()))


def write_card(graph: Any, info: ModelInfo) -> None:
    """Put the card into an ONNX graph, in place of one that is there."""
    kept = [entry for entry in graph.metadata_props if entry.key != METADATA_KEY]
    del graph.metadata_props[:]
    graph.metadata_props.extend(kept)
    entry = graph.metadata_props.add()
    entry.key, entry.value = METADATA_KEY, info.model_dump_json()
