"""Servers on loopback that behave as badly as real ones do."""

from __future__ import annotations

import hashlib
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from moodlens.artifacts import download
from moodlens.settings import settings

RIGHT = bytes(range(256)) * 800
HASH = hashlib.sha256(RIGHT).hexdigest()


class Handler(BaseHTTPRequestHandler):
    """Each path is a way to behave."""

    def log_message(self, *arguments: object) -> None:
        pass

    def do_GET(self) -> None:
        server: Server = self.server  # type: ignore[assignment]
        with server.lock:
            server.seen.append((self.path, self.headers.get("Range")))
            times = sum(path == self.path for path, _ in server.seen)
        getattr(self, self.path.strip("/").split("/")[0].replace("-", "_"))(times)

    def send(self, body: bytes, status: int = 200, length: int | None = None, **more: str) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body) if length is None else length))
        for name, value in more.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(body)

    def cut(self, body: bytes, **more: str) -> None:
        """Less than was announced, then silence."""
        self.send(body, length=len(RIGHT), **more)
        self.close_connection = True
        self.connection.close()

    def rest(self, asked: str, of: bytes = RIGHT) -> None:
        """A range, as it was asked for."""
        start = int(asked.removeprefix("bytes=").rstrip("-"))
        if start >= len(of):
            self.send(b"", 416)
            return
        self.send(of[start:], 206, Content_Range=f"bytes {start}-{len(of) - 1}/{len(of)}")

    def right(self, times: int) -> None:
        self.send(RIGHT)

    def slow(self, times: int) -> None:
        self.send_response(200)
        self.send_header("Content-Length", str(len(RIGHT)))
        self.end_headers()
        for start in range(0, len(RIGHT), 8192):
            self.wfile.write(RIGHT[start : start + 8192])
            time.sleep(0.004)

    def wrong(self, times: int) -> None:
        self.send(b"x" * len(RIGHT))

    def page(self, times: int) -> None:
        self.send(b"<!DOCTYPE html><html>Sign in</html>")

    def nothing(self, times: int) -> None:
        self.send(b"")

    def elsewhere(self, times: int) -> None:
        self.send(b"", 302, Location="/right")

    def around(self, times: int) -> None:
        self.send(b"", 302, Location="/around")

    def refused(self, times: int) -> None:
        self.send(b"no", 403)

    def absent(self, times: int) -> None:
        self.send(b"no", 404)

    def broken(self, times: int) -> None:
        self.send(b"no", 500)

    def busy(self, times: int) -> None:
        self.send(b"no", 429)

    def busy_then_right(self, times: int) -> None:
        if times < 3:
            self.send(b"later", [500, 429][times - 1])
        else:
            self.send(RIGHT)

    def cut_then_resumed(self, times: int) -> None:
        asked = self.headers.get("Range")
        if asked is None:
            self.cut(RIGHT[:100_000])
        else:
            self.rest(asked)

    def cut_then_whole(self, times: int) -> None:
        """Ranges are refused: the whole file comes again."""
        if times == 1:
            self.cut(RIGHT[:100_000])
        else:
            self.send(RIGHT)

    def cut_then_elsewhere_in_it(self, times: int) -> None:
        """The answer to a range is another range."""
        if times == 1:
            self.cut(RIGHT[:100_000])
        elif self.headers.get("Range"):
            whole = f"bytes 5-{len(RIGHT) - 1}/{len(RIGHT)}"
            self.send(RIGHT[5:], 206, Content_Range=whole)
        else:
            self.send(RIGHT)

    def changed_meanwhile(self, times: int) -> None:
        """The file becomes another one between two requests; a good server says so."""
        if times == 1:
            self.cut(b"o" * 100_000, ETag='"old"')
        elif self.headers.get("Range") and self.headers.get("If-Range") == '"new"':
            self.rest(self.headers["Range"])
        else:
            self.send(RIGHT, ETag='"new"')

    def ranges(self, times: int) -> None:
        asked = self.headers.get("Range")
        if asked:
            self.rest(asked)
        else:
            self.send(RIGHT)

    def always_cut(self, times: int) -> None:
        self.cut(RIGHT[:1000])

    def stalls(self, times: int) -> None:
        self.send(RIGHT[:1000], length=len(RIGHT))
        self.wfile.flush()
        self.server.gate.wait(20)  # type: ignore[attr-defined]

    def silent(self, times: int) -> None:
        self.server.gate.wait(20)  # type: ignore[attr-defined]

    def says_less(self, times: int) -> None:
        self.send(RIGHT, length=len(RIGHT) - 7)
        self.close_connection = True

    def enormous(self, times: int) -> None:
        self.send(b"x", length=10**12)

    def endless(self, times: int) -> None:
        """No length is announced, and it does not stop."""
        self.send_response(200)
        self.end_headers()
        self.close_connection = True
        for _ in range(200):
            self.wfile.write(RIGHT)


class Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.lock = threading.Lock()
        self.gate = threading.Event()
        self.seen: list[tuple[str, str | None]] = []

    def handle_error(self, *arguments: object) -> None:
        """A cut connection is what was asked for."""

    def url(self, path: str) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/{path}"


@pytest.fixture
def online(monkeypatch: pytest.MonkeyPatch) -> None:
    """The network may be used, without a proxy and without long pauses."""
    monkeypatch.delenv("MOODLENS_OFFLINE")
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)
    monkeypatch.setattr(download, "BACK_OFF_S", 0.01)
    settings.cache_clear()


@pytest.fixture
def server(online: None) -> Iterator[Server]:
    opened = Server()
    thread = threading.Thread(target=opened.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    yield opened
    opened.gate.set()
    opened.shutdown()
    opened.server_close()
    thread.join(5)
