"""The WebSocket of frames: the newest one wins, and each connection has its own memory."""

from __future__ import annotations

import asyncio
import json
import time
from dataclasses import dataclass, field

from fastapi import APIRouter, WebSocket
from starlette.websockets import WebSocketDisconnect, WebSocketState

from moodlens.server.engine import Engine
from moodlens.server.logs import logger
from moodlens.server.problems import Refusal

router = APIRouter()
TOO_BIG, UNSUPPORTED, TRY_LATER = 1009, 1003, 1013
ALLOWED_BURST = 2.0
"""Frames may come this much sooner than the rate has it, in frames: networks are uneven."""


@dataclass
class _Mailbox:
    """The newest frame that nobody has taken yet."""

    frame: tuple[int, bytes, float] | None = None
    dropped: int = 0
    closed: bool = False
    change: asyncio.Event = field(default_factory=asyncio.Event)

    def put(self, number: int, data: bytes, at_s: float) -> None:
        """The newest; the one before is dropped if it is still there."""
        self.dropped += self.frame is not None
        self.frame = (number, data, at_s)
        self.change.set()

    def close(self) -> None:
        """No more will come."""
        self.closed = True
        self.change.set()

    async def take(self) -> tuple[int, bytes, float] | None:
        """The newest, once there is one; None at the end."""
        while self.frame is None and not self.closed:
            self.change.clear()
            await self.change.wait()
        taken, self.frame = self.frame, None
        return None if self.closed else taken


@router.websocket("/v1/stream")
async def stream(websocket: WebSocket) -> None:
    """Binary messages are pictures (JPEG); each that is judged is answered by a JSON text.

    The answer is that of `POST /v1/analyze` for one picture, with `track_id` and steady labels,
    and `frame` (which message it answers, from 0), `dropped` (how many were passed over so far) and
    `age_ms` (how long ago the frame came).
    """
    engine: Engine | None = websocket.app.state.engine
    streams: set[WebSocket] = websocket.app.state.streams
    await websocket.accept()
    if engine is None or len(streams) >= engine.settings.max_streams:
        await websocket.close(TRY_LATER, "too many streams at the moment")
        return
    streams.add(websocket)
    engine.measures.streams.set(len(streams))
    mailbox = _Mailbox()
    answering = asyncio.create_task(_answer(websocket, engine, mailbox))
    reading = asyncio.create_task(_read(websocket, engine, mailbox))
    try:
        done, _ = await asyncio.wait({answering, reading}, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()
    except WebSocketDisconnect:
        pass
    finally:
        mailbox.close()
        for task in (answering, reading):
            task.cancel()
        await asyncio.gather(answering, reading, return_exceptions=True)
        streams.discard(websocket)
        engine.measures.streams.set(len(streams))
        request_id = websocket.scope["state"]["request_id"]
        logger().info("stream ended", extra={"request_id": request_id, "dropped": mailbox.dropped})


async def _read(websocket: WebSocket, engine: Engine, mailbox: _Mailbox) -> None:
    """Frames into the mailbox, no faster than the rate."""
    every = 1 / engine.settings.stream_fps
    due = 0.0
    number = 0
    while True:
        message = await websocket.receive()
        if message["type"] == "websocket.disconnect":
            return
        data = message.get("bytes")
        if data is None:
            await websocket.close(UNSUPPORTED, "expected pictures as binary messages")
            return
        if len(data) > engine.settings.max_body:
            await websocket.close(
                TOO_BIG, f"a frame has at most {engine.settings.max_body_mb:g} MB"
            )
            return
        now = time.monotonic()
        if now < due - ALLOWED_BURST * every:
            mailbox.dropped += 1
            engine.measures.frames.labels("too fast").inc()
        else:
            due = max(due, now) + every
            mailbox.put(number, data, now)
        number += 1


async def _answer(websocket: WebSocket, engine: Engine, mailbox: _Mailbox) -> None:
    """The newest frame is judged, answered, and then the next one taken."""
    state = engine.lens.open_session()
    while (taken := await mailbox.take()) is not None:
        number, data, came = taken
        try:
            analysis = await asyncio.wrap_future(engine.next_frame(state, data, came))
        except Refusal:  # the queue is full: this frame is passed over
            mailbox.dropped += 1
            engine.measures.frames.labels("queue full").inc()
            await asyncio.sleep(1 / engine.settings.stream_fps)
            continue
        engine.measures.frames.labels("refused" if analysis.error else "judged").inc()
        said = analysis.to_dict() | {
            "frame": number,
            "dropped": mailbox.dropped,
            "age_ms": round(1000 * (time.monotonic() - came), 1),
        }
        if websocket.application_state is not WebSocketState.CONNECTED:
            return
        await websocket.send_text(json.dumps(said))
