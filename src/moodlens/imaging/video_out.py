"""Video files: H.264 in MP4 by PyAV, with the times of the frames and the sound kept."""

from __future__ import annotations

import struct
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from moodlens.errors import MissingExtraError, MoodlensError
from moodlens.imaging.sound import Sound

TIME_BASE = Fraction(1, 90_000)
"""The clock of MPEG; every usual frame rate falls on it."""
LAST_FRAME_S = 1 / 30
"""How long the last frame is taken to be shown where there is only one."""


class VideoWriter:
    """Writes frames to an MP4 file; a context manager that always finishes the file.

    The file is written in fragments and joined when it is closed, so what was written stays
    playable when the process is killed or the disk is full.
    """

    def __init__(
        self, path: Path | str, *, sound_from: Path | None = None, frames_per_s: float = 30.0
    ) -> None:
        """Nothing is written before the first frame.

        Args:
            path: the MP4 file; one that is there is replaced.
            sound_from: a file whose sound is kept; the times of the frames are then on its clock.
            frames_per_s: about; the times of the frames decide.

        Raises:
            MissingExtraError: PyAV is not installed.
        """
        try:
            import av
        except ImportError as error:
            raise MissingExtraError("writing video", "video") from error
        self._av = av
        self.path = Path(path)
        self.frames = 0
        self._sound_from = sound_from
        self._rate = Fraction(min(max(frames_per_s, 1.0), 240.0)).limit_denominator(1001)
        self._output: Any = None
        self._video: Any = None
        self._sound: Sound | None = None
        self._start_s = 0.0
        self._last_pts = -1
        self._step_s = LAST_FRAME_S
        self._broken = False

    def write(self, image: NDArray[np.uint8], timestamp_s: float) -> None:
        """Add a frame.

        Args:
            image: (height, width, 3) BGR; another size than the first is fitted into it.
            timestamp_s: when it is shown; a time before the last one is moved behind it.

        Raises:
            MoodlensError: the file can't be written; what was written is kept.
        """
        try:
            if self._output is None:
                self._open(image, timestamp_s)
            height, width = self._video.height, self._video.width
            frame = self._av.VideoFrame.from_ndarray(_fitted(image, width, height), format="bgr24")
            pts = max(round((timestamp_s - self._start_s) / TIME_BASE), self._last_pts + 1)
            if self.frames:
                self._step_s = float((pts - self._last_pts) * TIME_BASE)
            frame.pts, frame.time_base, self._last_pts = pts, TIME_BASE, pts
            frame.duration = round(self._step_s / TIME_BASE)
            self._output.mux(self._video.encode(frame))
            if self._sound is not None:
                self._sound.write_until(float(pts * TIME_BASE))
        except (self._av.FFmpegError, OSError) as error:
            self._broken = True
            raise self._error(error) from error
        self.frames += 1

    def close(self) -> None:
        """Finish the file. Calling it again does nothing.

        Raises:
            MoodlensError: the end can't be written; what was written is kept.
        """
        output, self._output = self._output, None
        if output is None:
            return
        try:
            if not self._broken:
                output.mux(self._video.encode(None))
                if self._sound is not None:
                    self._sound.write_until(float(self._last_pts * TIME_BASE) + self._step_s)
        except (self._av.FFmpegError, OSError) as error:
            self._broken = True
            raise self._error(error) from error
        finally:
            self._release(output)

    def _release(self, output: Any) -> None:
        if self._sound is not None:
            self._sound.close()
        try:
            output.close()
        except (self._av.FFmpegError, OSError) as error:
            if not self._broken:  # else the first error has been told
                self._broken = True
                raise self._error(error) from error
        finally:
            if self._broken:
                cut_to_whole_fragments(self.path)

    def _open(self, image: NDArray[np.uint8], timestamp_s: float) -> None:
        self._output = self._av.open(
            str(self.path),
            "w",
            format="mp4",
            options={"movflags": "+frag_keyframe+hybrid_fragmented"},
        )
        self._start_s = timestamp_s
        video = self._output.add_stream("libx264", rate=self._rate)
        # H.264 with half the colour resolution, which all players take, needs even sides.
        video.width, video.height = (side + side % 2 for side in (image.shape[1], image.shape[0]))
        video.pix_fmt = "yuv420p"
        video.codec_context.time_base = TIME_BASE
        video.codec_context.gop_size = max(int(self._rate), 1)
        # Without frames that refer to later ones nothing is shifted in time.
        video.options = {"preset": "veryfast", "crf": "20", "bf": "0"}
        self._video = video
        if self._sound_from is not None:
            self._sound = Sound.open(self._sound_from, self._output, timestamp_s)
        self._output.start_encoding()  # a folder that is not there shows now, not frames later

    def _error(self, error: Exception) -> MoodlensError:
        reason = getattr(error, "strerror", None) or error
        return MoodlensError(
            f"{self.path}: the video can't be written: {reason} "
            f"(at frame {self.frames}; what was written before is kept)"
        )

    def __enter__(self) -> VideoWriter:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def cut_to_whole_fragments(path: Path) -> None:
    """Drop the torn end of an MP4 file whose writing failed, so every player takes the rest.

    The file is a row of boxes, each with its size and type in front (ISO/IEC 14496-12, 4.2); a
    fragment is a `moof` box and the `mdat` box of its frames.
    """
    whole = at = 0
    total = path.stat().st_size
    with path.open("r+b") as file:
        while at + 8 <= total:
            file.seek(at)
            size, kind = struct.unpack(">I4s", file.read(8))
            if size == 1:
                size = struct.unpack(">Q", file.read(8))[0]
            if size < 8 or at + size > total:
                break
            at += size
            if kind != b"moof":
                whole = at
        file.truncate(whole)


def _fitted(image: NDArray[np.uint8], width: int, height: int) -> NDArray[np.uint8]:
    """The picture at a size: as it is, or with one more row or column, or letterboxed."""
    h, w = image.shape[:2]
    if (w, h) == (width, height):
        return np.ascontiguousarray(image)
    if 0 <= width - w <= 1 and 0 <= height - h <= 1:
        grown = cv2.copyMakeBorder(image, 0, height - h, 0, width - w, cv2.BORDER_REPLICATE)
        return np.asarray(grown, dtype=np.uint8)
    scale = min(width / w, height / h)
    inner_w, inner_h = max(1, round(w * scale)), max(1, round(h * scale))
    inner = cv2.resize(image, (inner_w, inner_h), interpolation=cv2.INTER_AREA)
    canvas = np.zeros((height, width, 3), np.uint8)
    top, left = (height - inner_h) // 2, (width - inner_w) // 2
    canvas[top : top + inner_h, left : left + inner_w] = inner
    return canvas
