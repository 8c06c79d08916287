"""Many live viewers at once: frames a second that each gets back, and how old they are.

    python benchmarks/live_load.py --viewers 4 --seconds 20 --json live_load.json
    python benchmarks/live_load.py --pictures 20

The app runs as `moodlens app` serves it, in a process of its own on loopback. Each viewer opens
the live page over its websocket as a browser does (`app_client.py`), lets its charts update
themselves, and sends a 640x480 camera by WebRTC (aiortc) through the page's own video component.
Not in it: Chromium's work of drawing the page. The cameras are encoded beforehand, since that is
the work of the viewers' machines; decoding what comes back is not, and shares the cores.

Every frame of the camera bears its number as a bar code, which is read from the frame that comes
back. A frame counts as fresh when its number is not that of the one before (the app repeats the
last frame until the next is ready). The age is the time from when the camera gave the frame until
it is there again and decoded. aiortc holds a frame until the next one begins to arrive, on the way
back as well, where a browser would not: of the age, one frame of the camera is the client's own.

Then the last viewer stands still for four fifths of every second, as a slow machine or network
does, and the others are measured again. With --pictures, so many people upload a picture at the
same moment to the Picture page and wait for the bars of the seven probabilities.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import multiprocessing
import os
import signal
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
from aiortc import MediaStreamTrack, RTCConfiguration, RTCPeerConnection, RTCSessionDescription
from numpy.typing import NDArray

from app_client import AppSession, served_app
from moodlens.evaluation.bench import describe_machine
from moodlens.webapp import pictures as picture_page
from moodlens.webapp.views.live import CAMERA_FPS

WIDTH, HEIGHT = 640, 480
LOOP = 128
"""Frames of the camera before it begins anew: at 24 a second, ages of up to 5 s can be told."""
BITS, CELL = 7, 24
FACE_PX = 320
KEY_FRAME_EVERY = 30
BITRATE = 1_000_000
CLOCK = 90_000
WARM_UP_S = 4.0
START_S = 90
STILL_S, AWAKE_S = 0.8, 0.2
SAMPLES = Path(picture_page.__file__).parent / "samples"
RATE_AIM, AGE_AIM_MS = 12.0, 300.0


def camera_image(face: NDArray[np.uint8], number: int) -> NDArray[np.uint8]:
    """(480, 640, 3) BGR: a face that sways on gray, and the number below on the left."""
    image = np.full((HEIGHT, WIDTH, 3), 120, np.uint8)
    turn = 2 * np.pi * number / LOOP
    x = round((WIDTH - face.shape[1]) / 2 + 60 * np.sin(turn))
    y = round(60 + 15 * np.sin(3 * turn))
    image[y : y + face.shape[0], x : x + face.shape[1]] = face
    for bit in range(BITS):
        lit = number >> bit & 1
        left = bit * CELL
        image[HEIGHT - 2 * CELL : HEIGHT - CELL, left : left + CELL] = 255 * lit
        image[HEIGHT - CELL :, left : left + CELL] = 255 * (1 - lit)  # its contrary, as a check
    return image


def read_number(gray: NDArray[np.uint8]) -> int | None:
    """The number on a frame; None where it can't be read."""
    number = 0
    quarter = CELL // 4
    for bit in range(BITS):
        columns = slice(bit * CELL + quarter, (bit + 1) * CELL - quarter)
        upper = gray[HEIGHT - 2 * CELL + quarter : HEIGHT - CELL - quarter, columns].mean()
        lower = gray[HEIGHT - CELL + quarter : HEIGHT - quarter, columns].mean()
        if abs(upper - lower) < 60:
            return None
        number |= int(upper > lower) << bit
    return number


def encode_camera(face: NDArray[np.uint8], fps: int) -> list[bytes]:
    """The camera's loop as VP8, a key frame every second."""
    codec: Any = av.CodecContext.create("libvpx", "w")
    codec.width, codec.height, codec.pix_fmt = WIDTH, HEIGHT, "yuv420p"
    codec.bit_rate, codec.gop_size = BITRATE, KEY_FRAME_EVERY
    codec.time_base, codec.framerate = Fraction(1, fps), Fraction(fps)
    codec.options = {"deadline": "realtime", "cpu-used": "-6", "lag-in-frames": "0"}
    packets = []
    for number in range(LOOP):
        frame = av.VideoFrame.from_ndarray(camera_image(face, number), format="bgr24")
        frame.pts, frame.time_base = number, codec.time_base
        packets += [bytes(packet) for packet in codec.encode(frame)]
    packets += [bytes(packet) for packet in codec.encode(None)]
    if len(packets) != LOOP:
        sys.exit(f"the camera has {len(packets)} frames instead of {LOOP}")
    return packets


class Camera(MediaStreamTrack):
    """Sends the loop at its pace; remembers when it gave each number."""

    kind = "video"

    def __init__(self, packets: Sequence[bytes], fps: int, start: int) -> None:
        super().__init__()
        self._packets, self._fps, self._next = packets, fps, start - start % KEY_FRAME_EVERY
        self._begun: float | None = None
        self._sent = 0
        self.given: dict[int, float] = {}

    async def recv(self) -> Any:
        now = time.monotonic()
        if self._begun is None:
            self._begun = now
        due = self._begun + self._sent / self._fps
        if due > now:
            await asyncio.sleep(due - now)
        number = self._next % LOOP
        packet = av.Packet(self._packets[number])
        packet.pts, packet.time_base = round(self._sent * CLOCK / self._fps), Fraction(1, CLOCK)
        self._next, self._sent = self._next + 1, self._sent + 1
        self.given[number] = time.monotonic()
        return packet


@dataclass
class Turn:
    """When to measure, for the viewers of all processes.

    Attributes:
        ready: counts the viewers who have got a frame back.
        begin: a moment of the monotonic clock; before it is set, it never comes.
        seconds: to measure.
    """

    ready: Any
    begin: Any
    seconds: float

    def contains(self, moment: float) -> bool:
        return bool(self.begin.value <= moment < self.begin.value + self.seconds)

    def over(self, moment: float) -> bool:
        return bool(moment >= self.begin.value + self.seconds)


@dataclass
class Seen:
    """What came back to one viewer while it was measured."""

    fresh: int = 0
    repeated: int = 0
    unread: int = 0
    ages_s: list[float] = field(default_factory=list)

    def told(self, seconds: float) -> dict[str, Any]:
        ages = np.array(self.ages_s or [np.nan]) * 1000
        return {
            "fresh_per_s": round(self.fresh / seconds, 2),
            "frames_per_s": round((self.fresh + self.repeated + self.unread) / seconds, 2),
            "unread": self.unread,
            "age_ms_median": round(float(np.median(ages)), 1),
            "age_ms_p95": round(float(np.percentile(ages, 95)), 1),
        }


async def view(
    address: str, packets: Sequence[bytes], fps: int, number: int, turn: Turn
) -> dict[str, Any]:
    """One viewer, from opening the page to STOP."""
    async with AppSession(address, "live") as session:
        component = (await session.find("component_instance")).component_instance
        peer = RTCPeerConnection(RTCConfiguration(iceServers=[]))
        camera = Camera(packets, fps, start=number * 37)
        peer.addTrack(camera)
        back: asyncio.Future[MediaStreamTrack] = asyncio.get_running_loop().create_future()
        peer.on("track", lambda track: back.set_result(track))
        await peer.setLocalDescription(await peer.createOffer())
        offer = {"sdp": peer.localDescription.sdp, "type": peer.localDescription.type}
        value = {"playing": False, "sdpOffer": offer, "iceCandidates": {}}
        await session.set_json(component.id, value)
        answered = await session.find(
            "component_instance",
            lambda e: json.loads(e.component_instance.json_args).get("sdp_answer_json"),
        )
        args = json.loads(answered.component_instance.json_args)
        await peer.setRemoteDescription(
            RTCSessionDescription(**json.loads(args["sdp_answer_json"]))
        )
        await session.set_json(
            component.id, {"playing": True, "sdpOffer": None, "iceCandidates": {}}
        )
        seen = Seen()
        runs = 0
        try:
            track = await asyncio.wait_for(back, 30)
            await asyncio.wait_for(track.recv(), 30)
            with turn.ready.get_lock():
                turn.ready.value += 1
            last: int | None = None
            while not turn.over(time.monotonic()):
                frame: Any = await asyncio.wait_for(track.recv(), 30)
                now = time.monotonic()
                plane = frame.planes[0]
                gray = np.frombuffer(plane, np.uint8).reshape(-1, plane.line_size)[:, :WIDTH]
                code = read_number(gray) if gray.shape[0] >= HEIGHT else None
                if turn.contains(now):
                    runs = runs or session.finished
                    seen.unread += code is None
                    seen.fresh += code is not None and code != last
                    seen.repeated += code is not None and code == last
                    if code is not None and code in camera.given:
                        seen.ages_s.append(now - camera.given[code])
                last = code if code is not None else last
        finally:
            await peer.close()
            await session.set_json(
                component.id, {"playing": False, "sdpOffer": None, "iceCandidates": {}}
            )
        return {"viewer": number, "page_runs": session.finished - runs, **seen.told(turn.seconds)}


def run_viewers(
    address: str, face: bytes, fps: int, numbers: list[int], turn: Turn, out: Any
) -> None:
    """Viewers of one process; what each saw goes to the queue `out`."""
    import logging

    logging.getLogger("streamlit").setLevel(logging.ERROR)
    image = cv2.imdecode(np.frombuffer(face, np.uint8), cv2.IMREAD_COLOR)
    small = np.asarray(cv2.resize(image, (FACE_PX, FACE_PX)), np.uint8)
    packets = encode_camera(small, fps)

    async def together() -> list[Any]:
        asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(4))
        return await asyncio.gather(
            *(view(address, packets, fps, number, turn) for number in numbers),
            return_exceptions=True,
        )

    for number, told in zip(numbers, asyncio.run(together()), strict=True):
        failed = isinstance(told, BaseException)
        out.put({"viewer": number, "error": repr(told)} if failed else told)


def cpu_s(process: int) -> float:
    """Seconds of a processor that a process has used; not a number where /proc is missing."""
    try:
        fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return float("nan")
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def measure(
    address: str, server: int, face: bytes, args: argparse.Namespace, *, slow: bool
) -> dict[str, Any]:
    """All viewers once; with `slow`, the last of them stands still most of the time."""
    spawn = multiprocessing.get_context("spawn")
    out: Any = spawn.Queue()
    turn = Turn(spawn.Value("i", 0), spawn.Value("d", float("inf")), args.seconds)
    numbers = list(range(args.viewers))
    groups = [numbers[:-1], numbers[-1:]] if slow and args.viewers > 1 else [numbers]
    children = [
        spawn.Process(
            target=run_viewers,
            args=(address, face, args.camera_fps, group, turn, out),
            daemon=True,
        )
        for group in groups
    ]
    for child in children:
        child.start()
    try:
        for _ in range(10 * START_S):
            if turn.ready.value == len(numbers) or not out.empty():
                break  # all get frames, or one has failed and says why
            time.sleep(0.1)
        begin = turn.begin.value = time.monotonic() + WARM_UP_S
        _until(begin)
        before = [cpu_s(server), *(cpu_s(int(child.pid or 0)) for child in children)]
        if len(groups) > 1:
            stumble(int(children[-1].pid or 0), begin + args.seconds)
        _until(begin + args.seconds)
        after = [cpu_s(server), *(cpu_s(int(child.pid or 0)) for child in children)]
        told = [out.get(timeout=2 * START_S) for _ in numbers]
    finally:
        for child in children:
            child.join(30)
            child.kill()
    used = [(b - a) / args.seconds for a, b in zip(before, after, strict=True)]
    return {
        "slow_viewer": numbers[-1] if len(groups) > 1 else None,
        "viewers": sorted(told, key=lambda row: row["viewer"]),
        "app_cores": round(used[0], 2),
        "viewers_cores": round(sum(used[1:]), 2),
    }


def stumble(process: int, until: float) -> None:
    """Let one of our own processes stand still for most of every second."""
    while time.monotonic() < until:
        os.kill(process, signal.SIGSTOP)
        try:
            time.sleep(STILL_S)
        finally:
            os.kill(process, signal.SIGCONT)
        time.sleep(AWAKE_S)


def _until(moment: float) -> None:
    time.sleep(max(moment - time.monotonic(), 0.0))


async def upload_all(address: str, people: int) -> dict[str, Any]:
    """So many people give a picture of their own at the same moment."""
    face = cv2.imread(str(SAMPLES / "average-happy.png"))
    assert face is not None
    uploads = []
    for person in range(people):
        wide = cv2.copyMakeBorder(face, 40, 40, 100 + person, 100, cv2.BORDER_REPLICATE)
        uploads.append(bytes(cv2.imencode(".png", cv2.resize(wide, (WIDTH, HEIGHT)))[1]))
    ready = 0
    go = asyncio.Event()

    async def person(data: bytes) -> float:
        nonlocal ready
        async with AppSession(address, "") as session:
            await session.find("file_uploader")
            ready += 1
            if ready == people:
                go.set()
            await asyncio.wait_for(go.wait(), 120)
            begun = time.monotonic()
            await session.upload("face.png", data)
            await session.find("html", lambda e: "probability-bars" in e.html.body)
            return time.monotonic() - begun

    tasks = [person(data) for data in uploads]
    told = await asyncio.gather(*tasks, return_exceptions=True)
    good = [t for t in told if isinstance(t, float)]
    return {
        "people": people,
        "answered": len(good),
        "errors": [repr(t) for t in told if not isinstance(t, float)],
        "first_s": round(min(good, default=float("nan")), 2),
        "median_s": round(float(np.median(good or [np.nan])), 2),
        "last_s": round(max(good, default=float("nan")), 2),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--viewers", type=int, default=4)
    parser.add_argument("--seconds", type=float, default=20.0)
    parser.add_argument(
        "--camera-fps", type=int, default=CAMERA_FPS, help="default: what the page asks for"
    )
    parser.add_argument("--detector", default="auto")
    parser.add_argument("--no-slow", action="store_true", help="leave the slow viewer out")
    parser.add_argument("--pictures", type=int, default=0, help="people who upload at once")
    parser.add_argument("--json", type=Path)
    args = parser.parse_args()
    environment = {
        "MOODLENS_OFFLINE": "1",
        "MOODLENS_DETECTOR": args.detector,
        "MOODLENS_LIVE_VIEWERS": str(max(args.viewers, 1)),
    }
    told: dict[str, Any] = {"machine": describe_machine(), "detector": args.detector}
    with served_app(environment) as (address, server):
        if args.pictures:
            asyncio.run(upload_all(address, 1))  # loads the network
            told["pictures"] = asyncio.run(upload_all(address, args.pictures))
        else:
            face = (SAMPLES / "average-happy.png").read_bytes()
            told |= {"camera_fps": args.camera_fps, "seconds": args.seconds}
            told["even"] = measure(address, server, face, args, slow=False)
            if not args.no_slow:
                told["one_slow"] = measure(address, server, face, args, slow=True)
    text = json.dumps(told, indent=1) + "\n"
    if args.json:
        args.json.write_text(text)
    print(text, end="")


if __name__ == "__main__":
    main()
