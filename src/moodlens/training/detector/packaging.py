"""From a trained detector to the file in the package: its threshold and its full card.

python -m moodlens.training.detector.packaging runs/detector/detector.int8.onnx \
    --min-score 0.6 --figures detectors.json
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

from moodlens import __version__
from moodlens.artifacts.stamp import stamp
from moodlens.detection.own import METADATA_KEY, PACKAGED
from moodlens.errors import ModelError
from moodlens.training.storage import write_atomically

DATA = "FER2013 Training faces on BSDS500 photographs, boxes and landmarks by YuNet"
LICENCE = "Apache-2.0; trained on FER2013, whose pictures have no authoritative licence"
NAME = "moodlens"


def package_detector(
    trained: Path, min_score: float, figures: list[dict[str, Any]], target: Path = PACKAGED
) -> dict[str, Any]:
    """Write the packaged file.

    Args:
        trained: the ONNX file of a run.
        min_score: faces below are dropped, 0 to 1.
        figures: as `benchmarks/detectors.py --json` writes them; our own row goes into the card.
        target: where to.

    Returns:
        The card.

    Raises:
        ModelError: the file is no detector of ours, or the figures have no row for it.
    """
    import onnx

    graph = onnx.load(str(trained))
    entry = next((e for e in graph.metadata_props if e.key == METADATA_KEY), None)
    if entry is None:
        raise ModelError(f"{trained}: not a moodlens face detector")
    row = next((r for r in figures if r.get("detector") == NAME), None)
    if row is None:
        raise ModelError(f"the figures have no row for the detector {NAME!r}")
    card: dict[str, Any] = json.loads(entry.value)
    card |= {
        "version": __version__,
        "min_score": min_score,
        "licence": LICENCE,
        "data": DATA,
        "metrics": {
            name: round(value, 4) if isinstance(value, float) else value
            for name, value in row.items()
            if name != "detector"
        },
    }
    entry.value = json.dumps(card)
    write_atomically(target, lambda file: file.write(graph.SerializeToString()))
    return card


def main() -> None:
    """See the module's docstring."""
    ask = argparse.ArgumentParser(description="Package a trained face detector.")
    ask.add_argument("trained", type=Path)
    ask.add_argument("--min-score", type=float, required=True)
    ask.add_argument("--figures", type=Path, required=True)
    given = ask.parse_args()
    figures = json.loads(given.figures.read_text(encoding="utf-8"))
    card = package_detector(given.trained, given.min_score, figures)
    stamp()
    print(json.dumps(card["metrics"], indent=1))


if __name__ == "__main__":
    main()
