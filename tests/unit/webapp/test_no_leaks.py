"""Viewers come and go: no thread, no view and no seat stays behind."""

from __future__ import annotations

import asyncio
import gc
import threading
import weakref
from concurrent.futures import ThreadPoolExecutor
from fractions import Fraction

import av
import numpy as np
from aiortc import MediaStreamTrack

from moodlens.lens import Lens
from moodlens.webapp.admission import Admission
from moodlens.webapp.link import LiveLink
from moodlens.webapp.stream import LiveView

TIMES = 50


class Camera(MediaStreamTrack):
    """Frames as fast as they are asked for."""

    kind = "video"
    sent = 0

    async def recv(self) -> av.VideoFrame:
        await asyncio.sleep(0.001)
        frame = av.VideoFrame.from_ndarray(np.zeros((96, 128, 3), np.uint8), format="bgr24")
        frame.pts, frame.time_base = 3000 * self.sent, Fraction(1, 90_000)
        self.sent += 1
        return frame


async def open_and_close(
    lens: Lens, house: Admission, pool: ThreadPoolExecutor
) -> weakref.ref[LiveView]:
    """One viewer, through the link that the page hands to its video component."""
    view = LiveView(lens, seat=house.take())
    link = LiveLink(pool, lambda: view)
    link.addTrack(Camera())
    link.start()
    await asyncio.wait_for(link.source.recv(), 60)
    assert view.state().frames, "no frame was analysed"
    assert house.taken == 1
    await asyncio.to_thread(link.stop)
    return weakref.ref(view)


def test_fifty_opens_and_closes_leave_nothing_behind() -> None:
    lens, house = Lens(), Admission(1)
    pool = ThreadPoolExecutor(1)

    async def all_of_them() -> list[weakref.ref[LiveView]]:
        return [await open_and_close(lens, house, pool) for _ in range(TIMES)]

    asyncio.run(open_and_close(lens, house, pool))  # whatever is made once is there now
    gc.collect()
    threads = set(threading.enumerate())
    lenses = sum(isinstance(thing, Lens) for thing in gc.get_objects())
    views = asyncio.run(all_of_them())
    gc.collect()
    assert house.taken == 0
    assert [t.name for t in threading.enumerate() if t not in threads] == []
    assert sum(isinstance(thing, Lens) for thing in gc.get_objects()) == lenses
    assert [ref for ref in views if ref() is not None] == []
    pool.shutdown()
