"""The trained network as a small ONNX file: normalisation folded in, weights in half precision.

The graph is written out node by node rather than traced, so it holds nothing that ONNX Runtime
would have to optimise away, and takes any picture size that the grid divides.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from moodlens.errors import MissingExtraError, ModelError
from moodlens.training.detector.network import OUTPUTS, STRIDES
from moodlens.training.detector.recipe import NetworkRecipe

OPSET = 17
METADATA_KEY = "moodlens-detector"


class _Graph:
    """Collects nodes and weights."""

    def __init__(self, model: Any) -> None:
        from onnx import TensorProto, helper, numpy_helper

        self._model, self._helper, self._numpy, self._types = (
            model,
            helper,
            numpy_helper,
            TensorProto,
        )
        self.nodes: list[Any] = []
        self.weights: list[Any] = []

    def node(self, kind: str, inputs: list[str], name: str, **attributes: Any) -> str:
        self.nodes.append(self._helper.make_node(kind, inputs, [name], name=name, **attributes))
        return name

    def constant(self, name: str, value: NDArray[Any]) -> str:
        self.weights.append(self._numpy.from_array(value, name))
        return name

    def _half(self, name: str, value: NDArray[np.float32]) -> str:
        """Stored in half precision; ONNX Runtime widens it once, when it loads the file."""
        stored = self.constant(f"{name}_half", value.astype(np.float16))
        return self.node("Cast", [stored], name, to=self._types.FLOAT)

    def conv(
        self, x: str, name: str, *, strides: int = 1, scale: float = 1.0, offset: float = 0.0
    ) -> str:
        """A convolution with its normalisation and an input `x * scale + offset` folded in."""
        layer = self._model.get_layer(name)
        parameters = [np.asarray(w, np.float32) for w in layer.get_weights()]
        kernel = parameters[0].transpose(3, 2, 0, 1)  # (out, in, rows, columns)
        bias = parameters[1] if len(parameters) > 1 else np.zeros(kernel.shape[0], np.float32)
        names = {layer.name for layer in self._model.layers}
        if f"{name}_bn" in names:
            norm = self._model.get_layer(f"{name}_bn")
            gamma, beta, mean, variance = (np.asarray(w, np.float32) for w in norm.get_weights())
            gain = gamma / np.sqrt(variance + norm.epsilon)
            kernel, bias = kernel * gain[:, None, None, None], (bias - mean) * gain + beta
        bias = bias + offset * kernel.sum(axis=(1, 2, 3))
        size = kernel.shape[2]
        extra = max(size - strides, 0)
        before, after = extra // 2, extra - extra // 2
        inputs = [
            x,
            self._half(f"{name}_w", kernel * np.float32(scale)),
            self.constant(f"{name}_b", bias.astype(np.float32)),
        ]
        pads = [before, before, after, after]
        return self.node(
            "Conv", inputs, name, strides=[strides] * 2, pads=pads, kernel_shape=[size] * 2
        )


def export_detector(model: Any, recipe: NetworkRecipe, path: Path, card: dict[str, Any]) -> Path:
    """Write a model of `build_detector` as ONNX.

    The file takes `pictures`, (n, 1, height, width) float32 gray in 0..255 (black around it), and
    gives `cells`, (n, cells, 15) float32, the first column a probability.

    Args:
        model: the Keras model, trained.
        recipe: its network's recipe.
        path: where to.
        card: what the file says of itself, kept as JSON in its metadata.

    Raises:
        MissingExtraError: onnx is not installed. ModelError: the file can't be written.
    """
    try:
        import onnx
        from onnx import TensorProto, helper
    except ImportError:
        raise MissingExtraError("exporting a detector", "train") from None
    graph = _Graph(model)

    def relu(x: str, name: str) -> str:
        return graph.node("Relu", [x], f"{name}_relu")

    def stage(x: str, number: int) -> str:
        name = f"stage{number}_down"
        x = relu(graph.conv(x, name, strides=2), name)
        for i in range(recipe.depths[number]):
            name = f"stage{number}_conv{i}"
            x = relu(graph.node("Add", [graph.conv(x, name), x], f"{name}_add"), name)
        return x

    def lift(x: str, fine: str, name: str) -> str:
        scales = graph.constant(f"{name}_scales", np.array([1, 1, 2, 2], np.float32))
        y = graph.node(
            "Resize", [graph.conv(x, name), "", scales], f"{name}_up", mode="nearest",
            coordinate_transformation_mode="asymmetric", nearest_mode="floor",
        )  # fmt: skip
        return relu(graph.node("Add", [y, fine], f"{name}_add"), name)

    # Keras standardises pixels/255 by `4x - 2`. Outside the picture its convolution sees 0 after
    # that step; folding the offset into the bias there would be wrong, so the border is its grey.
    x = graph.node(
        "Sub", ["pictures", graph.constant("grey", np.array(127.5, np.float32))], "centred"
    )
    x = relu(graph.conv(x, "stem", strides=4, scale=4 / 255), "stem")
    fine = stage(x, 0)
    middle = stage(fine, 1)
    coarse = stage(middle, 2)
    middle = lift(coarse, middle, "lift_middle")
    fine = lift(middle, fine, "lift_fine")
    flat = graph.constant("flat", np.array([0, OUTPUTS, -1], np.int64))
    parts = []
    for number, level in enumerate((fine, middle, coarse)):
        y = relu(graph.conv(level, f"neck{number}"), f"neck{number}")
        y = graph.node("Reshape", [graph.conv(y, f"head{number}"), flat], f"flat{number}")
        parts.append(y)
    joined = graph.node("Concat", parts, "joined", axis=2)
    cells = graph.node("Transpose", [joined], "raw", perm=[0, 2, 1])
    sizes = graph.constant("sizes", np.array([1, OUTPUTS - 1], np.int64))
    graph.nodes.append(helper.make_node("Split", [cells, sizes], ["logit", "rest"], axis=2))
    score = graph.node("Sigmoid", ["logit"], "score")
    graph.node("Concat", [score, "rest"], "cells", axis=2)
    shape_in = ["n", 1, "height", "width"]
    onnx_graph = helper.make_graph(
        graph.nodes,
        "moodlens-detector",
        [helper.make_tensor_value_info("pictures", TensorProto.FLOAT, shape_in)],
        [helper.make_tensor_value_info("cells", TensorProto.FLOAT, ["n", "cells", OUTPUTS])],
        graph.weights,
    )
    made = helper.make_model(onnx_graph, opset_imports=[helper.make_opsetid("", OPSET)])
    made.ir_version = 9
    text = json.dumps({"format": 1, "strides": list(STRIDES), **card}, ensure_ascii=False)
    helper.set_model_props(made, {METADATA_KEY: text})
    onnx.checker.check_model(made)
    partial = path.with_name(path.name + ".partial")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        partial.write_bytes(made.SerializeToString())
        partial.replace(path)
    except OSError as error:
        raise ModelError(f"{path}: can't be written: {error.strerror or error}") from error
    return path
