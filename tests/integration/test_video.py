"""`moodlens video` as a user runs it: files in, files and a summary out."""

from __future__ import annotations

import csv
import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest

from moodlens.cli.main import main

av = pytest.importorskip("av")

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Call the command line in this process: exit code, standard output, standard error."""

    def call(*arguments: object) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["moodlens", *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            main()
        out, err = capsys.readouterr()
        code = ended.value.code
        return (code if isinstance(code, int) else 0), out, err

    return call


def clip(path: Path, frames: int = 30, size: tuple[int, int] = (160, 120)) -> Path:
    """A video without faces."""
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"mp4v"), 30, size)
    rng = np.random.default_rng(0)
    for _ in range(frames):
        writer.write(rng.integers(0, 255, (size[1], size[0], 3)).astype(np.uint8))
    writer.release()
    return path


def count_frames(path: Path) -> int:
    with av.open(str(path)) as container:
        return sum(1 for _ in container.decode(video=0))


@pytest.mark.shared_data
def test_everything_at_once(run: Run, shared: Path, tmp_path: Path) -> None:
    source, out = tmp_path / "talk.mp4", tmp_path / "out"
    trim(shared / "media" / "talking-woman.mp4", source, 45)
    code, text, err = run(
        *("video", source, "--annotate", "--timeline", "csv", "--output", out),
        *("--summary", "json", "--detector", "haar"),
    )
    assert code == 0, err
    (summary,) = json.loads(text)
    assert summary["frames"] == 45
    assert summary["faces"] == 1
    assert sum(summary["share_of_time"].values()) == pytest.approx(1.0, abs=1e-3)
    assert summary["frames_skipped"] == 0
    assert {Path(name).name for name in summary["files"]} == {
        "talk.moodlens.mp4",
        "talk.timeline.csv",
        "talk.timeline.png",
        "talk.summary.json",
    }
    assert json.loads((out / "talk.summary.json").read_text())["frames"] == 45
    assert count_frames(out / "talk.moodlens.mp4") == 45
    with (out / "talk.timeline.csv").open() as file:
        found = list(csv.DictReader(file))
    assert len(found) == 45 - summary["frames_without_face"]
    assert {row["track_id"] for row in found} == {"1"}


def trim(source: Path, target: Path, frames: int) -> None:
    from moodlens.imaging.sources import open_source
    from moodlens.imaging.video_out import VideoWriter

    with open_source(source) as opened, VideoWriter(target) as writer:
        for frame in opened:
            if frame.index == frames:
                break
            writer.write(frame.image, frame.timestamp_s)


@pytest.mark.parametrize("kind", ["jsonl", "parquet"])
def test_timelines_without_faces(run: Run, tmp_path: Path, kind: str) -> None:
    if kind == "parquet":
        pytest.importorskip("pyarrow")
    code, text, err = run(
        *("video", clip(tmp_path / "a.mp4"), "--timeline", kind, "--output", tmp_path / "out"),
        *("--detector", "haar"),
    )
    assert code == 0, err
    assert (tmp_path / "out" / f"a.timeline.{kind}").is_file()
    assert "30 frames" in text


def test_a_second_run_replaces_nothing(run: Run, tmp_path: Path) -> None:
    source, out = clip(tmp_path / "a.mp4", 3), tmp_path / "out"
    for _ in range(2):
        assert run("video", source, "--output", out, "--detector", "haar")[0] == 0
    names = sorted(path.name for path in out.iterdir())
    assert names == [
        "a-2.summary.json",
        "a-2.timeline.png",
        "a.summary.json",
        "a.timeline.png",
    ]


def test_bad_files_are_told_and_the_others_analysed(run: Run, tmp_path: Path) -> None:
    empty = tmp_path / "empty.mp4"
    empty.touch()
    text = tmp_path / "text.mp4"
    text.write_text("no video at all")
    good = clip(tmp_path / "good.mp4", 5)
    code, out, err = run(
        *("video", empty, text, tmp_path / "none.mp4", tmp_path, good),
        *("--summary", "json", "--detector", "haar"),
    )
    assert code == 1
    assert [entry["frames"] for entry in json.loads(out)] == [5]
    lines = [line for line in err.splitlines() if line.startswith("moodlens:")]
    assert len(lines) == 4
    for name, line in zip(("empty.mp4", "text.mp4", "none.mp4", str(tmp_path)), lines, strict=True):
        assert name in line


def test_a_cut_off_video_gives_what_can_be_read(run: Run, tmp_path: Path) -> None:
    whole = tmp_path / "whole.avi"
    writer = cv2.VideoWriter(str(whole), cv2.VideoWriter.fourcc(*"MJPG"), 30, (160, 120))
    for i in range(60):
        writer.write(np.full((120, 160, 3), i, np.uint8))
    writer.release()
    torn = tmp_path / "torn.avi"
    torn.write_bytes(whole.read_bytes()[: whole.stat().st_size // 2])
    code, out, err = run("video", torn, "--summary", "json", "--detector", "haar")
    assert code in (0, 1), err
    (summary,) = json.loads(out)
    assert 5 < summary["frames"] < 60


def test_files_need_a_folder(run: Run, tmp_path: Path) -> None:
    code, _, err = run("video", tmp_path / "a.mp4", "--annotate")
    assert code == 2
    assert "--output" in err


def test_an_output_that_is_a_file_is_wrong_use(run: Run, tmp_path: Path) -> None:
    (tmp_path / "taken").touch()
    code, _, err = run("video", clip(tmp_path / "a.mp4", 2), "--output", tmp_path / "taken")
    assert code == 2
    assert "taken" in err


def test_ctrl_c_finishes_the_files(tmp_path: Path) -> None:
    source = clip(tmp_path / "long.mp4", 600, (320, 240))
    out = tmp_path / "out"
    process = subprocess.Popen(
        [
            *(sys.executable, "-m", "moodlens", "video", str(source), "--annotate"),
            *("--detector", "haar", "--timeline", "jsonl", "--summary", "json"),
            *("--output", str(out)),
        ],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    deadline = time.monotonic() + 60
    while not list(out.glob("*.moodlens.mp4")) and time.monotonic() < deadline:
        time.sleep(0.1)
    time.sleep(0.3)
    process.send_signal(signal.SIGINT)
    text, err = process.communicate(timeout=60)
    assert process.returncode == 130, err
    assert "stopped" in err
    (summary,) = json.loads(text)
    assert 0 < summary["frames"] < 600
    assert count_frames(out / "long.moodlens.mp4") == summary["frames"]
    assert json.loads((out / "long.summary.json").read_text())["frames"] == summary["frames"]


FULL = """
import resource, signal, sys
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, 300_000))
sys.argv[0] = "moodlens"
from moodlens.cli.main import main
main()
"""


def test_a_full_disk_keeps_what_was_analysed(tmp_path: Path) -> None:
    out = tmp_path / "out"
    source = clip(tmp_path / "a.mp4", 90, (320, 240))
    done = subprocess.run(
        [
            *(sys.executable, "-c", FULL, "video", str(source), "--annotate"),
            *("--detector", "haar", "--output", str(out), "--summary", "json"),
        ],
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 1, done.stderr
    assert "can't be written" in done.stderr
    (summary,) = json.loads(done.stdout)
    assert 0 < summary["frames"] < 90
    assert count_frames(out / "a.moodlens.mp4") > 0
    assert json.loads((out / "a.summary.json").read_text())["frames"] == summary["frames"]
