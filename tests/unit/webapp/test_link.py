"""Video there and back: each frame is its own, the newest wins, nothing waits without bound."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from fractions import Fraction
from typing import Any, cast

import av
import numpy as np
import pytest
from aiortc import MediaStreamTrack
from aiortc.contrib.media import MediaRelay
from aiortc.mediastreams import MediaStreamError
from numpy.typing import NDArray

from moodlens.webapp.link import MOST_ON_WAY, LiveLink
from moodlens.webapp.stream import LiveView

FRAMES = 60


class Camera(MediaStreamTrack):
    """Frame n is of the gray 2n; ends after the last."""

    kind = "video"
    sent = 0

    async def recv(self) -> av.VideoFrame:
        await asyncio.sleep(0.002)
        if self.sent == FRAMES:
            raise MediaStreamError
        image = np.full((64, 96, 3), 2 * self.sent, np.uint8)
        frame = av.VideoFrame.from_ndarray(image, format="bgr24")
        frame.pts, frame.time_base = 3750 * self.sent, Fraction(1, 90_000)
        self.sent += 1
        return frame


class View:
    """Sends each frame back; may fail at one."""

    def __init__(self, fails_at: int = -1) -> None:
        self.seen: list[int] = []
        self.ended = 0
        self._fails_at = fails_at

    def recv(self, frame: av.VideoFrame) -> NDArray[np.uint8]:
        self.seen.append(int(frame.pts or 0))
        if len(self.seen) - 1 == self._fails_at:
            raise RuntimeError("a frame that nobody can analyse")
        return frame.to_ndarray(format="bgr24")

    def on_ended(self) -> None:
        self.ended += 1


@asynccontextmanager
async def linked(view: View, camera: Camera) -> AsyncIterator[LiveLink]:
    with ThreadPoolExecutor(1) as pool:
        link = LiveLink(pool, cast(Callable[[], LiveView], lambda: view))
        assert not link.hasTrack()
        link.addTrack(camera)
        assert link.hasTrack()
        link.start()
        try:
            yield link
        finally:
            link.stop()
            await asyncio.sleep(0)


async def all_of(
    track: Any, each: Callable[[av.VideoFrame], Any] = lambda frame: None
) -> list[Any]:
    found = []
    try:
        while True:
            frame = await asyncio.wait_for(track.recv(), 30)
            found.append((frame.pts, each(frame)))
            del frame
    except MediaStreamError:
        return found


def test_frames_come_back_in_order_with_their_own_time_and_picture() -> None:
    async def watch() -> list[Any]:
        async with linked(View(), Camera()) as link:
            return await all_of(link.source, lambda f: int(f.to_ndarray(format="gray").mean()))

    told = asyncio.run(watch())
    times = [pts for pts, _ in told]
    assert times == sorted(set(times))
    for pts, gray in told:
        assert gray == pytest.approx(2 * pts / 3750, abs=3)


def test_an_encoder_that_stands_still_gets_the_newest_when_it_goes_on() -> None:
    """Through two relays with queues of their own, as the video component puts them between."""

    async def watch() -> tuple[list[int], int]:
        camera, relay = Camera(), MediaRelay()
        async with linked(View(), camera) as link:
            track: Any = relay.subscribe(relay.subscribe(link.source))
            first = await asyncio.wait_for(track.recv(), 30)
            while camera.sent < FRAMES - 10:
                await asyncio.sleep(0.01)
            held = first.pts
            del first
            return [held, *(pts for pts, _ in await all_of(track))], camera.sent

    times, _ = asyncio.run(watch())
    # what waited while the encoder stood still is no more than the bound; then come new ones
    late = [pts for pts in times[1:] if pts < 3750 * (FRAMES - 12)]
    assert len(late) <= MOST_ON_WAY
    assert times == sorted(set(times))


def test_a_frame_that_fails_ends_nothing(caplog: pytest.LogCaptureFixture) -> None:
    async def watch() -> list[Any]:
        async with linked(View(fails_at=1), Camera()) as link:
            return await all_of(link.source)

    assert len(asyncio.run(watch())) > 2
    assert "could not be analysed" in caplog.text


def test_the_end_of_the_camera_ends_all_and_once() -> None:
    view = View()

    async def watch() -> LiveLink:
        async with linked(view, Camera()) as link:
            await all_of(link.source)
            link.stop()
            return link

    link = asyncio.run(watch())
    assert link.ended
    assert not link.hasTrack()
    assert view.ended == 1
    assert view.seen == sorted(set(view.seen))
