"""Downloads from real servers on loopback that behave as badly as real ones do."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from moodlens.artifacts import download
from moodlens.artifacts.download import fetch, recorded_hash
from moodlens.artifacts.transport import TransferError, drive_id
from moodlens.errors import DownloadError, MissingExtraError
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

    def right(self, times: int) -> None:
        self.send(RIGHT)

    def wrong(self, times: int) -> None:
        self.send(b"x" * len(RIGHT))

    def page(self, times: int) -> None:
        self.send(b"<!DOCTYPE html><html>Sign in</html>")

    def nothing(self, times: int) -> None:
        self.send(b"")

    def elsewhere(self, times: int) -> None:
        self.send(b"", 302, Location="/right")

    def refused(self, times: int) -> None:
        self.send(b"no", 403)

    def absent(self, times: int) -> None:
        self.send(b"no", 404)

    def busy_then_right(self, times: int) -> None:
        if times < 3:
            self.send(b"later", [500, 429][times - 1])
        else:
            self.send(RIGHT)

    def cut_then_resumed(self, times: int) -> None:
        asked = self.headers.get("Range")
        if asked is None:
            self.send(RIGHT[:100_000], length=len(RIGHT))
            self.close_connection = True
            self.connection.close()
            return
        start = int(asked.removeprefix("bytes=").rstrip("-"))
        end = f"bytes {start}-{len(RIGHT) - 1}/{len(RIGHT)}"
        self.send(RIGHT[start:], 206, Content_Range=end)

    def always_cut(self, times: int) -> None:
        self.send(RIGHT[:1000], length=len(RIGHT))
        self.close_connection = True
        self.connection.close()

    def enormous(self, times: int) -> None:
        self.send(b"x", length=10**12)


class Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.lock = threading.Lock()
        self.seen: list[tuple[str, str | None]] = []

    def handle_error(self, *arguments: object) -> None:
        """A cut connection is what was asked for."""

    def url(self, path: str) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/{path}"


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    monkeypatch.delenv("MOODLENS_OFFLINE")
    for name in ("HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(download, "BACK_OFF_S", 0.01)
    settings.cache_clear()
    opened = Server()
    thread = threading.Thread(target=opened.serve_forever, daemon=True)
    thread.start()
    yield opened
    opened.shutdown()
    opened.server_close()
    thread.join(5)


def nothing_half_loaded(folder: Path) -> bool:
    return not list(folder.glob("*.partial"))


@pytest.mark.parametrize("path", ["right", "elsewhere", "busy-then-right", "cut-then-resumed"])
def test_the_right_bytes_arrive(server: Server, tmp_path: Path, path: str) -> None:
    target = fetch([server.url(path)], tmp_path / "model", sha256=HASH)
    assert target.read_bytes() == RIGHT
    assert nothing_half_loaded(tmp_path)


def test_a_cut_download_is_resumed_where_it_stopped(server: Server, tmp_path: Path) -> None:
    fetch([server.url("cut-then-resumed")], tmp_path / "model", sha256=HASH)
    assert server.seen[0][1] is None
    assert server.seen[1][1] is not None
    assert len(server.seen) == 2


def test_the_second_use_needs_no_network(server: Server, tmp_path: Path) -> None:
    for _ in range(3):
        fetch([server.url("right")], tmp_path / "model")
    assert len(server.seen) == 1
    assert recorded_hash(tmp_path / "model") == HASH


@pytest.mark.parametrize("bad", ["wrong", "page", "refused", "absent", "nothing", "always-cut"])
def test_a_bad_mirror_is_passed_over(server: Server, tmp_path: Path, bad: str) -> None:
    urls = [server.url(bad), server.url("right")]
    assert fetch(urls, tmp_path / "model", sha256=HASH).read_bytes() == RIGHT


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("wrong", HASH),
        ("page", "web page"),
        ("refused", "403.*public"),
        ("absent", "404"),
        ("nothing", "empty"),
        ("always-cut", "cut short"),
        ("enormous", "at most"),
    ],
)
def test_failures_say_why_and_leave_nothing(
    server: Server, tmp_path: Path, path: str, words: str
) -> None:
    with pytest.raises(DownloadError, match=words) as caught:
        fetch([server.url(path)], tmp_path / "model", sha256=HASH)
    assert server.url(path) in str(caught.value)
    assert not (tmp_path / "model").exists()
    assert nothing_half_loaded(tmp_path)


def test_wrong_bytes_are_named_with_both_hashes(server: Server, tmp_path: Path) -> None:
    found = hashlib.sha256(b"x" * len(RIGHT)).hexdigest()
    with pytest.raises(DownloadError, match=found):
        fetch([server.url("wrong")], tmp_path / "model", sha256=HASH)


def test_a_file_damaged_on_disk_is_fetched_again(server: Server, tmp_path: Path) -> None:
    target = fetch([server.url("right")], tmp_path / "model")
    target.write_bytes(RIGHT[:-5])
    assert fetch([server.url("right")], target).read_bytes() == RIGHT


def test_nobody_answers(server: Server, tmp_path: Path) -> None:
    with pytest.raises(DownloadError, match="can't be reached"):
        fetch(["http://127.0.0.1:9/model"], tmp_path / "model")


def test_offline_never_touches_the_network(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MOODLENS_OFFLINE", "1")
    settings.cache_clear()
    with pytest.raises(DownloadError, match="MOODLENS_OFFLINE"):
        fetch([server.url("right")], tmp_path / "model")
    assert server.seen == []


def test_progress_is_told(server: Server, tmp_path: Path) -> None:
    told: list[tuple[int, int | None]] = []
    fetch([server.url("right")], tmp_path / "m", progress=lambda n, total: told.append((n, total)))
    assert told[-1] == (len(RIGHT), len(RIGHT))


def test_many_processes_make_one_download(server: Server, tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from moodlens.artifacts.download import fetch; "
        "fetch([sys.argv[1]], Path(sys.argv[2]))"
    )
    command = [sys.executable, "-c", code, server.url("right"), str(tmp_path / "model")]
    children = [subprocess.Popen(command) for _ in range(8)]
    assert [child.wait(120) for child in children] == [0] * 8
    assert len(server.seen) == 1
    assert (tmp_path / "model").read_bytes() == RIGHT


def test_the_record_is_plain_json(server: Server, tmp_path: Path) -> None:
    fetch([server.url("right")], tmp_path / "model")
    record = json.loads((tmp_path / "model.json").read_text())
    assert record == {"url": server.url("right"), "sha256": HASH, "size": len(RIGHT)}


@pytest.mark.parametrize(
    "link",
    [
        "gdrive:1A2b3C4d5E6f7G8h9I0jKlMnOpQrStUv",
        "gdrive:https://drive.google.com/file/d/1A2b3C4d5E6f7G8h9I0jKlMnOpQrStUv/view?usp=sharing",
        "https://drive.google.com/open?id=1A2b3C4d5E6f7G8h9I0jKlMnOpQrStUv",
        "https://drive.google.com/uc?export=download&id=1A2b3C4d5E6f7G8h9I0jKlMnOpQrStUv",
        "https://drive.google.com/file/u/0/d/1A2b3C4d5E6f7G8h9I0jKlMnOpQrStUv/edit",
    ],
)
def test_every_usual_share_link_has_its_id_found(link: str) -> None:
    assert drive_id(link) == "1A2b3C4d5E6f7G8h9I0jKlMnOpQrStUv"


def test_a_drive_link_without_an_id_is_refused() -> None:
    with pytest.raises(TransferError, match="Share"):
        drive_id("gdrive:https://drive.google.com/drive/my-drive")


def test_other_addresses_go_through_fsspec(server: Server, tmp_path: Path) -> None:
    source = tmp_path / "there.bin"
    source.write_bytes(RIGHT)
    try:
        fetch([f"file://{source}"], tmp_path / "model", sha256=HASH)
    except MissingExtraError as error:
        assert "cloud" in str(error)  # noqa: PT017 (either is right)
    else:
        assert (tmp_path / "model").read_bytes() == RIGHT
