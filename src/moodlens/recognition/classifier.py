"""The emotion network on ONNX Runtime."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from moodlens.emotions import EMOTIONS
from moodlens.errors import ModelError
from moodlens.recognition.calibration import softmax, temper
from moodlens.recognition.metadata import ModelInfo
from moodlens.recognition.preprocess import to_input

PROBE_FACES = 2
CAM_OUTPUT = "cam"


def open_session(path: Path, threads: int) -> Any:
    """An ONNX Runtime session on the processor.

    Raises:
        ModelError: the file is missing, damaged or uses operators that can't be run.
    """
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 4  # its errors reach the user as ours
    # With several callers, threads that spin while they wait take the cores of the others.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    if not path.is_file():
        raise ModelError(f"{path}: no such model file")
    try:
        return onnxruntime.InferenceSession(
            str(path), sess_options=options, providers=["CPUExecutionProvider"]
        )
    except Exception as error:  # ONNX Runtime's errors share no base class
        reason = str(error).splitlines()[0][:200]
        raise ModelError(f"{path}: not a model that ONNX Runtime can run: {reason}") from error


class Classifier:
    """Seven calibrated probabilities for every face crop; safe to share between threads."""

    def __init__(self, path: Path | str, *, threads: int = 1) -> None:
        """Open a self-describing model file.

        Args:
            path: an ONNX file with a `ModelInfo` card in its metadata.
            threads: of one call; 0 means all cores.

        Raises:
            ModelError: the file can't be run, has no card, or does not do what the card says.
        """
        self.path = Path(path)
        self._session = open_session(self.path, threads)
        self.info = ModelInfo.from_metadata(
            dict(self._session.get_modelmeta().custom_metadata_map), str(path)
        )
        self._input = self._session.get_inputs()[0].name
        outputs = [output.name for output in self._session.get_outputs()]
        self._scores = outputs[0]
        self._has_cam = CAM_OUTPUT in outputs
        self._columns = [self.info.labels.index(emotion) for emotion in EMOTIONS]
        self._check()

    def _check(self) -> None:
        """Run two blank faces through; a wrong shape shows at once and not on a user's picture."""
        side = self.info.input_side
        found = self._run(np.zeros((PROBE_FACES, side, side), np.uint8), [self._scores])[0]
        expected = (PROBE_FACES, len(EMOTIONS))
        if found.shape != expected:
            raise ModelError(
                f"{self.path}: expected scores of shape (faces, {len(EMOTIONS)}), "
                f"found {found.shape} for {PROBE_FACES} faces"
            )
        if not np.isfinite(found).all():
            raise ModelError(f"{self.path}: the network's answer to a blank face is not finite")

    def _run(self, crops: NDArray[np.uint8], outputs: list[str]) -> list[NDArray[np.float32]]:
        x = to_input(crops)
        if self.info.scale != 1.0 or self.info.offset != 0.0:
            x = x * np.float32(self.info.scale) + np.float32(self.info.offset)
        try:
            return list(self._session.run(outputs, {self._input: x}))
        except Exception as error:
            reason = str(error).splitlines()[0][:200]
            raise ModelError(f"{self.path}: the network can't be run: {reason}") from error

    def _to_probabilities(self, raw: NDArray[np.float32]) -> NDArray[np.float32]:
        ordered = raw[:, self._columns]
        if self.info.output == "logits":
            return softmax(ordered, self.info.temperature)
        return temper(ordered, self.info.temperature)

    @property
    def input_side(self) -> int:
        """Side of a crop in pixels."""
        return self.info.input_side

    @property
    def explains(self) -> bool:
        """Whether the model has a class activation map."""
        return self._has_cam

    def classify(self, crops: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Probabilities of gray crops in one call of the network.

        Args:
            crops: (faces, side, side) uint8; see `moodlens.recognition.preprocess`.

        Returns:
            (faces, 7) float32 in the order of `EMOTIONS`, each row summing to 1.
        """
        if len(crops) == 0:
            return np.zeros((0, len(EMOTIONS)), np.float32)
        return self._to_probabilities(self._run(crops, [self._scores])[0])

    def explain(self, crops: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Where the network looked: the class activation map of each crop's likeliest label.

        Exact for a network that ends in global average pooling (Zhou et al. 2016,
        arXiv:1512.04150).

        Returns:
            (faces, h, w) float32 in [0, 1], 1 where the evidence for the label is strongest.

        Raises:
            ModelError: the model has no such output.
        """
        if not self._has_cam:
            raise ModelError(f"{self.path}: this model has no class activation map")
        if len(crops) == 0:
            return np.zeros((0, 1, 1), np.float32)
        scores, cam = self._run(crops, [self._scores, CAM_OUTPUT])
        top = scores.argmax(axis=1)
        maps = np.maximum(cam[np.arange(len(cam)), :, :, top], 0.0)
        peaks = maps.max(axis=(1, 2), keepdims=True)
        return np.asarray(maps / np.maximum(peaks, 1e-6), dtype=np.float32)
