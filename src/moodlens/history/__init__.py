"""Saved sessions in a SQL database: numbers only, never pictures."""

from moodlens.history.gather import SampleGatherer
from moodlens.history.records import RecordedSession, Sample, SavedSession
from moodlens.history.store import History

__all__ = ["History", "RecordedSession", "Sample", "SampleGatherer", "SavedSession"]
