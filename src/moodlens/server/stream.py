"""The WebSocket of frames: the newest one wins, and each connection has its own memory."""

from __future__ import annotations

import asyncio
import json
import time
from dataclasses import dataclass, field

from fastapi import APIRouter, WebSocket
from starlette.websockets import WebSocketDisconnect

from moodlens.server.engine import Engine
from moodlens.server.logs import logger
from moodlens.server.problems import Refusal

router = APIRouter()
TOO_BIG, UNSUPPORTED, TRY_LATER = 1009, 1003, 1013


@dataclass
class _Mailbox:
    """The newest frame that nobody has taken yet."""

    frame: tuple[int, bytes, float] | None = None
    dropped: int = 0
    change: asyncio.Event = field(default_factory=asyncio.Event)

    def put(self, number: int, data: bytes, at_s: float) -> None:
        """The newest; the one before is dropped if it is still there."""
        self.dropped += self.frame is not None
        self.frame = (number, data, at_s)
        self.change.set()

    async def take(self) -> tuple[int, bytes, float]:
        """The newest, once there is one."""
        while self.frame is None:
            self.change.clear()
            await self.change.wait()
        taken, self.frame = self.frame, None
        return taken


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
    try:
        async with asyncio.TaskGroup() as group:
            answering = group.create_task(_answer(websocket, engine, mailbox))
            await _read(websocket, engine, mailbox)
            answering.cancel()
    finally:
        streams.discard(websocket)
        engine.measures.streams.set(len(streams))
        request_id = websocket.scope["state"]["request_id"]
        logger().info("stream ended", extra={"request_id": request_id, "dropped": mailbox.dropped})


async def _read(websocket: WebSocket, engine: Engine, mailbox: _Mailbox) -> None:
    """Frames into the mailbox, however fast they come."""
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
        mailbox.put(number, data, time.monotonic())
        number += 1


async def _answer(websocket: WebSocket, engine: Engine, mailbox: _Mailbox) -> None:
    """The newest frame is judged and answered, then the next one, no faster than the rate."""
    state = engine.lens.open_session()
    every = 1 / engine.settings.stream_fps
    due = 0.0
    while True:
        number, data, came = await mailbox.take()
        due = max(due, time.monotonic()) + every
        try:
            analysis = await asyncio.wrap_future(engine.next_frame(state, data, came))
        except Refusal:  # the queue is full: this frame is passed over
            mailbox.dropped += 1
            engine.measures.frames.labels("queue full").inc()
            await asyncio.sleep(every)
            continue
        engine.measures.frames.labels("refused" if analysis.error else "judged").inc()
        said = analysis.to_dict() | {
            "frame": number,
            "dropped": mailbox.dropped,
            "age_ms": round(1000 * (time.monotonic() - came), 1),
        }
        try:
            await websocket.send_text(json.dumps(said))
        except (WebSocketDisconnect, RuntimeError):  # it is closing; reading hears of it, too
            return
        await asyncio.sleep(max(0.0, due - time.monotonic()))
