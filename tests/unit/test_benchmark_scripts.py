"""The scripts in `benchmarks/`: what they compute from what they measured."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

FOLDER = Path(__file__).resolve().parents[2] / "benchmarks"
MACHINE = {
    "processor": "P",
    "cores": 2,
    "system": "S",
    "python": "3",
    "onnxruntime": "1",
    "opencv": "4",
    "moodlens": "0",
}


def load(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"benchmark_{name}", FOLDER / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_changes_pass_over_frames_without_a_face() -> None:
    stability = load("label_stability")
    assert stability.changes(["sad", None, "sad", "happy", None, "sad"]) == 2
    assert stability.changes([None]) == 0
    assert stability.share_of(["sad", "happy", None, "sad"], ["sad"]) == 0.5


def test_made_frames_hold_the_face_in_their_middle() -> None:
    stability = load("label_stability")
    face = np.zeros((48, 48), np.uint8)
    face[:, 24:] = 200
    frames = list(stability.Stage(0).frames(face, 6))
    again = list(stability.Stage(0).frames(face, 6))
    assert all(np.array_equal(a, b) for a, b in zip(frames, again, strict=True))
    assert len({frame.tobytes() for frame in frames}) == 6
    for frame in frames:
        assert frame.shape == (240, 320, 3)
        middle = frame[90:150, :, 0].mean(axis=0)
        assert middle[95:145].mean() < 20
        assert middle[175:225].mean() > 180


@pytest.mark.parametrize(
    ("shown", "delay"),
    [(["happy", "sad"], 0.0), (["sad"] * 3 + ["happy"], 100.0), (["sad", None], None)],
)
def test_delay_counts_from_the_frame_of_the_cut(shown: list[Any], delay: float | None) -> None:
    found = load("label_stability").delay_ms(shown, "happy")
    assert found == (None if delay is None else pytest.approx(delay))


def test_faces_judged_once_are_those_of_the_lens() -> None:
    from moodlens.evaluation.bench_scene import face_pictures, make_frames
    from moodlens.lens import Lens

    stability = load("label_stability")
    lens = Lens(detector="haar")
    clip = make_frames(face_pictures(), 320, 240, 2, count=4)
    judged = stability.Judged(lens)
    asked: list[int] = []
    judge = lens.judge
    lens.judge = lambda frame, found: asked.append(len(found)) or judge(frame, found)  # type: ignore[method-assign, func-returns-value]
    once, again = judged.shown(clip), judged.shown(clip)
    assert asked == [2] * 4
    session = lens.open_session()
    looked = [lens.detector.detect(frame, min_face_px=24) for frame in clip]
    told = [
        session.process(frame, index / 30, detections=found).largest
        for index, (frame, found) in enumerate(zip(clip, looked, strict=True))
    ]
    assert once == again == [face.emotion for face in told if face]


def test_a_fitted_picture_keeps_its_proportions() -> None:
    speed = load("video_speed")
    wide = speed.fit(np.full((100, 400, 3), 255, np.uint8))
    assert wide.shape == (480, 640, 3)
    rows, columns = np.nonzero(wide[..., 0])
    assert (np.ptp(columns) + 1, np.ptp(rows) + 1) == (640, 160)


def memory_result(growth: float) -> dict[str, Any]:
    return {
        "benchmark": "memory_10000",
        "machine": MACHINE,
        "detector": "haar",
        "frames": 10_000,
        "tracks": 80,
        "settled_mib": 100.0,
        "end_mib": 100.0 + growth,
        "growth_mib": growth,
    }


@pytest.mark.parametrize(("growth", "met"), [(5.0, "yes"), (5.01, "**no**")])
def test_a_target_is_met_or_not(growth: float, met: str) -> None:
    docs = load("write_docs")
    lines = docs.targets({"memory_10000": [memory_result(growth)]}).splitlines()
    (line,) = [line for line in lines if "growth" in line]
    assert line.endswith(f"| {growth:.2f} | {met} |")


def test_ten_faces_are_held_against_one() -> None:
    docs = load("write_docs")
    rows = [
        {
            "detector": "haar",
            "faces": faces,
            "width": 640,
            "height": 480,
            "threads": 1,
            "whole_ms": whole,
            "stream_ms": stream,
        }
        for faces, whole, stream in ((1, 2.0, 2.0), (10, 8.0, 5.0))
    ]
    text = docs.targets({"bench": [{"frames": rows, "start": []}]})
    alone, on_stream = text.splitlines()[2:]
    assert "4.00 | **no**" in alone
    assert "2.50 | yes" in on_stream


def test_places_are_filled_again_and_again() -> None:
    docs = load("write_docs")
    text = "a\n<!-- begin one -->\nold\nlines\n<!-- end one -->\nb\n"
    once = docs.fill(text, "one", r"new \1")
    assert once == "a\n<!-- begin one -->\nnew \\1\n<!-- end one -->\nb\n"
    assert docs.fill(once, "one", "x") == docs.fill(text, "one", "x")
    with pytest.raises(ValueError, match="found 0"):
        docs.fill(text, "two", "x")


def test_the_document_has_a_place_for_every_result(tmp_path: Path) -> None:
    docs = load("write_docs")
    text = (FOLDER.parent / "docs" / "benchmarks.md").read_text(encoding="utf-8")
    for name in (*docs.RENDERERS, "targets"):
        text = docs.fill(text, name, f"block of {name}")
        assert f"block of {name}" in text
    document, result = tmp_path / "benchmarks.md", tmp_path / "memory.json"
    document.write_text(text, encoding="utf-8")
    result.write_text(json.dumps(memory_result(1.0)))
    script = [sys.executable, str(FOLDER / "write_docs.py"), str(result)]
    subprocess.run([*script, "--write", str(document)], check=True)
    filled = document.read_text(encoding="utf-8")
    assert "| haar | 10000 | 80 | 100.00 | 101.00 | 1.00 |" in filled
    assert "block of bench" in filled


def test_a_quick_look_is_not_written_down(tmp_path: Path) -> None:
    result = tmp_path / "bench.json"
    result.write_text(json.dumps({"benchmark": "bench", "quick": True}))
    script = [sys.executable, str(FOLDER / "write_docs.py"), str(result)]
    done = subprocess.run(script, capture_output=True, text=True)
    assert done.returncode == 2
    assert "no measurement" in done.stderr
