"""A trained network becomes one self-describing ONNX file, and a `.keras` file again."""

from __future__ import annotations

import tempfile
import warnings
from pathlib import Path
from typing import Any

import numpy as np

from moodlens.errors import MissingExtraError, ModelError
from moodlens.recognition.classifier import CAM_OUTPUT, open_session
from moodlens.recognition.metadata import METADATA_KEY, ModelInfo
from moodlens.training.backend import quiet
from moodlens.training.network import FEATURES_LAYER, LOGITS_LAYER, POOL_LAYER
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
        ModelError: the conversion fails, or the result does not agree with the network.
    """
    graph = _convert(with_activation_map(network))
    write_card(graph, info)
    write_atomically(path, lambda file: file.write(graph.SerializeToString()))
    _check_parity(network, path)


def write_onnx_plain(network: Any, path: Path, info: ModelInfo) -> None:
    """Write any network with one output of seven; with the activation map where it is of ours.

    Raises:
        MissingExtraError: the converter is not installed.
        ModelError: the conversion fails, or the result does not agree with the network.
    """
    import keras

    if is_ours(network):
        write_onnx(network, path, info)
        return
    named = keras.layers.Identity(name=SCORES_OUTPUT)(network.output)
    graph = _convert(keras.Model(network.input, named, name=network.name), (SCORES_OUTPUT,))
    write_card(graph, info)
    write_atomically(path, lambda file: file.write(graph.SerializeToString()))
    _check_parity(network, path)


def is_ours(network: Any) -> bool:
    """Whether the network ends as `build_network`'s do: a map, its mean, one dense layer."""
    names = [layer.name for layer in network.layers]
    return {FEATURES_LAYER, POOL_LAYER, LOGITS_LAYER} <= set(names) and names[-1] == LOGITS_LAYER


def _check_parity(network: Any, path: Path) -> None:
    gap = parity(network, path)
    if gap > PARITY:
        raise ModelError(f"{path}: differs from the Keras network by {gap:.1e} in its answers")


def _convert(model: Any, names: tuple[str, ...] = (SCORES_OUTPUT, CAM_OUTPUT)) -> Any:
    """A Keras model with the outputs named as `onnx.ModelProto`, in that order."""
    try:
        import onnx

        with warnings.catch_warnings():  # it asks numpy for an old name
            warnings.simplefilter("ignore", FutureWarning)
            import tf2onnx  # noqa: F401  Keras asks for it halfway through
    except ImportError as error:
        raise MissingExtraError("writing ONNX files", "train") from error
    model(np.zeros((1, *model.input_shape[1:]), np.float32))  # Keras exports called models only
    with tempfile.TemporaryDirectory() as folder:
        target = Path(folder) / "network.onnx"
        try:
            with quiet(), warnings.catch_warnings():
                warnings.simplefilter("ignore")
                model.export(str(target), format="onnx", verbose=False)
            graph = onnx.load(str(target))
        except Exception as error:  # TensorFlow and tf2onnx raise many kinds
            reason = (str(error).splitlines() or [type(error).__name__])[0][:200]
            raise ModelError(f"{model.name}: can't be converted to ONNX: {reason}") from error
    _name_outputs(graph, names)
    return graph


def _name_outputs(graph: Any, names: tuple[str, ...]) -> None:
    """Give the graph's outputs our names, in our order: scores have two axes, maps four."""
    outputs = sorted(graph.graph.output, key=lambda o: len(o.type.tensor_type.shape.dim))
    if len(outputs) != len(names):
        raise ModelError(f"expected {len(names)} outputs after conversion, found {len(outputs)}")
    new = {output.name: name for output, name in zip(outputs, names, strict=True)}
    for node in graph.graph.node:
        for places in (node.input, node.output):
            for i, name in enumerate(places):
                places[i] = new.get(name, name)
    for output in outputs:
        output.name = new[output.name]
    ordered = [type(output).FromString(output.SerializeToString()) for output in outputs]
    del graph.graph.output[:]
    graph.graph.output.extend(ordered)


def parity(network: Any, path: Path, *, faces: int = 16) -> float:
    """Largest difference between the logits of a Keras network and an ONNX file of it."""
    rng = np.random.default_rng(0)
    x = rng.random((faces, *network.input_shape[1:]), dtype=np.float32)
    session = open_session(path, 1)
    found = session.run([SCORES_OUTPUT], {session.get_inputs()[0].name: x})[0]
    expected = np.asarray(network.predict(x, verbose=0))
    return float(np.abs(found - expected).max())


def write_card(graph: Any, info: ModelInfo) -> None:
    """Put the card into an ONNX graph, in place of one that is there."""
    kept = [entry for entry in graph.metadata_props if entry.key != METADATA_KEY]
    del graph.metadata_props[:]
    graph.metadata_props.extend(kept)
    entry = graph.metadata_props.add()
    entry.key, entry.value = METADATA_KEY, info.model_dump_json()


def rewrite_card(path: Path, info: ModelInfo) -> None:
    """Give an ONNX file another card."""
    import onnx

    graph = onnx.load(str(path))
    write_card(graph, info)
    write_atomically(path, lambda file: file.write(graph.SerializeToString()))
