"""Models."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from moodlens.settings import settings


def resolve_model(spec: Any = None, *, kind: str = "emotion", **_: Any) -> Path:
    if spec is None:
        return Path(__file__).parent / "packaged" / "moodlens-default.onnx"
    return find_model(str(spec)) or Path(spec)


def find_model(name: str) -> Path | None:
    d = settings().models_dir
    p = d / "face_detection_yunet_2026may.onnx" if d and name == "yunet" else None
    return p if p and p.is_file() else None
