"""OpenCV's capture, kept quiet and with time-outs."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

import cv2
import numpy as np

from moodlens.errors import SourceError
from moodlens.imaging.sources import SourceFrame

OPEN_TIMEOUT_S = 10.0
READ_TIMEOUT_S = 5.0
MOST_FPS = 1000.0
_FFMPEG_LEVEL = "OPENCV_FFMPEG_LOGLEVEL"


def open_capture(address: int | str) -> cv2.VideoCapture:
    """A capture, perhaps one that did not open; nothing is written to standard error."""
    # OpenCV reads this when it first uses FFmpeg; FFmpeg would write lines of its own else.
    os.environ.setdefault(_FFMPEG_LEVEL, "-8")
    with _quiet():
        if isinstance(address, int):
            return cv2.VideoCapture(address)
        limits = [
            cv2.CAP_PROP_OPEN_TIMEOUT_MSEC,
            int(OPEN_TIMEOUT_S * 1000),
            cv2.CAP_PROP_READ_TIMEOUT_MSEC,
            int(READ_TIMEOUT_S * 1000),
        ]
        capture = cv2.VideoCapture(address, cv2.CAP_FFMPEG, limits)
        return capture if capture.isOpened() else cv2.VideoCapture(address)


def capture_fps(capture: cv2.VideoCapture) -> float | None:
    """Frames a second, or None when the capture does not know."""
    fps = float(capture.get(cv2.CAP_PROP_FPS))
    return fps if 0 < fps < MOST_FPS else None


def capture_frames(capture: cv2.VideoCapture) -> int | None:
    """How many frames there are, or None when there is no end or it is not known."""
    count = capture.get(cv2.CAP_PROP_FRAME_COUNT)
    return int(count) if 0 < count < 1e9 else None


class CaptureFile:
    """A video with an end, read by OpenCV: every frame, upright, at its own time."""

    def __init__(self, capture: cv2.VideoCapture, name: str) -> None:
        self.name, self.live, self.skipped = name, False, 0
        self.fps = capture_fps(capture)
        self.frame_count = capture_frames(capture)
        self._capture = capture

    def __iter__(self) -> Iterator[SourceFrame]:
        index, last = 0, -1.0
        while True:
            good, image = self._capture.read()
            if not good:
                break
            at = float(self._capture.get(cv2.CAP_PROP_POS_MSEC)) / 1000
            last = at if at > last else last + 1 / (self.fps or 30.0)
            yield SourceFrame(np.asarray(image, np.uint8), last, index)
            index += 1
        if index == 0:
            raise SourceError(f"{self.name}: not one frame could be read")

    def close(self) -> None:
        """Release the file."""
        self._capture.release()


@contextmanager
def _quiet() -> Iterator[None]:
    logging = cv2.utils.logging
    before = logging.getLogLevel()
    logging.setLogLevel(logging.LOG_LEVEL_SILENT)
    try:
        yield
    finally:
        logging.setLogLevel(before)
