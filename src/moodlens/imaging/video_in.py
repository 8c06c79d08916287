"""Video files by PyAV: every frame, upright, at its own time, damaged ones counted and left out."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from moodlens.errors import SourceError
from moodlens.imaging.sources import Source, SourceFrame

_TURNS = {
    90: cv2.ROTATE_90_COUNTERCLOCKWISE,
    180: cv2.ROTATE_180,
    270: cv2.ROTATE_90_CLOCKWISE,
}
READ_FAULTS = 20
"""Faults in a row, without a frame between, after which a file is given up."""
MISSING_SHARE = 0.05
"""A file that ends this share of its length early, and at least a second, was cut off."""


def open_video(path: Path) -> Source:
    """A video file, read by PyAV where it is installed and by OpenCV else.

    Raises:
        SourceError: no video, or none that can be read.
    """
    try:
        import av  # noqa: F401 (asked for here, used by the class)
    except ImportError:
        from moodlens.imaging.capture import CaptureFile, open_capture

        capture = open_capture(str(path))
        if not capture.isOpened():
            raise SourceError(f"{path}: no video in it that can be read") from None
        return CaptureFile(capture, str(path))
    return VideoFile(path)


class VideoFile:
    """The frames of a file's first video stream; see `moodlens.imaging.sources.Source`."""

    def __init__(self, path: Path) -> None:
        """Open the file.

        Raises:
            SourceError: not a video, cut off before its index, or without a video stream.
        """
        import av
        from av.video.reformatter import VideoReformatter

        self._fault: type[Exception] = av.FFmpegError
        try:
            self._container: Any = av.open(str(path), metadata_errors="replace")
        except (av.FFmpegError, OSError, ValueError) as error:
            raise SourceError(
                f"{path}: no video in it, or one that was cut off ({_reason(error)})"
            ) from error
        streams = [s for s in self._container.streams.video if not _is_cover(s)]
        if not streams:
            self._container.close()
            raise SourceError(f"{path}: no video stream in it")
        self._stream = streams[0]
        self._stream.thread_type = "AUTO"
        self._reformatter: Any = VideoReformatter()
        rate = self._stream.average_rate or self._stream.guessed_rate
        self.name, self.live, self.skipped = str(path), False, 0
        self.fps: float | None = float(rate) if rate else None
        self.frame_count: int | None = self._stream.frames or self._guessed_count()

    def __iter__(self) -> Iterator[SourceFrame]:
        index, last = 0, -1.0
        step = 1 / (self.fps or 30.0)
        for frame in self._frames():
            at = last + step if frame.time is None else float(frame.time)
            last = at if index == 0 or at > last else last + step
            yield SourceFrame(self._upright(frame), last, index)
            index += 1
        if index == 0:
            raise SourceError(f"{self.name}: not one frame could be read")
        length = self._length_s()
        if length is not None and length - last - step > max(1.0, MISSING_SHARE * length):
            raise SourceError(
                f"{self.name}: the file was cut off: {last:.1f} of {length:.1f} s could be read"
            )

    def close(self) -> None:
        """Release the file."""
        self._container.close()

    def _frames(self) -> Iterator[Any]:
        """Decoded frames; faults of the file and damaged frames are counted and passed over."""
        packets = self._container.demux(self._stream)
        faults = 0
        while faults < READ_FAULTS:
            frames: list[Any] = []
            try:
                packet = next(packets, None)
                if packet is None:
                    return
                frames = packet.decode()
            except self._fault:
                self.skipped += 1
                faults += 1
                packets = self._container.demux(self._stream)  # a fault ends the generator
            for frame in frames:
                if frame.is_corrupt:
                    self.skipped += 1
                    continue
                faults = 0
                yield frame

    def _upright(self, frame: Any) -> NDArray[np.uint8]:
        """(h, w, 3) BGR; a phone's video is turned as its file says."""
        picture = self._reformatter.reformat(frame, format="bgr24").to_ndarray()
        turn = _TURNS.get(round(frame.rotation / 90) * 90 % 360)
        return np.asarray(picture if turn is None else cv2.rotate(picture, turn), np.uint8)

    def _length_s(self) -> float | None:
        """The end of the last frame on the stream's clock, where the file knows it."""
        stream, whole = self._stream.duration, self._container.duration
        if stream is None or whole is None:
            return None
        start = float((self._stream.start_time or 0) * self._stream.time_base)
        return start + min(float(stream * self._stream.time_base), float(whole) / 1_000_000)

    def _guessed_count(self) -> int | None:
        length = self._length_s()
        return round(length * self.fps) if length and self.fps else None


def _is_cover(stream: Any) -> bool:
    """Whether it is the picture on a song's cover."""
    return bool(stream.disposition & type(stream.disposition).attached_pic)


def _reason(error: Exception) -> str:
    text = getattr(error, "strerror", None) or str(error) or type(error).__name__
    return str(text).splitlines()[0].lower()
