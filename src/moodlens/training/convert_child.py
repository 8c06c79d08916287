"""The child process that opens a stranger's `.keras` file: `python -m … IN OUT MEMORY_LIMIT CARD`.

It prints one line `refused: …` to standard error and ends with 2 when the file is not taken.
"""

from __future__ import annotations

import json
import sys
import warnings
from pathlib import Path
from typing import Any

LABELS = 7


class _NotTakenError(Exception):
    """Why the file is refused."""


def main() -> None:
    """Convert, or say in a line why not."""
    source, target, limit = Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3])
    _limit_memory(limit)
    warnings.simplefilter("ignore")
    try:
        _convert(source, target, json.loads(sys.argv[4]))
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


def _convert(source: Path, target: Path, card: dict[str, Any]) -> None:
    """Write the ONNX twin; `card` holds name, labels, input_side, scale and offset."""
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
    if isinstance(network, keras.Sequential):  # it has no single `output` when loaded from a file
        network = keras.Model(network.inputs[0], network.outputs[0], name=network.name)
    side = int(card["input_side"])
    _check_ends(_shapes(network.input_shape), _shapes(network.output_shape), side)
    grays = np.random.default_rng(0).random((8, side, side, 1), dtype=np.float32)
    probe = grays * np.float32(card["scale"]) + np.float32(card["offset"])
    info = ModelInfo(
        description="converted from a .keras file; labels, size and scale as the user said, "
        "or the usual ones of FER2013",
        output=_kind_of_output(network, np.asarray(network.predict(probe, verbose=0))),
        **card,
    )
    try:
        write_onnx_plain(network, target, info)
    except MoodlensError as error:
        raise _NotTakenError(str(error)) from None


def _check_ends(inputs: list[Any], outputs: list[Any], side: int) -> None:
    if inputs == [(None, side, side, 1)] and outputs == [(None, LABELS)]:
        return
    found = f"found {_written(inputs)} and {_written(outputs)}"
    line = f"expected one input of {side}x{side}x1 and one output of {LABELS}; {found}"
    same = len(inputs) == 1 and len(inputs[0]) == 4 and inputs[0][1] == inputs[0][2] is not None
    if outputs == [(None, LABELS)] and same and inputs[0][3] == 1:
        wanted = inputs[0][1]
        line += (
            f"; if it is meant so, say --input-size {wanted} --scale LOW:HIGH, or write "
            f"input_size = {wanted} and scale = [LOW, HIGH] into a .toml file beside it"
        )
    raise _NotTakenError(line)


def _written(shapes: list[Any]) -> str:
    """Shapes without the batch axis: 64x64x1 + 7."""
    return " + ".join("x".join("any" if n is None else str(n) for n in s[1:]) for s in shapes)


def _kind_of_output(network: Any, rows: Any) -> str:
    """Probabilities sum to one whatever the weights; (faces, 7) rows of a probe tell.

    Raises:
        _NotTakenError: neither probabilities nor logits.
    """
    import numpy as np

    if not np.isfinite(rows).all():
        raise _NotTakenError("its answer to a probe is not finite")
    if np.abs(rows.sum(axis=1) - 1.0).max() < 1e-3 and rows.min() >= 0.0:
        return "probabilities"
    activation = getattr(getattr(network.layers[-1], "activation", None), "__name__", "linear")
    if activation != "linear":
        raise _NotTakenError(f"expected softmax or logits at the end, found {activation}")
    return "logits"


def _shapes(shape: Any) -> list[Any]:
    """A model's input or output shapes as a list, one or many."""
    if isinstance(shape, dict):
        return [tuple(s) for s in shape.values()]
    if isinstance(shape, list):
        return [tuple(s) for s in shape]
    return [tuple(shape)]


if __name__ == "__main__":
    main()
