"""The child process that opens a stranger's `.keras` file: `python -m ... IN OUT MEMORY_LIMIT`.

It prints one line `refused: …` to standard error and ends with 2 when the file is not taken.
"""

from __future__ import annotations

import sys
import warnings
from pathlib import Path
from typing import Any

EXPECTED_INPUT = (48, 48, 1)
LABELS = 7


class _NotTakenError(Exception):
    """Why the file is refused."""


def main() -> None:
    """Convert, or say in a line why not."""
    source, target, limit = Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3])
    _limit_memory(limit)
    warnings.simplefilter("ignore")
    try:
        _convert(source, target)
    except _NotTakenError as error:
        print(f"refused: {error}", file=sys.stderr)
        sys.exit(2)
    except MemoryError:
        print("refused: the network needs too much memory", file=sys.stderr)
        sys.exit(2)


def _limit_memory(limit: int) -> None:
    try:
        import resource
    except ImportError:  # Windows has no such limit
        return
    resource.setrlimit(resource.RLIMIT_DATA, (limit, limit))


def _convert(source: Path, target: Path) -> None:
    import keras
    import numpy as np

    from moodlens.errors import MoodlensError
    from moodlens.recognition.metadata import ModelInfo
    from moodlens.training.onnx_export import write_onnx_plain

    try:
        network = keras.saving.load_model(source, compile=False, safe_mode=True)
    except Exception as error:  # Keras raises many kinds on files it can't or won't open
        reason = (str(error).splitlines() or [type(error).__name__])[0][:200]
        if "lambda" in str(error).lower():
            reason = "it holds a Lambda layer, which could run any code"
        raise _NotTakenError(f"Keras can't open it safely: {reason}") from None
    found_in = _shapes(network.input_shape)
    found_out = _shapes(network.output_shape)
    if found_in != [(None, *EXPECTED_INPUT)] or found_out != [(None, LABELS)]:
        raise _NotTakenError(
            f"expected one input of 48x48x1 and one output of 7; found {found_in} and {found_out}"
        )
    probe = np.random.default_rng(0).random((8, *EXPECTED_INPUT), dtype=np.float32)
    rows = np.asarray(network.predict(probe, verbose=0))
    sums = np.abs(rows.sum(axis=1) - 1.0).max() < 1e-3 and rows.min() >= 0.0
    info = ModelInfo(
        name=source.stem,
        description="converted from a .keras file; labels in FER2013's order are assumed",
        output="probabilities" if sums else "logits",
    )
    try:
        write_onnx_plain(network, target, info)
    except MoodlensError as error:
        raise _NotTakenError(str(error)) from None


def _shapes(shape: Any) -> list[Any]:
    """A model's input or output shapes as a list, one or many."""
    if isinstance(shape, dict):
        return [tuple(s) for s in shape.values()]
    if isinstance(shape, list):
        return [tuple(s) for s in shape]
    return [tuple(shape)]


if __name__ == "__main__":
    main()
