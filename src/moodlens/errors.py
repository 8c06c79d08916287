"""The error tree. Every error a user can cause is one of these, with a one-line message.

    MoodlensError
    ├── InputError            a picture, video, camera or data set that can't be used
    │   ├── ImageError        not a picture, damaged, or too large
    │   ├── SourceError       a camera, video or stream that can't be opened or read
    │   └── DatasetError      a training or evaluation set with a fault in a row or file
    ├── ModelError            a model file that is refused, or can't be run
    ├── DownloadError         a model that could not be fetched or verified
    ├── SettingsError         an option, environment variable or settings file that makes no sense
    ├── CatalogueError        a recommendation file with a fault
    ├── HistoryError          the session database can't be opened, read or written
    └── MissingExtraError     a feature whose optional packages are not installed

Errors of other libraries are caught where they arise and raised again as one of these, with
the original as `__cause__`.
"""

from __future__ import annotations

__all__ = [
    "CatalogueError",
    "DatasetError",
    "DownloadError",
    "HistoryError",
    "ImageError",
    "InputError",
    "MissingExtraError",
    "ModelError",
    "MoodlensError",
    "SettingsError",
    "SourceError",
]


class MoodlensError(Exception):
    """What happened, to which input, and what to do, in one line."""


class InputError(MoodlensError):
    """An input that can't be used."""


class ImageError(InputError):
    """Bytes that are not a picture, a damaged picture, or one that is too large."""


class SourceError(InputError):
    """A camera, video file or stream that can't be opened or read."""


class DatasetError(InputError):
    """A data set with a fault; the message names the file and the row."""


class ModelError(MoodlensError):
    """A model file that is refused, with what was expected and what was found."""


class DownloadError(MoodlensError):
    """A model that could not be fetched or whose bytes are not the expected ones."""


class SettingsError(MoodlensError):
    """An option or setting that makes no sense."""


class CatalogueError(MoodlensError):
    """A file of recommendations with a fault; the message names the file and the entry."""


class HistoryError(MoodlensError):
    """The database of sessions can't be opened, read or written."""


class MissingExtraError(MoodlensError):
    """A feature whose optional packages are not installed."""

    def __init__(self, feature: str, extra: str) -> None:
        super().__init__(f"{feature} needs more packages: pip install 'moodlens[{extra}]'")
        self.extra = extra
