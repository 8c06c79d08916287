"""Cameras and network streams: the newest frame, never a stale one."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Iterator

import cv2
import numpy as np
from numpy.typing import NDArray

from moodlens.errors import SourceError
from moodlens.imaging.capture import CaptureFile, capture_fps, capture_frames, open_capture
from moodlens.imaging.sources import Source, SourceFrame

STALL_S = 10.0
"""A live source that gives no frame for this long has stalled."""
RECONNECTS = 5
FIRST_WAIT_S = 0.25
LONGEST_WAIT_S = 4.0
RELEASE_S = 2.0


def open_live(address: int | str) -> Source:
    """A camera by its index, or an HTTP, RTSP, RTMP or UDP address.

    A video file at an address has an end: it is read whole, as a file is.

    Raises:
        SourceError: it can't be opened.
    """
    name = f"camera {address}" if isinstance(address, int) else _without_password(address)
    capture = open_capture(address)
    if not capture.isOpened():
        camera = isinstance(address, int)
        hint = "is it plugged in? try another index" if camera else "no video comes from there"
        raise SourceError(f"{name}: can't be opened; {hint}")
    if not isinstance(address, int) and capture_frames(capture):
        return CaptureFile(capture, name)
    return LiveSource(capture, address, name)


def _without_password(address: str) -> str:
    """The address for messages and results: user and password left out."""
    return re.sub(r"^(\w+://)[^/@]*@", r"\1", address)


class LiveSource:
    """A thread reads all the time; a mailbox with one slot holds the newest frame."""

    def __init__(
        self,
        capture: cv2.VideoCapture,
        address: int | str,
        name: str,
        *,
        stall_s: float = STALL_S,
        reconnects: int = RECONNECTS,
    ) -> None:
        """Start reading.

        Args:
            capture: opened; released by the reader.
            address: opened again when the stream breaks off; an int is a camera, which is not.
            name: for messages.
            stall_s: how long to wait for a frame.
            reconnects: attempts in a row without a frame.
        """
        self.name, self.live, self.skipped = name, True, 0
        self.frame_count: int | None = None
        self.fps = capture_fps(capture)
        self._address = address
        self._stall_s = stall_s
        self._reconnects = reconnects
        self._changed = threading.Condition()
        self._newest: tuple[NDArray[np.uint8], float] | None = None
        self._ended = False
        self._closing = threading.Event()
        self._thread = threading.Thread(
            target=self._read, args=(capture,), name="moodlens-source", daemon=True
        )
        self._thread.start()

    def __iter__(self) -> Iterator[SourceFrame]:
        index = 0
        while True:
            with self._changed:
                there = self._changed.wait_for(
                    lambda: self._newest is not None or self._ended, timeout=self._stall_s
                )
                taken, self._newest = self._newest, None
            if taken is None:
                if self._closing.is_set():
                    return
                raise SourceError(f"{self.name}: {self._what_happened(index, stalled=not there)}")
            image, at = taken
            yield SourceFrame(image, at, index)
            index += 1

    def close(self) -> None:
        """Stop the reader, which releases the source itself: never while a read is under way."""
        self._closing.set()
        self._thread.join(timeout=RELEASE_S)

    def _what_happened(self, frames: int, *, stalled: bool) -> str:
        if stalled:
            return f"no frame for {self._stall_s:.0f} s; the stream has stalled"
        if frames == 0:
            return "it opened, but not one frame came"
        if isinstance(self._address, int):
            return "no more frames; was it unplugged?"
        return f"the stream broke off; {self._reconnects} attempts to connect again failed"

    def _read(self, capture: cv2.VideoCapture) -> None:
        failures, started = 0, time.monotonic()
        while not self._closing.is_set():
            good, image = capture.read()
            if good:
                failures = 0
                with self._changed:
                    self._newest = np.asarray(image, np.uint8), time.monotonic() - started
                    self._changed.notify()
                continue
            failures += 1
            if isinstance(self._address, int) or failures > self._reconnects:
                break
            capture.release()
            if self._closing.wait(min(FIRST_WAIT_S * 2 ** (failures - 1), LONGEST_WAIT_S)):
                break
            capture = open_capture(self._address)
        capture.release()
        with self._changed:
            self._ended = True
            self._changed.notify()
