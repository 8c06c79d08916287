"""An ONNX file of ours becomes a Keras network again, layer by layer."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import ValidationError

from moodlens.errors import ModelError
from moodlens.recognition.metadata import ModelInfo
from moodlens.training.int8 import is_int8, read_onnx
from moodlens.training.recipe import NetworkRecipe


def keras_from_onnx(path: Path) -> Any:
    """The network that an ONNX file of ours was made from.

    The conversion to ONNX folds each normalisation into the convolution before it, so the
    restored layers hold the folded numbers and the normalisation is left as a plain addition.
    The answers are the same; to train on, start from the run's own weights.

    Args:
        path: a file that `moodlens export` or the package's authors wrote.

    Returns:
        A Keras model as from `build_network`, without the vote head.

    Raises:
        ModelError: the file is not of this project's networks: its card holds no recipe, or its
            weights do not fit the recipe.
    """
    graph = read_onnx(path)
    from moodlens.training.network import build_network

    if is_int8(graph):
        raise ModelError(
            f"{path}: an int8 file can't be made .keras again: its weights were rounded; start "
            "from the float file or the training run"
        )
    info = ModelInfo.from_metadata({p.key: p.value for p in graph.metadata_props}, str(path))
    try:
        recipe = NetworkRecipe.model_validate(info.training["recipe"]["network"])
    except (KeyError, TypeError, ValidationError) as error:
        raise ModelError(
            f"{path}: only networks trained by moodlens can be made .keras again; "
            "this file's card holds no recipe of one"
        ) from error
    network = build_network(recipe)
    names = {layer.name for layer in network.layers}
    filled = set()
    for layer, kernel, bias in _weights(graph, names, path):
        _fill(network, layer, kernel, bias, path)
        filled.add(layer)
    missing = sorted(layer.name for layer in network.layers if _has_kernel(layer)) or []
    lacking = [name for name in missing if name not in filled]
    if lacking:
        raise ModelError(f"{path}: no weights found for {', '.join(lacking[:5])}")
    return network


def _has_kernel(layer: Any) -> bool:
    return hasattr(layer, "kernel")


def _weights(
    graph: Any, layers: set[str], path: Path
) -> list[tuple[str, NDArray[np.float32], NDArray[np.float32] | None]]:
    """Layer name, kernel as Keras lays it out, and bias, of every convolution and dense layer."""
    from onnx import numpy_helper

    stored = {i.name: numpy_helper.to_array(i) for i in graph.graph.initializer}
    added = {  # what is added to a matrix product
        node.input[0]: stored[node.input[1]]
        for node in graph.graph.node
        if node.op_type == "Add" and node.input[1] in stored
    }
    found = []
    for node in graph.graph.node:
        if node.op_type not in ("Conv", "MatMul", "Gemm") or node.input[1] not in stored:
            continue
        layer = _layer_of(node.input[1], layers)
        if layer is None:
            continue
        kernel = stored[node.input[1]]
        if node.op_type == "Conv":
            kernel = kernel.transpose(2, 3, 1, 0)  # ONNX: out, in, h, w; Keras: h, w, in, out
            bias = stored.get(node.input[2]) if len(node.input) > 2 else None
        else:
            bias = added.get(node.output[0])
        found.append((layer, kernel, bias))
    if not found:
        raise ModelError(f"{path}: its layers carry no names of this project's networks")
    return found


def _layer_of(name: str, layers: set[str]) -> str | None:
    """The layer that an initializer belongs to; the converter may append a number."""
    for part in name.split("/"):
        for candidate in (part, re.sub(r"_\d+$", "", part)):
            if candidate in layers:
                return candidate
    return None


def _fill(
    network: Any,
    name: str,
    kernel: NDArray[np.float32],
    bias: NDArray[np.float32] | None,
    path: Path,
) -> None:
    layer = network.get_layer(name)
    try:
        if layer.use_bias:
            layer.set_weights([kernel, bias])
            return
        layer.set_weights([kernel])
        after = network.get_layer(_normalisation_after(name))
        width = kernel.shape[-1]
        shift = np.zeros(width, np.float32) if bias is None else bias
        ones, zeros = np.ones(width, np.float32), np.zeros(width, np.float32)
        # gamma, beta, mean, variance; with epsilon added the variance is one
        after.set_weights([ones, shift, zeros, ones - np.float32(after.epsilon)])
    except (ValueError, TypeError) as error:
        raise ModelError(f"{path}: the weights of {name} do not fit its recipe: {error}") from error


def _normalisation_after(convolution: str) -> str:
    """`stem` to `stem_bn`, `.._conv1` to `.._bn1`, `.._match` to `.._match_bn`."""
    numbered = re.sub(r"_conv(\d+)$", r"_bn\1", convolution)
    return numbered if numbered != convolution else f"{convolution}_bn"
