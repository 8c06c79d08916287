"""Every source of frames as one iterable with guaranteed release.

Files never drop a frame; live sources drop stale ones: a reader thread keeps only the newest.
"""

from __future__ import annotations

import os
import re
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

from moodlens.errors import SourceError
from moodlens.imaging.decode import load_image

PICTURES = {".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff", ".gif", ".avif"}
_ADDRESS = re.compile(r"^(https?|rtsps?|rtmp|udp)://", re.IGNORECASE)
STALL_S = 10.0
"""A live source that gives no frame for this long has stalled."""
RECONNECTS = 5


@dataclass(frozen=True, slots=True)
class SourceFrame:
    """A frame: (h, w, 3) BGR uint8, its time on the source's clock, its number from 0."""

    image: NDArray[np.uint8]
    timestamp_s: float
    index: int


class Source(Protocol):
    """What `open_source` gives: iterate over it once; leaving the `with` releases it."""

    name: str
    fps: float | None
    frame_count: int | None
    live: bool

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
    if isinstance(source, str) and source.strip().lstrip("-").isdigit():
        source = int(source)
    if isinstance(source, int):
        return LiveSource(source, f"camera {source}")
    if isinstance(source, str) and _ADDRESS.match(source):
        return LiveSource(source, source)
    if isinstance(source, (str, Path)):
        path = Path(source)
        if path.is_dir():
            return PictureSource(str(path), sorted(p for p in path.iterdir() if is_picture(p)))
        if any(c in str(path) for c in "*?[") and not path.exists():
            found = sorted(Path(path.anchor or ".").glob(str(path.relative_to(path.anchor))))
            return PictureSource(str(path), [p for p in found if is_picture(p)])
        if is_picture(path) and path.is_file():
            return PictureSource(str(path), [path])
        return VideoFileSource(path)
    return CallerSource(source)


def is_picture(path: Path) -> bool:
    """By its ending; what it holds is checked when it is read."""
    return path.suffix.lower() in PICTURES


class CallerSource:
    """Frames that the caller makes, a thirtieth of a second apart."""

    def __init__(self, frames: Iterable[NDArray[np.uint8]]) -> None:
        self.name, self.live = "frames", False
        self.fps: float | None = 30.0
        self.frame_count: int | None = None
        self._frames = frames

    def __iter__(self) -> Iterator[SourceFrame]:
        for index, image in enumerate(self._frames):
            yield SourceFrame(image, index / 30.0, index)

    def close(self) -> None:
        pass


class PictureSource:
    """Pictures of a folder, a second apart."""

    def __init__(self, name: str, paths: list[Path]) -> None:
        if not paths:
            raise SourceError(f"{name}: no pictures there")
        self.name, self.live = name, False
        self.fps: float | None = 1.0
        self.frame_count: int | None = len(paths)
        self._paths = paths

    def __iter__(self) -> Iterator[SourceFrame]:
        for index, path in enumerate(self._paths):
            yield SourceFrame(load_image(path), float(index), index)

    def close(self) -> None:
        pass


class VideoFileSource:
    """Every frame of a video file, upright, at its own time."""

    def __init__(self, path: Path) -> None:
        if not path.exists():
            raise SourceError(f"{path}: no such file")
        if path.stat().st_size == 0:
            raise SourceError(f"{path}: the file is empty")
        self._capture = _capture(str(path))
        if not self._capture.isOpened():
            raise SourceError(f"{path}: no video in it that can be read")
        fps = float(self._capture.get(cv2.CAP_PROP_FPS))
        count = int(self._capture.get(cv2.CAP_PROP_FRAME_COUNT))
        self.name, self.live = str(path), False
        self.fps: float | None = fps if 0 < fps < 1000 else None
        self.frame_count: int | None = count if count > 0 else None

    def __iter__(self) -> Iterator[SourceFrame]:
        index, last = 0, -1.0
        while True:
            at = float(self._capture.get(cv2.CAP_PROP_POS_MSEC)) / 1000
            good, image = self._capture.read()
            if not good:
                break
            step = 1 / (self.fps or 30.0)
            last = at if at > last else last + step
            yield SourceFrame(np.asarray(image, np.uint8), last, index)
            index += 1
        if index == 0:
            raise SourceError(f"{self.name}: not one frame could be read")

    def close(self) -> None:
        self._capture.release()


class LiveSource:
    """A camera or network stream; only the newest frame is kept for the reader."""

    def __init__(self, address: int | str, name: str) -> None:
        self.name, self.live = name, True
        self.frame_count: int | None = None
        self._address = address
        self._capture = _capture(address)
        if not self._capture.isOpened():
            hint = "try another index" if isinstance(address, int) else "check the address"
            raise SourceError(f"{name}: can't be opened; {hint}")
        fps = float(self._capture.get(cv2.CAP_PROP_FPS))
        self.fps: float | None = fps if 0 < fps < 1000 else None
        self._ready = threading.Condition()
        self._newest: tuple[NDArray[np.uint8], float] | None = None
        self._ended = False
        self._started = time.monotonic()
        self._thread = threading.Thread(target=self._read, name="moodlens-source", daemon=True)
        self._thread.start()

    def _read(self) -> None:
        failures = 0
        while not self._ended:
            good, image = self._capture.read()
            if good:
                failures = 0
                with self._ready:
                    self._newest = np.asarray(image, np.uint8), time.monotonic() - self._started
                    self._ready.notify()
                continue
            failures += 1
            if isinstance(self._address, int) or failures > RECONNECTS:
                break
            self._capture.release()
            time.sleep(min(0.25 * 2**failures, 5.0))
            self._capture = _capture(self._address)
        with self._ready:
            self._ended = True
            self._ready.notify()

    def __iter__(self) -> Iterator[SourceFrame]:
        index = 0
        while True:
            with self._ready:
                there = self._ready.wait_for(
                    lambda: self._newest is not None or self._ended, timeout=STALL_S
                )
                if not there:
                    raise SourceError(f"{self.name}: no frame for {STALL_S:.0f} s; it has stalled")
                if self._newest is None:
                    if index == 0:
                        raise SourceError(f"{self.name}: not one frame came")
                    return
                (image, at), self._newest = self._newest, None
            yield SourceFrame(image, at, index)
            index += 1

    def close(self) -> None:
        with self._ready:
            self._ended = True
        self._thread.join(timeout=2.0)
        self._capture.release()


def _capture(address: int | str) -> cv2.VideoCapture:
    """An OpenCV capture, with the libraries behind it kept from writing to our output."""
    with _Quiet():
        return cv2.VideoCapture(address)


class _Quiet:
    """FFmpeg and V4L write to file descriptor 2 themselves; for a moment it leads nowhere."""

    def __enter__(self) -> None:
        self._kept = os.dup(2)
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, 2)
        os.close(nowhere)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        os.dup2(self._kept, 2)
        os.close(self._kept)
