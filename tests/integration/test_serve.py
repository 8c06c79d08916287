"""`moodlens serve` as a process, with real sockets; and what strangers send."""

from __future__ import annotations

import asyncio
import http.client
import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import cv2
import pytest
import schemathesis
import websockets
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from starlette.testclient import TestClient

from moodlens.server import ServerSettings, create_app

SAMPLES = Path(__file__).parents[2] / "src" / "moodlens" / "webapp" / "samples"
FACE = (SAMPLES / "average-happy.png").read_bytes()
MUTATIONS = int(os.environ.get("MOODLENS_FUZZ", "1000"))

LIMITS = ServerSettings(max_pixels=4_000_000, max_body_mb=2)
app = create_app(LIMITS, detector="moodlens")
schema = schemathesis.openapi.from_asgi("/openapi.json", app)


@pytest.fixture(scope="module")
def started() -> Iterator[None]:
    """The app that schemathesis calls."""
    with TestClient(app):
        yield


@pytest.mark.usefixtures("started")
@schema.parametrize()
@settings(max_examples=15, deadline=None, suppress_health_check=list(HealthCheck))
def test_nothing_that_the_schema_allows_breaks_it(case: schemathesis.Case) -> None:
    answer = case.call()
    assert answer.status_code < 500
    case.validate_response(answer, checks=[schemathesis.checks.not_a_server_error])


def mutated(data: bytes, edits: list[tuple[int, int, bytes]]) -> bytes:
    """Bytes replaced, taken out or put in, anywhere or in the header, which holds the sizes."""
    found = bytearray(data)
    for kind, place, by in edits:
        at = place % max(len(found), 1)
        if kind == 0:
            found[at : at + len(by)] = by
        elif kind == 1:
            del found[at : at + len(by)]
        elif kind == 2:
            found[at:at] = by
        else:
            found[at % 64 : at % 64 + 1] = by[:1]
    return bytes(found)


class Served:
    """A server of its own process."""

    def __init__(self, log: Path, **environment: str) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = int(probe.getsockname()[1])
        self.log = log
        self._file = log.open("w")
        self.process = subprocess.Popen(
            [sys.executable, "-m", "moodlens", "serve", "--port", str(self.port)],
            env=os.environ | environment,
            stderr=self._file,
            stdout=subprocess.DEVNULL,
        )
        until = time.monotonic() + 60
        while time.monotonic() < until:
            with suppress(OSError), urlopen(f"{self.address}/readyz", timeout=2) as answer:
                if answer.status == 200:
                    return
            if self.process.poll() is not None:
                break
            time.sleep(0.1)
        pytest.fail(f"the server did not start: {log.read_text()}")

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def post(self, data: bytes, timeout: float = 30) -> int:
        asked = Request(f"{self.address}/v1/analyze", data, {"Content-Type": "image/png"})
        try:
            with urlopen(asked, timeout=timeout) as answer:
                return int(answer.status)
        except HTTPError as error:
            return error.code

    def metric(self, name: str) -> float:
        with urlopen(f"{self.address}/metrics", timeout=5) as answer:
            text = answer.read().decode()
        found = re.search(rf"^{re.escape(name)} (\S+)$", text, re.MULTILINE)
        return float(found[1]) if found else 0.0

    def lines(self) -> list[dict[str, object]]:
        text = self.log.read_text().splitlines()
        return [json.loads(line) for line in text if line.startswith("{")]

    def resident_mib(self) -> float:
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        found = re.search(r"VmRSS:\s+(\d+)", status)
        assert found
        return int(found[1]) / 1024

    def close(self) -> int:
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        code = self.process.wait(30)
        self._file.close()
        return code


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    found = Served(
        tmp_path_factory.mktemp("serve") / "log.txt",
        MOODLENS_SERVE_BODY_TIMEOUT_S="1",
        MOODLENS_SERVE_MAX_STREAMS="1100",
        MOODLENS_SERVE_MAX_PIXELS="4000000",
        MOODLENS_OFFLINE="1",
    )
    yield found
    found.close()


def test_mutated_pictures_are_answered_or_refused_and_leave_nothing_behind(served: Served) -> None:
    picture = cv2.resize(cv2.imread(str(SAMPLES / "average-happy.png")), (160, 160))
    kinds = [cv2.imencode(end, picture)[1].tobytes() for end in (".jpg", ".png", ".webp", ".bmp")]
    edit = st.tuples(st.integers(0, 3), st.integers(0, 100_000), st.binary(min_size=1, max_size=64))
    found: Counter[int] = Counter()
    resident: list[float] = []
    asking = http.client.HTTPConnection("127.0.0.1", served.port, timeout=30)

    @settings(max_examples=MUTATIONS, deadline=None, database=None, derandomize=True)
    @given(st.sampled_from(kinds), st.lists(edit, min_size=1, max_size=12))
    def ask(data: bytes, edits: list[tuple[int, int, bytes]]) -> None:
        asking.request("POST", "/v1/analyze", mutated(data, edits), {"Content-Type": "image/png"})
        answer = asking.getresponse()
        assert answer.read()
        found[answer.status] += 1
        assert answer.status in (200, 422)
        if found.total() in (MUTATIONS // 4, MUTATIONS):
            resident.append(served.resident_mib())

    ask()
    asking.close()
    print(f"{dict(found)}, {resident} MiB")  # shown with -s
    assert len(found) == 2  # some are still pictures, some are not
    assert served.metric("moodlens_queue_depth") == 0
    # 40,000 of them take 18 MiB, all of it before the 30,000th: room for the largest seen so far
    assert resident[-1] - resident[0] < 30
    assert served.process.poll() is None


def test_a_body_that_never_ends_is_given_up(served: Served) -> None:
    with socket.create_connection(("127.0.0.1", served.port), timeout=20) as slow:
        slow.sendall(
            b"POST /v1/analyze HTTP/1.1\r\nHost: x\r\nContent-Type: image/png\r\n"
            b"Content-Length: 1000\r\n\r\n"
        )
        slow.sendall(b"x")
        answer = b""
        while part := slow.recv(4096):  # until the server closes
            answer += part
    assert b" 408 " in answer.split(b"\r\n")[0]
    assert b"did not come within 1 s" in answer
    assert served.post(FACE) == 200


def test_a_caller_who_leaves_is_not_worked_for(served: Served) -> None:
    before = served.metric('moodlens_rejected_total{reason="left"}')
    head = f"POST /v1/analyze HTTP/1.1\r\nHost: x\r\nContent-Length: {len(FACE)}\r\n\r\n".encode()
    for _ in range(8):
        with socket.create_connection(("127.0.0.1", served.port), timeout=20) as gone:
            gone.sendall(head + FACE)
    until = time.monotonic() + 20
    while time.monotonic() < until and served.metric("moodlens_queue_depth") > 0:
        time.sleep(0.05)
    assert served.metric("moodlens_queue_depth") == 0
    assert served.metric('moodlens_rejected_total{reason="left"}') > before
    assert served.post(FACE) == 200


def test_a_thousand_idle_websockets_are_no_burden(served: Served) -> None:
    async def run() -> int:
        address = f"ws://127.0.0.1:{served.port}/v1/stream"
        many = [await websockets.connect(address, open_timeout=30) for _ in range(1000)]
        status = await asyncio.to_thread(served.post, FACE)
        await many[-1].send(FACE)
        said = json.loads(await asyncio.wait_for(many[-1].recv(), 30))
        assert said["faces"][0]["emotion"] == "happy"
        await asyncio.gather(*(one.close() for one in many))
        return status

    assert asyncio.run(run()) == 200
    until = time.monotonic() + 20
    while time.monotonic() < until and served.metric("moodlens_streams") > 0:
        time.sleep(0.05)
    assert served.metric("moodlens_streams") == 0


def test_a_taken_port_is_one_line(served: Served) -> None:
    again = subprocess.run(
        [sys.executable, "-m", "moodlens", "serve", "--port", str(served.port)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert again.returncode == 2
    assert f"127.0.0.1:{served.port}" in again.stderr
    assert "Traceback" not in again.stderr


def test_a_stop_finishes_what_was_accepted(tmp_path: Path) -> None:
    served = Served(tmp_path / "log.txt", MOODLENS_OFFLINE="1", MOODLENS_SERVE_WORKERS="1")
    large = cv2.imencode(
        ".png", cv2.resize(cv2.imread(str(SAMPLES / "three-faces.png")), (2400, 1600))
    )
    statuses: list[int] = []

    def ask() -> None:
        with suppress(OSError):
            statuses.append(served.post(large[1].tobytes()))

    callers = [threading.Thread(target=ask) for _ in range(6)]
    for caller in callers:
        caller.start()
    until = time.monotonic() + 20
    while time.monotonic() < until and served.metric("moodlens_queue_depth") < 2:
        time.sleep(0.005)
    accepted = served.metric("moodlens_queue_depth")
    assert served.close() in (0, -signal.SIGTERM)
    for caller in callers:
        caller.join(30)
    assert statuses.count(200) >= accepted
    events = [line["event"] for line in served.lines()]
    assert "closed" in events
    assert not any("Traceback" in str(line) for line in served.lines())


def test_the_client_of_the_docs_works(served: Served, tmp_path: Path) -> None:
    page = (Path(__file__).parents[2] / "docs" / "server.md").read_text(encoding="utf-8")
    (code,) = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    assert len(code.splitlines()) <= 60
    script = tmp_path / "client.py"
    script.write_text(code)
    picture = SAMPLES / "average-happy.png"
    good = subprocess.run(
        [sys.executable, str(script), served.address, str(picture)],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert good.stdout.startswith("average-happy.png [('happy',")
    bad = subprocess.run(
        [sys.executable, str(script), served.address, str(script)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert "422: client.py: not a picture" in bad.stderr
