"""Packaging a detector: the card is completed, the network stays as it was."""

from __future__ import annotations

import json
from pathlib import Path

import onnx
import pytest

from moodlens.detection.own import METADATA_KEY, PACKAGED
from moodlens.errors import ModelError
from moodlens.training.detector.packaging import package_detector

FIGURES = [{"detector": "yunet", "found": 1.0}, {"detector": "moodlens", "found": 0.91234}]


def card_of(path: Path) -> dict[str, object]:
    entries = {e.key: e.value for e in onnx.load(str(path)).metadata_props}
    card: dict[str, object] = json.loads(entries[METADATA_KEY])
    return card


def test_the_card_gets_threshold_and_figures_of_its_own_row(tmp_path: Path) -> None:
    target = tmp_path / "out.onnx"
    package_detector(PACKAGED, 0.75, FIGURES, target)
    card = card_of(target)
    assert card["min_score"] == 0.75
    assert card["metrics"] == {"found": 0.9123}
    assert {"name", "version", "licence", "data", "strides"} <= set(card)
    assert (
        onnx.load(str(target)).graph.SerializeToString()
        == onnx.load(str(PACKAGED)).graph.SerializeToString()
    )


def test_a_foreign_file_or_missing_row_writes_nothing(tmp_path: Path) -> None:
    target = tmp_path / "out.onnx"
    with pytest.raises(ModelError, match="no row"):
        package_detector(PACKAGED, 0.5, FIGURES[:1], target)
    foreign = tmp_path / "foreign.onnx"
    graph = onnx.load(str(PACKAGED))
    del graph.metadata_props[:]
    onnx.save(graph, str(foreign))
    with pytest.raises(ModelError, match=r"foreign\.onnx: not a moodlens"):
        package_detector(foreign, 0.5, FIGURES, target)
    assert not target.exists()
