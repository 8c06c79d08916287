"""What one server holds: requests a second, overload, WebSockets, memory.

    python benchmarks/serve_load.py picture.jpg --json serve.json

The server is a process of its own on loopback; the clients share the machine with it, so the
figures are those of both together.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import re
import socket
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import cv2
import numpy as np
import websockets

from moodlens.evaluation.bench import describe_machine

START_S = 60.0


@dataclass
class Answers:
    """Times in seconds of the accepted and of the refused requests."""

    good: list[float] = field(default_factory=list)
    refused: list[float] = field(default_factory=list)
    other: dict[int, int] = field(default_factory=dict)

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
        }


def quantiles(seconds: list[float]) -> dict[str, float]:
    if not seconds:
        return {}
    found = np.quantile(seconds, [0.5, 0.95, 0.99])
    return {n: round(1000 * float(v), 1) for n, v in zip(("p50", "p95", "p99"), found, strict=True)}


class Connection:
    """One kept-alive HTTP connection that sends the same request again and again."""

    def __init__(self, port: int, body: bytes) -> None:
        self._port = port
        head = (
            f"POST /v1/analyze HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n"
            f"Content-Type: image/jpeg\r\nContent-Length: {len(body)}\r\n\r\n"
        )
        self._request = head.encode() + body
        self._reader: asyncio.StreamReader | None = None
        self._writer: asyncio.StreamWriter | None = None

    async def ask(self) -> int:
        """The status of the answer."""
        if self._reader is None or self._writer is None:
            self._reader, self._writer = await asyncio.open_connection("127.0.0.1", self._port)
        self._writer.write(self._request)
        head = await self._reader.readuntil(b"\r\n\r\n")
        length = re.search(rb"(?i)content-length: (\d+)", head)
        await self._reader.readexactly(int(length[1]) if length else 0)
        if b"connection: close" in head.lower():
            self.close()
        return int(head.split(b" ", 2)[1])

    def close(self) -> None:
        if self._writer is not None:
            self._writer.close()
        self._reader = self._writer = None


async def closed_loop(port: int, body: bytes, connections: int, seconds: float) -> Answers:
    """Each connection asks again as soon as it has its answer; after a 503 it waits a little."""
    answers = Answers()
    until = time.perf_counter() + seconds

    async def one() -> None:
        connection = Connection(port, body)
        while (started := time.perf_counter()) < until:
            status = await connection.ask()
            answers.add(status, time.perf_counter() - started)
        connection.close()

    await asyncio.gather(*(one() for _ in range(connections)))
    return answers


async def open_loop(port: int, body: bytes, rate: float, seconds: float, most: int) -> Answers:
    """Requests at a fixed rate, whether answered or not, on at most so many connections."""
    answers = Answers()
    idle: list[Connection] = [Connection(port, body) for _ in range(most)]
    work: set[asyncio.Task[None]] = set()
    unsent = 0

    async def one(connection: Connection) -> None:
        started = time.perf_counter()
        try:
            status = await connection.ask()
        except (OSError, asyncio.IncompleteReadError):
            connection.close()
            status = 0
        answers.add(status, time.perf_counter() - started)
        idle.append(connection)

    began = time.perf_counter()
    sent = 0
    while (now := time.perf_counter() - began) < seconds:
        while sent < now * rate:
            sent += 1
            if idle:
                task = asyncio.create_task(one(idle.pop()))
                work.add(task)
                task.add_done_callback(work.discard)
            else:
                unsent += 1
        await asyncio.sleep(0.002)
    if work:
        await asyncio.wait(work, timeout=30)
    if unsent:
        answers.other[-1] = unsent
    return answers


async def streams(
    port: int, body: bytes, count: int, rate: float, seconds: float
) -> dict[str, Any]:
    """Frames at a fixed rate on several WebSockets; how old an answer is when it arrives."""
    ages: list[float] = []
    answered = [0] * count

    async def one(number: int) -> None:
        address = f"ws://127.0.0.1:{port}/v1/stream"
        async with websockets.connect(address, max_size=None, compression=None) as connection:
            sent: dict[int, float] = {}

            async def send() -> None:
                began = time.perf_counter() + number / (count * rate)
                for frame in range(int(seconds * rate)):
                    await asyncio.sleep(max(0.0, began + frame / rate - time.perf_counter()))
                    sent[frame] = time.perf_counter()
                    await connection.send(body)
                await asyncio.sleep(0.5)
                await connection.close()

            sending = asyncio.create_task(send())
            async for text in connection:
                frame = json.loads(text)["frame"]
                ages.append(time.perf_counter() - sent[frame])
                answered[number] += 1
            await sending

    await asyncio.gather(*(one(i) for i in range(count)))
    return {
        "streams": count,
        "frames_per_s_each": round(min(answered) / seconds, 1),
        "age_ms": quantiles(ages),
        "answered": sum(answered),
        "sent": count * int(seconds * rate),
    }


def resident_mib(pid: int) -> float:
    """Of a process, in MiB (Linux)."""
    text = Path(f"/proc/{pid}/status").read_text(encoding="utf-8")
    found = re.search(r"VmRSS:\s+(\d+)", text)
    return round(int(found[1]) / 1024, 1) if found else float("nan")


class Server:
    """`moodlens serve` as a process of its own."""

    def __init__(self, detector: str, **environment: str) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = int(probe.getsockname()[1])
        command = [sys.executable, "-m", "moodlens", "serve", "--port", str(self.port)]
        command += ["--detector", detector, "--log-level", "warning"]
        self.process = subprocess.Popen(
            command, env=os.environ | environment, stderr=subprocess.DEVNULL
        )

    def __enter__(self) -> Server:
        until = time.monotonic() + START_S
        while time.monotonic() < until:
            try:
                with urlopen(f"http://127.0.0.1:{self.port}/readyz", timeout=2) as answer:
                    if answer.status == 200:
                        return self
            except OSError:
                time.sleep(0.2)
        raise SystemExit("the server did not start")

    def __exit__(self, *_: object) -> None:
        self.process.terminate()
        self.process.wait(30)


def as_frame(path: Path) -> bytes:
    """The picture fitted into a 640x480 JPEG."""
    picture = cv2.imread(str(path))
    if picture is None:
        raise SystemExit(f"{path}: not a picture")
    scale = min(640 / picture.shape[1], 480 / picture.shape[0])
    small = cv2.resize(picture, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    frame = np.full((480, 640, 3), 127, np.uint8)
    top, left = (480 - small.shape[0]) // 2, (640 - small.shape[1]) // 2
    frame[top : top + small.shape[0], left : left + small.shape[1]] = small
    return cv2.imencode(".jpg", frame, [cv2.IMWRITE_JPEG_QUALITY, 90])[1].tobytes()


def main() -> None:
    ask = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    ask.add_argument("picture", type=Path)
    ask.add_argument("--detector", default="auto")
    ask.add_argument("--seconds", type=float, default=15.0)
    ask.add_argument("--connections", type=int, default=16)
    ask.add_argument("--many", type=int, default=20_000, help="requests of the memory run; 0: none")
    ask.add_argument("--json", type=Path)
    given = ask.parse_args()
    body = as_frame(given.picture)
    found: dict[str, Any] = {
        "benchmark": "serve_load",
        "machine": describe_machine(),
        "detector": given.detector,
        "picture_bytes": len(body),
    }

    def tell(name: str, value: Any) -> None:
        found[name] = value
        print(name, json.dumps(value), flush=True)

    for name, most in (("one_by_one", "1"), ("batched", "32"), ("one_by_one_again", "1")):
        with Server(given.detector, MOODLENS_SERVE_BATCH_FACES=most) as server:
            asyncio.run(closed_loop(server.port, body, given.connections, 2))
            answers = asyncio.run(closed_loop(server.port, body, given.connections, given.seconds))
            tell(name, answers.told(given.seconds))
    with Server(given.detector) as server:
        asyncio.run(closed_loop(server.port, body, given.connections, 2))
        held = found["batched"]["accepted_per_s"]
        overload = asyncio.run(open_loop(server.port, body, 10 * held, given.seconds, 400))
        tell("overload", overload.told(given.seconds) | {"asked_per_s": round(10 * held)})
        tell("streams", asyncio.run(streams(server.port, body, 8, 15, given.seconds)))
        if given.many:
            asyncio.run(closed_loop(server.port, body, given.connections, 5))
            before = resident_mib(server.process.pid)
            seconds = given.many / held
            answers = asyncio.run(closed_loop(server.port, body, given.connections, seconds))
            after = resident_mib(server.process.pid)
            tell("memory", {"requests": len(answers.good), "before": before, "after": after})
    if given.json:
        given.json.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
