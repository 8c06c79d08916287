"""Every source of frames as one iterable with guaranteed release.

Files never drop a frame; live sources drop stale ones: a reader thread keeps only the newest.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from moodlens.errors import ImageError, SourceError
from moodlens.imaging.decode import load_image

PICTURES = {".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff", ".gif", ".avif"}
CALLER_FPS = 30.0
_ADDRESS = re.compile(r"^(https?|rtsps?|rtmp|udp)://", re.IGNORECASE)
_log = logging.getLogger("moodlens")


@dataclass(frozen=True, slots=True)
class SourceFrame:
    """A frame: (h, w, 3) BGR uint8, its time on the source's clock, its number from 0."""

    image: NDArray[np.uint8]
    timestamp_s: float
    index: int


class Source(Protocol):
    """What `open_source` gives: iterate over it once; leaving the `with` releases it.

    Attributes:
        name: as messages and results call it.
        fps: frames a second, about; None when not known.
        frame_count: None when not known.
        live: whether frames come whether or not they are fetched, so that stale ones are dropped.
        skipped: damaged frames that were left out so far.
    """

    name: str
    fps: float | None
    frame_count: int | None
    live: bool
    skipped: int

    def __iter__(self) -> Iterator[SourceFrame]: ...

    def close(self) -> None: ...


@contextmanager
def open_source(source: int | str | Path | Iterable[NDArray[np.uint8]]) -> Iterator[Source]:
    """A camera index, video file, folder or glob of pictures, HTTP/RTSP address, or frames.

    Raises:
        SourceError: it can't be opened; the message says what was tried.
    """
    opened = _open(source)
    try:
        yield opened
    finally:
        opened.close()


def _open(source: int | str | Path | Iterable[NDArray[np.uint8]]) -> Source:
    if isinstance(source, str) and source.strip().isdigit():
        source = int(source)
    if isinstance(source, int) or (isinstance(source, str) and _ADDRESS.match(source)):
        from moodlens.imaging.live import open_live

        return open_live(source)
    if isinstance(source, (str, Path)):
        return _open_path(Path(source))
    return CallerSource(source)


def _open_path(path: Path) -> Source:
    if path.is_dir():
        return PictureSource(str(path), sorted(p for p in path.iterdir() if is_picture(p)))
    if any(c in str(path) for c in "*?[") and not path.exists():
        found = sorted(Path(path.anchor or ".").glob(str(path.relative_to(path.anchor))))
        return PictureSource(str(path), [p for p in found if is_picture(p)])
    if not path.exists():
        raise SourceError(f"{path}: no such file")
    if is_picture(path):
        return PictureSource(str(path), [path])
    if path.stat().st_size == 0:
        raise SourceError(f"{path}: the file is empty")
    from moodlens.imaging.video_in import open_video

    return open_video(path)


def is_picture(path: Path) -> bool:
    """By its ending; what it holds is checked when it is read."""
    return path.suffix.lower() in PICTURES


class CallerSource:
    """Frames that the caller makes, a thirtieth of a second apart."""

    def __init__(self, frames: Iterable[NDArray[np.uint8]]) -> None:
        self.name, self.live, self.skipped = "frames", False, 0
        self.fps: float | None = CALLER_FPS
        self.frame_count = len(frames) if isinstance(frames, (list, tuple)) else None
        self._frames = frames

    def __iter__(self) -> Iterator[SourceFrame]:
        for index, image in enumerate(self._frames):
            yield SourceFrame(image, index / CALLER_FPS, index)

    def close(self) -> None:
        """Let a generator of the caller run its own clean-up."""
        end = getattr(self._frames, "close", None)
        if callable(end):
            end()


class PictureSource:
    """Pictures of a folder, a second apart; one that can't be read is skipped and reported."""

    def __init__(self, name: str, paths: list[Path]) -> None:
        if not paths:
            raise SourceError(f"{name}: no pictures there")
        self.name, self.live, self.skipped = name, False, 0
        self.fps: float | None = 1.0
        self.frame_count: int | None = len(paths)
        self._paths = paths

    def __iter__(self) -> Iterator[SourceFrame]:
        for index, path in enumerate(self._paths):
            try:
                image = load_image(path)
            except ImageError as error:
                if len(self._paths) == 1:
                    raise
                self.skipped += 1
                _log.warning("%s", error)
                continue
            yield SourceFrame(image, float(index), index)
        if self.skipped == len(self._paths):
            raise SourceError(f"{self.name}: not one of {self.skipped} pictures could be read")

    def close(self) -> None:
        """Nothing is held between pictures."""
