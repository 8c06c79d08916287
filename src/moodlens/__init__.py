"""moodlens: real-time facial emotion recognition.

import moodlens
analysis = moodlens.analyze("photo.jpg")      # one shot
lens = moodlens.Lens()                        # loads once, safe to share between threads
for analysis in lens.stream(0): ...           # camera index, video file, stream address

Importing the package loads nothing heavy; each name is imported when it is first used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from moodlens.emotions import EMOTIONS, Emotion
    from moodlens.errors import MoodlensError
    from moodlens.imaging import load_image
    from moodlens.lens import Lens, analyze
    from moodlens.recommendations import Recommender
    from moodlens.types import Analysis, EmotionChange, Face, Quality

__version__ = "0.1.0"

__all__ = [
    "EMOTIONS",
    "Analysis",
    "Emotion",
    "EmotionChange",
    "Face",
    "Lens",
    "MoodlensError",
    "Quality",
    "Recommender",
    "analyze",
    "load_image",
]

_HOMES = {
    "EMOTIONS": "emotions",
    "Emotion": "emotions",
    "MoodlensError": "errors",
    "load_image": "imaging",
    "Lens": "lens",
    "analyze": "lens",
    "Recommender": "recommendations",
    "Analysis": "types",
    "EmotionChange": "types",
    "Face": "types",
    "Quality": "types",
}


def __getattr__(name: str) -> Any:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module 'moodlens' has no attribute {name!r}")
    value = getattr(import_module(f"moodlens.{home}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted([*__all__, "__version__"])
