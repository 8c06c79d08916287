"""A viewer's video, there and back: the camera's newest frame goes in, annotated frames come out.

The video component's own processing track hands out the same frame object again while it is still
on its way, so that two frames bear one time stamp and the picture falls to pieces; and what the
encoder can't take in time waits without bound. Here each frame is an object of its own, the newest
frame wins on both sides, and at most one waits for the encoder.
"""

from __future__ import annotations

import asyncio
import logging
import weakref
from collections.abc import Callable
from concurrent.futures import Executor
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import av
import cv2
import numpy as np
from aiortc import MediaStreamTrack
from aiortc.mediastreams import MediaStreamError
from numpy.typing import NDArray

from moodlens.webapp.stream import LiveView

logger = logging.getLogger(__name__)

MOST_ON_WAY = 2
"""One frame in the encoder, or the last that was; and one that waits for it."""
LOOK_AGAIN_S = 0.004


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A picture on its way to the viewer.

    Attributes:
        pixels: (3/2 height, width) uint8, the planes Y, U and V one below the other.
        pts, time_base: of the camera's frame that it shows.
    """

    pixels: NDArray[np.uint8]
    pts: int | None
    time_base: Fraction


class LiveSource(MediaStreamTrack):  # type: ignore[misc]
    """The annotated frames; those that nobody asked for in time are dropped."""

    kind = "video"

    def __init__(self) -> None:
        super().__init__()
        self._next: Outgoing | None = None
        self._on_way: list[weakref.ref[NDArray[np.uint8]]] = []
        self._news = asyncio.Event()

    def show(self, picture: Outgoing) -> None:
        """The newest picture; call it on the event loop."""
        self._next = picture
        self._news.set()

    async def recv(self) -> av.VideoFrame:
        """The newest frame, as soon as there is one and the encoder can take it.

        Raises:
            MediaStreamError: the stream has ended.
        """
        while self.readyState == "live":
            if self._next is None:
                self._news.clear()
                await self._news.wait()
            elif self._unsent() >= MOST_ON_WAY:
                await asyncio.sleep(LOOK_AGAIN_S)
            else:
                picture, self._next = self._next, None
                self._on_way.append(weakref.ref(picture.pixels))
                frame = av.VideoFrame.from_numpy_buffer(picture.pixels, format="yuv420p")
                frame.pts, frame.time_base = picture.pts, picture.time_base
                return frame
        raise MediaStreamError

    def _unsent(self) -> int:
        """Frames not encoded yet: their pixels are in memory as long as somebody holds them."""
        self._on_way = [seen for seen in self._on_way if seen() is not None]
        return len(self._on_way)

    def stop(self) -> None:
        """End the stream."""
        super().stop()
        self._news.set()


class LiveLink:
    """Takes one camera's track (as streamlit-webrtc's `MediaSink`) and feeds `source`."""

    def __init__(self, pool: Executor, make_view: Callable[[], LiveView]) -> None:
        """Nothing runs before a camera's track is added.

        Args:
            pool: analyses frames; shared by all viewers, each has one frame at a time in it.
            make_view: called when the camera's track comes; may be set anew until then.
        """
        self.source = LiveSource()
        self.ended = False
        self.make_view = make_view
        self._pool = pool
        self._view: LiveView | None = None
        self._track: MediaStreamTrack | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._tasks: list[asyncio.Task[None]] = []
        self._newest: Any = None
        self._news = asyncio.Event()

    def addTrack(self, track: MediaStreamTrack) -> None:  # noqa: N802 (the protocol's name)
        """The camera has come."""
        self._track = track
        self._view = self.make_view()

    def hasTrack(self) -> bool:  # noqa: N802 (the protocol's name)
        """Whether it has."""
        return self._track is not None

    def start(self) -> None:
        """Begin to read; called on the event loop."""
        self._loop = asyncio.get_running_loop()
        self._tasks = [self._loop.create_task(self._read()), self._loop.create_task(self._work())]

    def stop(self) -> None:
        """End, from any thread; again does nothing."""
        if self.ended:
            return
        self.ended = True
        if self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._end)
        if self._view is not None:
            self._view.on_ended()

    def _end(self) -> None:
        for task in self._tasks:
            task.cancel()
        self.source.stop()
        self._track = self._newest = None

    async def _read(self) -> None:
        """Keep the newest frame of the camera, drop the one before."""
        assert self._track is not None
        try:
            while True:
                self._newest = await self._track.recv()
                self._news.set()
        except MediaStreamError:
            self.stop()

    async def _work(self) -> None:
        assert self._loop is not None
        assert self._view is not None
        while True:
            await self._news.wait()
            self._news.clear()
            frame, self._newest = self._newest, None
            try:
                shown = await self._loop.run_in_executor(self._pool, _turn, self._view, frame)
            except Exception:  # one frame that fails must not end the stream
                logger.exception("a frame could not be analysed")
                continue
            del frame
            self.source.show(shown)
            del shown  # or it would count as on its way until the next


def _turn(view: LiveView, frame: av.VideoFrame) -> Outgoing:
    """One frame analysed, in the colours that the encoder takes as they are."""
    shown = view.recv(frame)
    even = shown[: shown.shape[0] // 2 * 2, : shown.shape[1] // 2 * 2]
    pixels = np.asarray(cv2.cvtColor(even, cv2.COLOR_BGR2YUV_I420), np.uint8)
    return Outgoing(pixels, frame.pts, frame.time_base)
