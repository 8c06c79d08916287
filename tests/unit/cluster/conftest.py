"""Pictures made by code around the packaged averages of faces."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

import moodlens

pytest.importorskip("pyarrow")
SAMPLES = Path(moodlens.__file__).parent / "webapp" / "samples"


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    """A folder: 4 pictures with a face each, 1 without, 1 that is none, one folder deeper."""
    folder = tmp_path / "in"
    (folder / "deeper").mkdir(parents=True)
    face = cv2.imread(str(SAMPLES / "average-happy.png"))
    face = cv2.resize(face, (200, 200), interpolation=cv2.INTER_AREA)
    for number in range(4):
        scene = np.full((240, 320, 3), 120 + 20 * number, np.uint8)
        scene[20:220, 20 + 20 * number : 220 + 20 * number] = face
        cv2.imwrite(str(folder / "deeper" / f"{number}.png"), scene)
    cv2.imwrite(str(folder / "plain.png"), np.full((60, 80, 3), 128, np.uint8))
    (folder / "bad.jpg").write_bytes(b"not a picture")
    (folder / "notes.txt").write_text("not an input")
    return folder
