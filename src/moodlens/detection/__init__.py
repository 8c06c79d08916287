"""Face detectors behind one protocol."""

from __future__ import annotations

import logging

from moodlens.artifacts import find_model, resolve_model
from moodlens.detection.base import Detections, Detector
from moodlens.errors import SettingsError

__all__ = ["Detections", "Detector", "create_detector"]

_log = logging.getLogger("moodlens")


def create_detector(name: str = "auto", *, threads: int = 1) -> Detector:
    """A detector by name: auto, moodlens, yunet or haar."""
    if name == "auto":
        name = "yunet" if find_model("yunet") else "haar"
        _log.info("face detector: %s", name)
    if name == "yunet":
        from moodlens.detection.yunet import YuNet

        return YuNet(resolve_model("yunet", kind="detector"), threads=threads)
    if name == "haar":
        from moodlens.detection.haar import Haar

        return Haar()
    raise SettingsError(f"no detector {name!r}; choose one of auto, moodlens, yunet, haar")
