"""A cheap HTTP client for load: raw sockets, requests made beforehand, next to no parsing.

It shares the machine with the server that it loads, so what it costs is the server's loss.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from time import perf_counter
from typing import Any, cast

import numpy as np
import uvloop

WAIT_S = 30.0
"""How long the last answers are waited for."""


@dataclass
class Answers:
    """Seconds of the accepted and of the refused requests; how many others, and unsent ones."""

    good: list[float] = field(default_factory=list)
    refused: list[float] = field(default_factory=list)
    other: dict[int, int] = field(default_factory=dict)
    unsent: int = 0

    def add(self, status: int, seconds: float) -> None:
        if status == 200:
            self.good.append(seconds)
        elif status == 503:
            self.refused.append(seconds)
        else:
            self.other[status] = self.other.get(status, 0) + 1

    def told(self, seconds: float) -> dict[str, Any]:
        return {
            "seconds": round(seconds, 1),
            "accepted": len(self.good),
            "accepted_per_s": round(len(self.good) / seconds, 1),
            "accepted_ms": quantiles(self.good),
            "refused": len(self.refused),
            "refused_ms": quantiles(self.refused),
            "other": self.other,
            "unsent": self.unsent,
        }


def quantiles(seconds: list[float]) -> dict[str, float]:
    if not seconds:
        return {}
    found = np.quantile(seconds, [0.5, 0.95, 0.99])
    told = {n: round(1000 * float(v), 1) for n, v in zip(("p50", "p95", "p99"), found, strict=True)}
    return told | {"most": round(1000 * max(seconds), 1)}


class Connection(asyncio.Protocol):
    """One kept-alive connection; `done` is called with itself and the status of each answer."""

    def __init__(self, request: bytes, done: Callable[[Connection, int], None]) -> None:
        self._request = request
        self._done = done
        self._transport: asyncio.Transport | None = None
        self._head = b""
        self._left = 0
        self._status = 0
        self.due = 0.0

    def ask(self, due: float) -> None:
        """Send the request; `due` is when it was to be sent."""
        self.due = due
        assert self._transport is not None
        self._transport.write(self._request)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        if self._left == 0:
            self._head += data
            end = self._head.find(b"\r\n\r\n")
            if end < 0:
                return
            head, rest = self._head[:end].lower(), len(self._head) - end - 4
            self._head = b""
            self._status = int(head[9:12])
            at = head.find(b"content-length: ") + 16
            self._left = int(head[at:].split(b"\r", 1)[0]) - rest
        else:
            self._left -= len(data)
        if self._left == 0:
            self._done(self, self._status)

    def connection_lost(self, _error: Exception | None) -> None:
        if self.due:
            self._done(self, 0)

    def close(self) -> None:
        self.due = 0.0
        if self._transport is not None:
            self._transport.close()


def request_of(port: int, body: bytes) -> bytes:
    """The bytes of one request."""
    head = (
        f"POST /v1/analyze HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n"
        f"Content-Type: image/jpeg\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


async def connect(
    port: int, request: bytes, count: int, done: Callable[[Connection, int], None]
) -> list[Connection]:
    loop = asyncio.get_running_loop()
    found: list[Connection] = []
    for _ in range(count):
        _, made = await loop.create_connection(lambda: Connection(request, done), "127.0.0.1", port)
        found.append(made)
    return found


async def _closed(port: int, body: bytes, count: int, seconds: float) -> Answers:
    answers, ended = Answers(), asyncio.Event()
    busy = 0
    until = 0.0

    def done(connection: Connection, status: int) -> None:
        nonlocal busy
        now = perf_counter()
        answers.add(status, now - connection.due)
        if now < until and status:
            connection.ask(now)
            return
        connection.close()
        busy -= 1
        if not busy:
            ended.set()

    made = await connect(port, request_of(port, body), count, done)
    until = perf_counter() + seconds
    busy = count
    for connection in made:
        connection.ask(perf_counter())
    await asyncio.wait_for(ended.wait(), seconds + WAIT_S)
    return answers


async def _open(port: int, body: bytes, rate: float, seconds: float, most: int) -> Answers:
    answers = Answers()
    sent = answered = 0

    def done(connection: Connection, status: int) -> None:
        nonlocal answered
        answered += 1
        answers.add(status, perf_counter() - connection.due)
        if status:
            idle.append(connection)
        else:
            connection.due = 0.0

    idle = deque(await connect(port, request_of(port, body), most, done))
    began = perf_counter()
    number = 0
    while (now := perf_counter() - began) < seconds:
        while number < now * rate:
            if idle:
                idle.popleft().ask(began + number / rate)
                sent += 1
            else:
                answers.unsent += 1
            number += 1
        await asyncio.sleep(0.001)
    until = perf_counter() + WAIT_S
    while answered < sent and perf_counter() < until:
        await asyncio.sleep(0.01)
    for connection in idle:
        connection.close()
    return answers


def closed_loop(port: int, body: bytes, connections: int, seconds: float) -> Answers:
    """Each connection asks again as soon as it has its answer, for so many seconds."""
    return uvloop.run(_closed(port, body, connections, seconds))


def open_loop(port: int, body: bytes, rate: float, seconds: float, most: int) -> Answers:
    """Requests come at a fixed rate, whether others were answered or not.

    The time of each runs from the moment when it was due, not from when it could be sent. One that
    finds all `most` connections waiting for answers is not sent, and is counted.
    """
    return uvloop.run(_open(port, body, rate, seconds, most))
