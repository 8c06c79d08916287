"""The detector in int8: half the time, half the bytes, the same faces."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from moodlens.training.int8 import write_int8

SCENES = 200
"""Scenes whose ranges stand for all."""
_KINDS = ("Conv", "Add", "Relu", "Resize")
_HEAD = "head"
_PERCENTILE = 99.999
"""A range that covers every value seen is set by a few bright pixels."""


def quantise_detector(source: Path, target: Path, scenes: NDArray[np.uint8]) -> None:
    """Write an int8 twin of an exported detector; the layers that name the answers stay in float.

    Args:
        source: as `export_detector` wrote it.
        target: the int8 file.
        scenes: (n, height, width) like those it will see; 200 of them are used.

    Raises:
        MissingExtraError: onnx is not installed. ModelError: the file can't be quantised.
    """
    chosen = np.linspace(0, len(scenes) - 1, min(SCENES, len(scenes))).astype(int)
    write_int8(
        source,
        target,
        ({"pictures": np.asarray(scenes[i], np.float32)[None, None]} for i in chosen),
        kinds=_KINDS,
        keep=lambda node: node.name.startswith(_HEAD),
        percentile=_PERCENTILE,
    )
