"""An int8 twin of an ONNX model: smaller, kept only when it answers as well."""

from __future__ import annotations

import logging
import tempfile
import warnings
from collections.abc import Iterator
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


class Quantised(NamedTuple):
    """What came of it.

    Attributes:
        before: accuracy of the float model.
        after: accuracy of the int8 model.
        kept: whether the file was written.
    """

    before: float
    after: float
    kept: bool


def quantise(source: Path, target: Path, training: FaceDataset, check: FaceDataset) -> Quantised:
    """Write an int8 twin if accuracy falls by 0.3 points at most.

    Static quantisation with scales for each channel (Jacob et al. 2018, arXiv:1712.05877);
    activation ranges are measured on training pictures.

    Args:
        source: an ONNX file with a card.
        target: the int8 file.
        training: pictures to measure ranges on; 512 of them are used.
        check: pictures to compare on.

    Raises:
        MissingExtraError: ONNX is not installed. ModelError: the model can't be quantised.
    """
    try:
        import onnx  # noqa: F401
        from onnxruntime.quantization import QuantFormat, QuantType, quantize_static
        from onnxruntime.quantization.shape_inference import quant_pre_process
    except ImportError as error:
        raise MissingExtraError("int8 models", "train") from error
    classifier = Classifier(source, threads=0)
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        ready, small = Path(folder) / "ready.onnx", Path(folder) / "int8.onnx"
        noise = logging.getLogger()
        level = noise.level
        noise.setLevel(logging.ERROR)
        try:
            quant_pre_process(str(source), str(ready), skip_symbolic_shape=True)
            quantize_static(
                str(ready),
                str(small),
                _Reader(source, classifier, training),
                quant_format=QuantFormat.QDQ,
                activation_type=QuantType.QUInt8,
                weight_type=QuantType.QInt8,
                per_channel=True,
                op_types_to_quantize=["Conv"],
            )
        except Exception as error:  # the tool raises many kinds
            reason = (str(error).splitlines() or [type(error).__name__])[0][:200]
            raise ModelError(f"{source}: can't be quantised: {reason}") from error
        finally:
            noise.setLevel(level)
        _copy_card(source, small)
        before = evaluate(classifier, check).accuracy()
        after = evaluate(Classifier(small, threads=0), check).accuracy()
        kept = before - after <= MOST_LOST
        if kept:
            data = small.read_bytes()
            write_atomically(target, lambda file: file.write(data))
    return Quantised(before, after, kept)


class _Reader:
    """Batches of training pictures, as the quantisation tool asks for them."""

    def __init__(self, source: Path, classifier: Classifier, training: FaceDataset) -> None:
        count = min(_CALIBRATION_PICTURES, len(training))
        chosen = np.random.default_rng(0).permutation(len(training))[:count]
        self._images = training.images[chosen]
        self._info = classifier.info
        self._name = open_session(source, 1).get_inputs()[0].name
        self._batches = self._each()

    def _each(self) -> Iterator[dict[str, Any]]:
        for start in range(0, len(self._images), _BATCH):
            x = to_input(self._images[start : start + _BATCH])
            yield {self._name: x * np.float32(self._info.scale) + np.float32(self._info.offset)}

    def get_next(self) -> dict[str, Any] | None:
        """The next batch; None at the end."""
        return next(self._batches, None)


def _copy_card(source: Path, target: Path) -> None:
    import onnx

    card = {p.key: p.value for p in onnx.load(str(source)).metadata_props}
    graph = onnx.load(str(target))
    del graph.metadata_props[:]
    onnx.helper.set_model_props(graph, card)
    onnx.save(graph, str(target))
