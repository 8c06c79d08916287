"""Viewers come and go: no thread, no view and no seat stays behind."""

from __future__ import annotations

import asyncio
import gc
import threading
import weakref
from fractions import Fraction

import av
import numpy as np
import pytest
from aiortc import MediaStreamTrack
from streamlit_webrtc.process import AsyncVideoProcessTrack

from moodlens.lens import Lens
from moodlens.webapp.admission import Admission
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


async def open_and_close(lens: Lens, house: Admission) -> weakref.ref[LiveView]:
    """One viewer, through the track that the page's video component makes."""
    view = LiveView(lens, seat=house.take())
    track = AsyncVideoProcessTrack(Camera(), view)
    for _ in range(5000):
        await track.recv()
        if view.state().frames:
            break
    assert view.state().frames, "no frame was analysed"
    assert house.taken == 1
    await asyncio.to_thread(track.stop)
    return weakref.ref(view)


# streamlit-webrtc leaves its worker's event loop to the garbage collector, which warns of it
@pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning")
def test_fifty_opens_and_closes_leave_nothing_behind() -> None:
    lens, house = Lens(), Admission(1)

    async def all_of_them() -> list[weakref.ref[LiveView]]:
        return [await open_and_close(lens, house) for _ in range(TIMES)]

    asyncio.run(open_and_close(lens, house))  # whatever is made once is there now
    gc.collect()
    threads = set(threading.enumerate())
    lenses = sum(isinstance(thing, Lens) for thing in gc.get_objects())
    views = asyncio.run(all_of_them())
    gc.collect()
    assert house.taken == 0
    assert [t.name for t in threading.enumerate() if t not in threads] == []
    assert sum(isinstance(thing, Lens) for thing in gc.get_objects()) == lenses
    assert [ref for ref in views if ref() is not None] == []
