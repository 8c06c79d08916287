"""Faces over time: stable ids, smoothed scores, steady labels and what changed."""

from __future__ import annotations

from moodlens.tracking.options import StreamOptions
from moodlens.tracking.session import StreamState

__all__ = ["StreamOptions", "StreamState"]
