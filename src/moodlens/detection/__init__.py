"""Face detectors behind one protocol."""

from __future__ import annotations

import logging
from functools import cache

from moodlens.artifacts import find_model, resolve_model
from moodlens.detection.base import Detections, Detector
from moodlens.errors import SettingsError

__all__ = ["Detections", "Detector", "create_detector"]

_log = logging.getLogger("moodlens")
_CHOICES = "auto, moodlens, yunet, haar"


def create_detector(name: str = "auto", *, threads: int = 1) -> Detector:
    """A detector by name.

    Args:
        name: `moodlens` (packaged), `yunet` (fetched at first use), `haar` (inside OpenCV), or
            `auto`: yunet where its file is on this machine, else moodlens; it never fetches.
        threads: of one network call; 0 means all cores.

    Raises:
        SettingsError: no such name, or this install holds no such detector.
        DownloadError: YuNet was asked for by name and can't be fetched.
        ModelError: its file can't be run.
    """
    chosen = _best_there_is() if name == "auto" else name
    if chosen == "moodlens":
        from moodlens.detection.own import PACKAGED, MoodlensDetector

        if not PACKAGED.is_file():
            raise SettingsError(
                "detector 'moodlens': its network is not part of this install; "
                "choose auto, yunet or haar"
            )
        return MoodlensDetector(threads=threads)
    if chosen == "yunet":
        from moodlens.detection.yunet import YuNet

        return YuNet(resolve_model("yunet", kind="detector"), threads=threads)
    if chosen == "haar":
        from moodlens.detection.haar import Haar

        return Haar()
    raise SettingsError(f"no detector {name!r}; choose one of {_CHOICES}")


def _best_there_is() -> str:
    from moodlens.detection.own import PACKAGED

    if find_model("yunet") is not None:  # on photographs it has the fewest false boxes
        chosen = "yunet"
    else:
        chosen = "moodlens" if PACKAGED.is_file() else "haar"
    _say_once(chosen)
    return chosen


@cache
def _say_once(chosen: str) -> None:
    _log.info("face detector: %s", chosen)
