"""What one server holds: requests a second, overload, WebSockets, memory.

    python benchmarks/serve_load.py picture.jpg --json serve.json

The server is a process of its own on loopback; the clients share the machine with it, so the
figures are those of both together. `others` is the share of a core that all other processes took
meanwhile: figures count when it is near 0.
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
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import cv2
import numpy as np
import websockets

from load_client import closed_loop, open_loop, quantiles
from moodlens.evaluation.bench import describe_machine

START_S = 60.0
WHAT = ("batches", "overload", "streams", "memory")


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


def others(server: int) -> float:
    """Seconds of processors that neither a server nor this process took, so far (Linux)."""
    ticks = [int(n) for n in Path("/proc/stat").read_text().split("\n")[0].split()[1:]]
    busy = sum(ticks[:8]) - ticks[3] - ticks[4]
    for pid in (server, os.getpid()):
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        busy -= int(fields[11]) + int(fields[12])
    return busy / os.sysconf("SC_CLK_TCK")


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
        while time.monotonic() < until and self.process.poll() is None:
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
    ask.add_argument("--many", type=int, default=100_000, help="requests of the memory run")
    ask.add_argument(
        "--what", nargs="+", default=WHAT, choices=WHAT, help="parts of it; memory takes minutes"
    )
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

    def run(name: str, server: Server, answers: Callable[[], Any], **more: Any) -> dict[str, Any]:
        before, began = others(server.process.pid), time.perf_counter()
        told = answers()
        seconds = time.perf_counter() - began
        told = told if isinstance(told, dict) else told.told(seconds)
        told |= {"others": round((others(server.process.pid) - before) / seconds, 2)} | more
        tell(name, told)
        return told

    def closed(server: Server, seconds: float = given.seconds) -> Callable[[], Any]:
        return lambda: closed_loop(server.port, body, given.connections, seconds)

    waits = [("one_by_one", "1", "0"), ("batched", "32", "0"), ("waiting_2_ms", "32", "2")]
    for name, most, wait in [*waits, ("one_by_one_again", "1", "0")] * ("batches" in given.what):
        batches = {"MOODLENS_SERVE_BATCH_FACES": most, "MOODLENS_SERVE_BATCH_WAIT_MS": wait}
        with Server(given.detector, **batches) as server:
            closed(server, 2)()
            run(name, server, closed(server))
    with Server(given.detector) as server:
        closed(server, 2)()
        held = run("held", server, closed(server))["accepted_per_s"]
        if "overload" in given.what:
            rate = 10 * held
            run(
                "overload",
                server,
                lambda: open_loop(server.port, body, rate, given.seconds, 400),
                asked_per_s=round(rate),
            )
        if "streams" in given.what:
            run(
                "streams",
                server,
                lambda: asyncio.run(streams(server.port, body, 8, 15, given.seconds)),
            )
        if "memory" in given.what:
            closed(server, 5)()
            done, resident = 0, [resident_mib(server.process.pid)]
            while done < given.many:  # a look at every tenth
                answers = closed(server, given.many / held / 10)()
                done += len(answers.good)
                resident.append(resident_mib(server.process.pid))
                print(done, resident[-1], flush=True)
            tell("memory", {"requests": done, "resident_mib": resident})
    if given.json:
        given.json.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
