"""An int8 twin of an ONNX model: smaller and quicker, kept only when it answers as well."""

from __future__ import annotations

import contextlib
import io
import logging
import tempfile
import warnings
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from moodlens.datasets.core import FaceDataset
from moodlens.errors import MissingExtraError, ModelError
from moodlens.evaluation.evaluate import evaluate
from moodlens.recognition.classifier import Classifier, open_session
from moodlens.recognition.preprocess import to_input
from moodlens.training.storage import write_atomically

MOST_LOST = 0.003
"""Of accuracy, in [0, 1]."""
_CALIBRATION_PICTURES = 512
_BATCH = 32
_SMALL_LAYERS = ("_squeeze", "_excite", "activation_map")
"""Convolutions of one pixel or seven channels: nothing is won on them, and the map stays exact."""


class Quantised(NamedTuple):
    """What came of it.

    Attributes:
        before: accuracy of the float model.
        after: accuracy of the int8 model.
        same_label: share of pictures, in [0, 1], that both call the same.
        kept: whether the file was written.
    """

    before: float
    after: float
    same_label: float
    kept: bool


def quantise(source: Path, target: Path, training: FaceDataset, check: FaceDataset) -> Quantised:
    """Write an int8 twin if accuracy falls by 0.3 points at most.

    Args:
        source: an ONNX file with a card.
        target: the int8 file.
        training: pictures to measure ranges on; 512 of them are used.
        check: pictures to compare on.

    Raises:
        MissingExtraError: ONNX is not installed. ModelError: the model can't be quantised.
    """
    classifier = Classifier(source, threads=0)
    with tempfile.TemporaryDirectory() as folder:
        small = Path(folder) / "int8.onnx"
        write_int8(source, small, _batches(source, classifier, training))
        exact, rounded = (
            evaluate(model, check) for model in (classifier, Classifier(small, threads=0))
        )
        before, after = exact.accuracy(), rounded.accuracy()
        same = exact.probabilities.argmax(axis=1) == rounded.probabilities.argmax(axis=1)
        kept = before - after <= MOST_LOST
        if kept:
            data = small.read_bytes()
            write_atomically(target, lambda file: file.write(data))
    return Quantised(before, after, float(same.mean()), kept)


def write_int8(
    source: Path,
    target: Path,
    batches: Iterable[dict[str, Any]],
    *,
    kinds: Iterable[str] = ("Conv",),
    keep: Callable[[Any], bool] = lambda _node: False,
    percentile: float | None = None,
) -> None:
    """Quantise a model as it is, with its metadata; whether it still answers well is not checked.

    Static quantisation with scales for each channel (Jacob et al. 2018, arXiv:1712.05877).
    Weights have seven bits: processors without 8-bit dot products add two products in 16 bits,
    which eight would overflow. What sees the pixels stays in float, where it costs little.

    Args:
        source: an ONNX file.
        target: the int8 file.
        batches: inputs by name, like those the model will see, to measure ranges on.
        kinds: operators to quantise.
        keep: whether a node (of `onnx.NodeProto`) stays in float.
        percentile: of the values seen that a range covers, in (0, 100); None: all of them.

    Raises:
        MissingExtraError: ONNX is not installed. ModelError: the model can't be quantised.
    """
    try:
        import onnx
        from onnxruntime.quantization import (
            CalibrationMethod,
            QuantFormat,
            QuantType,
            quantize_static,
        )
        from onnxruntime.quantization.shape_inference import quant_pre_process
    except ImportError as error:
        raise MissingExtraError("int8 models", "train") from error
    with (
        tempfile.TemporaryDirectory() as folder,
        warnings.catch_warnings(),
        contextlib.redirect_stdout(io.StringIO()),  # the tool prints what it does
    ):
        warnings.simplefilter("ignore")
        ready = Path(folder) / "ready.onnx"
        noise = logging.getLogger()
        level = noise.level
        noise.setLevel(logging.ERROR)
        try:
            quant_pre_process(str(source), str(ready), skip_symbolic_shape=True)
            graph = onnx.load(str(ready)).graph
            shapes = {weight.name: tuple(weight.dims) for weight in graph.initializer}
            quantize_static(
                str(ready),
                str(target),
                _Reader(iter(batches)),
                quant_format=QuantFormat.QDQ,
                activation_type=QuantType.QUInt8,
                weight_type=QuantType.QInt8,
                per_channel=True,
                reduce_range=True,
                op_types_to_quantize=list(kinds),
                calibrate_method=(
                    CalibrationMethod.MinMax if percentile is None else CalibrationMethod.Percentile
                ),
                extra_options={} if percentile is None else {"CalibPercentile": percentile},
                nodes_to_exclude=[
                    node.name for node in graph.node if _stays_float(node, shapes) or keep(node)
                ],
            )
        except Exception as error:  # the tool raises many kinds
            reason = (str(error).splitlines() or [type(error).__name__])[0][:200]
            raise ModelError(f"{source}: can't be quantised: {reason}") from error
        finally:
            noise.setLevel(level)
    _copy_card(source, target)


def read_onnx(path: Path) -> Any:
    """A file as `onnx.ModelProto`.

    Raises:
        MissingExtraError: ONNX is not installed. ModelError: not an ONNX file.
    """
    try:
        import onnx
    except ImportError as error:
        raise MissingExtraError("reading ONNX files back", "train") from error
    try:
        return onnx.load(str(path))
    except Exception as error:  # protobuf's errors share no base class
        raise ModelError(f"{path}: not an ONNX file: {str(error)[:200]}") from error


def is_int8(model: Any) -> bool:
    """Whether a model, as `read_onnx` gives it, was quantised."""
    return any(node.op_type == "QuantizeLinear" for node in model.graph.node)


def _stays_float(node: Any, shapes: dict[str, tuple[int, ...]]) -> bool:
    """Convolutions that see pixels or are too small to gain."""
    if node.op_type != "Conv":
        return False
    weight = node.input[1]
    groups = next((int(a.i) for a in node.attribute if a.name == "group"), 1)
    sees_pixels = groups == 1 and shapes.get(weight, (0, 9))[1] <= 3
    return sees_pixels or any(part in weight or part in node.name for part in _SMALL_LAYERS)


class _Reader:
    """Batches as the quantisation tool asks for them."""

    def __init__(self, batches: Iterator[dict[str, Any]]) -> None:
        self._batches = batches

    def get_next(self) -> dict[str, Any] | None:
        """The next batch; None at the end."""
        return next(self._batches, None)


def _batches(
    source: Path, classifier: Classifier, training: FaceDataset
) -> Iterator[dict[str, Any]]:
    count = min(_CALIBRATION_PICTURES, len(training))
    images = training.images[np.random.default_rng(0).permutation(len(training))[:count]]
    name, info = open_session(source, 1).get_inputs()[0].name, classifier.info
    for start in range(0, len(images), _BATCH):
        x = to_input(images[start : start + _BATCH])
        yield {name: x * np.float32(info.scale) + np.float32(info.offset)}


def _copy_card(source: Path, target: Path) -> None:
    import onnx

    card = {p.key: p.value for p in onnx.load(str(source)).metadata_props}
    graph = onnx.load(str(target))
    del graph.metadata_props[:]
    onnx.helper.set_model_props(graph, card)
    onnx.save(graph, str(target))
