"""Downloads from real servers on loopback that behave as badly as real ones do."""

from __future__ import annotations

import hashlib
import json
import random
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from moodlens.artifacts import download, transport
from moodlens.artifacts.download import fetch, recorded_hash
from moodlens.artifacts.transport import TransferError, drive_id
from moodlens.errors import DownloadError
from moodlens.settings import settings

RIGHT = bytes(range(256)) * 800
HASH = hashlib.sha256(RIGHT).hexdigest()
Server = Any  # of conftest
FETCH = (
    "import sys; from pathlib import Path; from moodlens.artifacts.download import fetch; "
    "fetch([sys.argv[1]], Path(sys.argv[2]), sha256=(sys.argv[3:] or [None])[0])"
)


def nothing_half_loaded(folder: Path) -> bool:
    return not list(folder.glob("*.partial"))


@pytest.mark.parametrize(
    "path",
    [
        "right",
        "elsewhere",
        "busy-then-right",
        "cut-then-resumed",
        "cut-then-whole",
        "cut-then-elsewhere-in-it",
        "changed-meanwhile",
    ],
)
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


@pytest.mark.parametrize(
    "bad", ["wrong", "page", "refused", "absent", "nothing", "always-cut", "says-less"]
)
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
        ("broken", "500.*trouble"),
        ("busy", "429.*too many requests"),
        ("around", "can't be reached"),
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


def test_twenty_processes_make_one_download(server: Server, tmp_path: Path) -> None:
    command = [sys.executable, "-c", FETCH, server.url("slow"), str(tmp_path / "model")]
    children = [subprocess.Popen(command) for _ in range(20)]
    assert [child.wait(200) for child in children] == [0] * 20
    assert len(server.seen) == 1
    assert (tmp_path / "model").read_bytes() == RIGHT


def test_a_kill_at_any_moment_leaves_the_cache_whole(server: Server, tmp_path: Path) -> None:
    """Fifty downloads, each killed at a moment of its own; never a half file under the name."""
    forker = (
        "import os, sys, signal, time; from pathlib import Path\n"
        "import requests, filelock, moodlens.settings\n"
        "from moodlens.artifacts.download import fetch\n"
        "url, folder = sys.argv[1], Path(sys.argv[2])\n"
        "for line in sys.stdin:\n"
        "    name, pause = line.split(); child = os.fork()\n"
        "    if not child:\n"
        "        fetch([url], folder / name); os._exit(0)\n"
        "    time.sleep(float(pause)); os.kill(child, signal.SIGKILL)\n"
        "    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)\n"
    )
    chance = random.Random(0)
    ends = []
    command = [sys.executable, "-c", forker, server.url("slow"), str(tmp_path)]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as parent:
        assert parent.stdin is not None
        assert parent.stdout is not None
        for n in range(50):
            target = tmp_path / f"{n % 5}"
            parent.stdin.write(f"{target.name} {chance.uniform(0.0, 0.15)}\n")
            parent.stdin.flush()
            ends.append(int(parent.stdout.readline()))
            if target.exists():
                assert target.read_bytes() == RIGHT
                target.unlink()
    assert ends.count(-signal.SIGKILL) > 10
    for n in range(5):
        assert fetch([server.url("right")], tmp_path / f"{n}").read_bytes() == RIGHT
    assert nothing_half_loaded(tmp_path)


def test_what_a_killed_download_left_is_gone_on_with(server: Server, tmp_path: Path) -> None:
    (tmp_path / "model.partial").write_bytes(RIGHT[:50_000])
    target = fetch([server.url("ranges")], tmp_path / "model", sha256=HASH)
    assert target.read_bytes() == RIGHT
    assert server.seen == [("/ranges", "bytes=50000-")]


@pytest.mark.parametrize("left", [b"z" * 50_000, RIGHT + b"more"])
def test_what_was_left_by_another_version_is_thrown_away(
    server: Server, tmp_path: Path, left: bytes
) -> None:
    (tmp_path / "model.partial").write_bytes(left)
    target = fetch([server.url("ranges")], tmp_path / "model", sha256=HASH)
    assert target.read_bytes() == RIGHT
    assert server.seen[-1] == ("/ranges", None)


def test_without_a_hash_nothing_left_over_is_trusted(server: Server, tmp_path: Path) -> None:
    (tmp_path / "model.partial").write_bytes(b"z" * 50_000)
    assert fetch([server.url("ranges")], tmp_path / "model").read_bytes() == RIGHT


@pytest.mark.parametrize("path", ["stalls", "silent"])
def test_a_server_that_stalls_is_given_up(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, path: str
) -> None:
    monkeypatch.setattr(transport, "READ_S", 0.2)
    with pytest.raises(DownloadError, match="timed out"):
        fetch([server.url(path)], tmp_path / "model")
    assert len(server.seen) == 4  # one try and three more
    assert nothing_half_loaded(tmp_path)


def test_pauses_between_tries_grow(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pauses: list[float] = []
    monkeypatch.setattr(download.time, "sleep", pauses.append)
    with pytest.raises(DownloadError, match="HTTP 500"):
        fetch([server.url("broken")], tmp_path / "model")
    assert pauses == [0.01, 0.02, 0.04]


def test_a_refusal_is_not_tried_again(server: Server, tmp_path: Path) -> None:
    with pytest.raises(DownloadError, match="403"):
        fetch([server.url("refused")], tmp_path / "model")
    assert len(server.seen) == 1


def test_an_endless_answer_is_cut_at_the_limit(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(download, "SIZE_LIMIT", 1_000_000)
    with pytest.raises(DownloadError, match="too large"):
        fetch([server.url("endless")], tmp_path / "model")
    assert list(tmp_path.glob("*.partial")) == []


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no limit on a file's size")
def test_a_full_disk_is_one_clear_line_and_leaves_nothing(server: Server, tmp_path: Path) -> None:
    code = "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, 50_000)); " + FETCH
    command = [sys.executable, "-c", code, server.url("right"), str(tmp_path / "model")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert "can't be written" in done.stderr
    assert "MOODLENS_CACHE_DIR" in done.stderr
    assert [p.name for p in tmp_path.iterdir() if p.suffix != ".lock"] == []


def test_a_proxy_is_respected(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("http_proxy", server.url(""))
    monkeypatch.setenv("no_proxy", "")
    with pytest.raises(DownloadError):
        fetch(["http://models.invalid/model"], tmp_path / "model")
    assert {path for path, _ in server.seen} == {"http://models.invalid/model"}


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


def test_a_file_address_needs_no_more_packages(server: Server, tmp_path: Path) -> None:
    source = tmp_path / "there.bin"
    source.write_bytes(RIGHT)
    assert fetch([source.as_uri()], tmp_path / "model", sha256=HASH).read_bytes() == RIGHT
    with pytest.raises(DownloadError, match="there is no such file"):
        fetch([(tmp_path / "absent").as_uri()], tmp_path / "other")


def test_an_unknown_kind_of_address_says_so(server: Server, tmp_path: Path) -> None:
    with pytest.raises(DownloadError, match=r"nonsense://x: can't be read"):
        fetch(["nonsense://x"], tmp_path / "model")
