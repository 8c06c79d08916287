"""`moodlens webcam` as a user runs it, without a camera or a display."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
import types
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from moodlens.cli.main import main

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Call the command line in this process: exit code, standard output, standard error."""

    def call(*arguments: object) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["moodlens", "webcam", *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            main()
        out, err = capsys.readouterr()
        code = ended.value.code
        return (code if isinstance(code, int) else 0), out, err

    return call


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    path = tmp_path / "clip.mp4"
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"mp4v"), 30, (160, 120))
    for i in range(40):
        frame = np.zeros((120, 160, 3), np.uint8)
        frame[:, : 4 * i] = 200
        writer.write(frame)
    writer.release()
    return path


def test_a_json_line_a_frame(run: Run, clip: Path) -> None:
    code, out, err = run(clip, "--no-window", "--max-frames", 7, "--detector", "haar")
    assert code == 0, err
    lines = [json.loads(line) for line in out.splitlines()]
    assert [line["frame_index"] for line in lines] == list(range(7))
    assert lines[0]["source"] == str(clip)
    assert lines[0]["faces"] == []
    assert (lines[0]["width"], lines[0]["height"]) == (160, 120)


@pytest.mark.shared_data
def test_a_face_has_an_id_and_events(run: Run, shared: Path) -> None:
    video = shared / "media" / "talking-woman.mp4"
    code, out, err = run(video, "--no-window", "--duration", 3, "--detector", "haar")
    assert code == 0, err
    lines = [json.loads(line) for line in out.splitlines()]
    assert 72 <= len(lines) <= 95
    assert {face["track_id"] for line in lines for face in line["faces"]} == {1}
    events = [event for line in lines for event in line.get("events", [])]
    assert events[0]["event"] == "emotion_changed"
    assert events[0]["from"] is None


@pytest.mark.shared_data
def test_a_mirror_swaps_left_and_right(run: Run, shared: Path) -> None:
    arguments = (shared / "media" / "one-face.jpg", "--no-window", "--detector", "haar")
    plain = json.loads(run(*arguments)[1])
    mirrored = json.loads(run(*arguments, "--mirror")[1])
    x1, _, x2, _ = plain["faces"][0]["box_xyxy"]
    m1, _, m2, _ = mirrored["faces"][0]["box_xyxy"]
    assert (m1 + m2) / 2 == pytest.approx(plain["width"] - (x1 + x2) / 2, abs=25)


def test_a_camera_that_is_not_there(run: Run) -> None:
    code, out, err = run(63, "--no-window", "--detector", "haar")
    assert (code, out) == (2, "")
    assert err.count("\n") == 1
    assert "camera 63" in err


@pytest.mark.parametrize("content", [None, b"", b"not a video"])
def test_a_video_that_can_not_be_read(run: Run, tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "bad.mp4"
    if content is not None:
        path.write_bytes(content)
    code, out, err = run(path, "--no-window", "--detector", "haar")
    assert (code, out) == (2, "")
    assert "bad.mp4" in err


def test_no_display_says_what_to_do(run: Run, clip: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("tkinter")
    monkeypatch.delenv("DISPLAY", raising=False)
    code, _, err = run(clip)
    if sys.platform == "linux":
        assert code == 2
        assert "--no-window" in err


def test_no_tkinter_says_what_to_do(run: Run, clip: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "tkinter", None)
    code, _, err = run(clip)
    assert code == 2
    assert "tkinter" in err
    assert "--no-window" in err


class FakeToolkit:
    """As much of tkinter as a window needs; its user presses q on a given frame."""

    def __init__(self, quits_after: int) -> None:
        self.shown: list[tuple[int, int]] = []
        self.destroyed = False
        self._quits_after = quits_after
        self._keys: dict[str, Callable[[object], None]] = {}

    def modules(self) -> tuple[Any, Any]:
        toolkit = self

        class Root:
            def update(self) -> None:
                if len(toolkit.shown) == toolkit._quits_after:
                    toolkit._keys["<q>"](None)

            def bind(self, key: str, call: Callable[[object], None]) -> None:
                toolkit._keys[key] = call

            def destroy(self) -> None:
                toolkit.destroyed = True

            def title(self, _text: str) -> None: ...

            def protocol(self, _name: str, _call: object) -> None: ...

        class Label:
            def __init__(self, *_: object, **__: object) -> None: ...

            def pack(self, **_: object) -> None: ...

            def configure(self, **_: object) -> None: ...

        class Photo:
            def __init__(self, _mode: str, size: tuple[int, int]) -> None:
                self._size = size

            def width(self) -> int:
                return self._size[0]

            def height(self) -> int:
                return self._size[1]

            def paste(self, image: Any) -> None:
                toolkit.shown.append(image.size)

        tkinter = types.SimpleNamespace(Tk=Root, Label=Label, TclError=RuntimeError)
        return tkinter, types.SimpleNamespace(PhotoImage=Photo)


def test_the_window_shows_frames_until_q(
    run: Run, clip: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import PIL

    toolkit = FakeToolkit(quits_after=5)
    tkinter, image_tk = toolkit.modules()
    monkeypatch.setitem(sys.modules, "tkinter", tkinter)
    monkeypatch.setitem(sys.modules, "PIL.ImageTk", image_tk)
    monkeypatch.setattr(PIL, "ImageTk", image_tk, raising=False)
    code, out, err = run(clip, "--detector", "haar")
    assert (code, out) == (0, ""), err
    assert toolkit.shown == [(160, 120)] * 5
    assert toolkit.destroyed


def test_ctrl_c_ends_cleanly(tmp_path: Path) -> None:
    path = tmp_path / "long.mp4"
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"mp4v"), 30, (320, 240))
    frame = np.random.default_rng(0).integers(0, 255, (240, 320, 3)).astype(np.uint8)
    for _ in range(600):
        writer.write(frame)
    writer.release()
    lines = tmp_path / "lines.jsonl"
    with lines.open("w") as out:
        process = subprocess.Popen(
            [
                *(sys.executable, "-m", "moodlens", "webcam", str(path), "--no-window"),
                *("--detector", "haar"),
            ],
            stdout=out,
            stderr=subprocess.PIPE,
            text=True,
        )
        deadline = time.monotonic() + 60
        while not lines.stat().st_size and time.monotonic() < deadline:
            time.sleep(0.1)
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=60)
    assert process.returncode == 0, err
    assert "Traceback" not in err
    assert 0 < len(lines.read_text().splitlines()) < 600


def test_a_reader_that_leaves_is_no_error(clip: Path) -> None:
    done = subprocess.run(
        f"{sys.executable} -m moodlens webcam {clip} --no-window --detector haar | head -n 1",
        shell=True,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert json.loads(done.stdout)["frame_index"] == 0
    assert "Traceback" not in done.stderr
