"""Models as files: known by name, fetched, verified, kept."""

from moodlens.artifacts.places import cache_dir, packaged_dir
from moodlens.artifacts.reading import Reading, make_reading
from moodlens.artifacts.registry import Entry, registry
from moodlens.artifacts.resolve import find_model, resolve_model

__all__ = [
    "Entry",
    "Reading",
    "cache_dir",
    "find_model",
    "make_reading",
    "packaged_dir",
    "registry",
    "resolve_model",
]
