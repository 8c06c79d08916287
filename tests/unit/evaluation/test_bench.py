"""What a benchmark measures: its frames, its cases, the recorded network calls, memory."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from moodlens.errors import ImageError, MoodlensError, SettingsError
from moodlens.evaluation import bench_scene
from moodlens.evaluation.bench import (
    FACES,
    RESOLUTIONS,
    THREADS,
    Case,
    Timing,
    choose_cases,
    describe_machine,
    detectors_here,
    measure,
)
from moodlens.evaluation.bench_child import resident_mib
from moodlens.evaluation.bench_floor import record_calls
from moodlens.evaluation.bench_scene import BACKGROUND, face_pictures, make_frames
from moodlens.evaluation.bench_start import measure_start
from moodlens.lens import Lens

WHITE = np.full((30, 20, 3), 255, np.uint8)


@given(st.integers(64, 400), st.integers(64, 400), st.integers(1, 12))
@settings(max_examples=40, deadline=None)
def test_every_face_is_whole_and_keeps_its_proportions(width: int, height: int, faces: int) -> None:
    (frame,) = make_frames([WHITE], width, height, faces, count=1)
    assert frame.shape == (height, width, 3)
    white = (frame[..., 0] == 255).astype(np.uint8)
    count, _, stats, _ = cv2_components(white)
    assert count - 1 == faces
    for _, _, w, h, area in stats[1:]:
        assert area == w * h
        assert abs(h - 1.5 * w) <= 2.5  # whole pixels
    assert set(np.unique(frame)) == {BACKGROUND, 255}


def cv2_components(mask: np.ndarray) -> Any:
    import cv2

    return cv2.connectedComponentsWithStats(mask)


def test_frames_differ_by_a_movement_alone() -> None:
    frames = make_frames([WHITE], 160, 120, 3, count=4)
    whites = [np.argwhere(frame[..., 0] == 255) for frame in frames]
    assert len({len(places) for places in whites}) == 1
    moved = {tuple((places - whites[0])[0]) for places in whites}
    assert len(moved) == 4
    assert all(y == x and abs(x) <= 6 for y, x in moved)


def test_the_sample_faces_are_found_ten_times() -> None:
    (frame,) = make_frames(face_pictures(), 1280, 720, 10, count=1)
    assert len(Lens(detector="haar").analyze(frame).faces) == 10


def test_a_picture_of_the_users(tmp_path: Path) -> None:
    with pytest.raises(ImageError, match="no such file"):
        face_pictures(tmp_path / "a.png")


def test_an_install_without_samples(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(bench_scene, "SAMPLES", tmp_path)
    with pytest.raises(SettingsError, match="--image"):
        face_pictures()


def test_usual_cases_cover_every_size_number_and_thread() -> None:
    cases = choose_cases(["haar", "yunet"])
    assert len(cases) == len(set(cases))
    for detector in ("haar", "yunet"):
        mine = [case for case in cases if case.detector == detector]
        assert {(c.width, c.height) for c in mine} == set(RESOLUTIONS)
        usual = {(c.faces, c.threads) for c in mine if (c.width, c.height) == (640, 480)}
        assert usual == {(f, t) for f in FACES for t in THREADS}


def test_quick_is_part_of_usual_and_usual_of_full() -> None:
    quick, usual, full = (
        set(choose_cases(["haar"], **options)) for options in ({"quick": True}, {}, {"full": True})
    )
    assert quick < usual < full
    assert len(full) == len(RESOLUTIONS) * len(FACES) * len(THREADS)


def test_without_a_model_folder_only_what_is_inside(monkeypatch: pytest.MonkeyPatch) -> None:
    from moodlens.settings import settings

    monkeypatch.delenv("MOODLENS_MODELS_DIR", raising=False)
    settings.cache_clear()
    here = detectors_here()
    assert here[-1] == "haar"
    assert "yunet" not in here


def timing(**changed: Any) -> Timing:
    names = ("decode", "detect", "crop", "classify", "whole", "whole_p90", "stream")
    values: dict[str, Any] = {f"{name}_ms": 1.0 for name in names}
    return Timing(
        **{
            "case": Case("yunet", 640, 480, 1, 1),
            "found": 1,
            "rounds": 3,
            "floor_detect_ms": 1.5,
            "floor_classify_ms": 0.5,
            **values,
            **changed,
        }
    )


def test_the_floor_is_the_sum_of_both_calls() -> None:
    found = timing(whole_ms=2.5).to_dict()
    assert found["floor_ms"] == 2.0
    assert found["times_the_floor"] == 1.25
    assert found["detector"] == "yunet"


def test_a_detector_without_a_network_has_no_floor() -> None:
    found = timing(floor_detect_ms=None).to_dict()
    assert found["floor_ms"] is None
    assert found["times_the_floor"] is None


class Session:
    """Counts its calls in place of a network, and answers as the real one."""

    def __init__(self, inner: Any) -> None:
        self._inner = inner
        self.faces: list[int] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    def run(self, outputs: Any, inputs: Any) -> Any:
        self.faces.append(len(next(iter(inputs.values()))))
        return self._inner.run(outputs, inputs)


def test_the_recorded_call_is_the_one_that_was_made() -> None:
    lens = Lens(detector="haar")
    session = Session(lens.classifier._session)
    lens.classifier._session = session
    floor = record_calls(lens)
    (frame,) = make_frames(face_pictures(), 640, 240, 2, count=1)
    detect, classify = floor.learn(frame)
    assert detect is None
    assert session.faces == [2]
    classify()
    classify()
    assert session.faces == [2, 2, 2]
    assert floor.replay_frame(frame) == 2


def test_the_floor_of_an_empty_frame_is_one_face() -> None:
    lens = Lens(detector="haar")
    session = Session(lens.classifier._session)
    lens.classifier._session = session
    _, classify = record_calls(lens).learn(np.zeros((120, 160, 3), np.uint8))
    classify()
    assert session.faces == [1, 1]


@pytest.mark.shared_data
def test_a_measurement_with_a_network_detector(shared: Path) -> None:
    found = measure(Case("yunet", 320, 240, 1, 1), face_pictures(), rounds=3, seconds=0.1)
    assert found.found == 1
    assert found.rounds == 3
    row = found.to_dict()
    assert all(row[key] > 0 for key in row if key.endswith("_ms"))
    assert row["whole_p90_ms"] >= row["whole_ms"]
    assert row["floor_ms"] == pytest.approx(
        row["floor_detect_ms"] + row["floor_classify_ms"], abs=0.002
    )


def test_memory_grows_by_what_is_held() -> None:
    code = (
        "import sys; sys.path.insert(0, sys.argv[1]); import bench_child as b\n"
        "before, _ = b.resident_mib(); held = bytearray(b'x' * (64 << 20))\n"
        "then, peak = b.resident_mib(); print(then - before, peak - then)"
    )
    folder = Path(bench_scene.__file__).parent
    done = subprocess.run(
        [sys.executable, "-c", code, str(folder)], capture_output=True, text=True, check=True
    )
    grown, above = map(float, done.stdout.split())
    assert 60 < grown < 160
    assert above >= 0
    assert 10 < resident_mib()[0] <= resident_mib()[1] + 1


def test_a_child_that_fails_says_why(tmp_path: Path) -> None:
    with pytest.raises(MoodlensError, match=r"absent\.jpg: no such file"):
        measure_start("haar", tmp_path / "absent.jpg", runs=1, frames=1)


def test_the_machine_names_nobody() -> None:
    found = describe_machine()
    assert found["cores"] >= 1
    told = " ".join(map(str, found.values()))
    assert os.uname().nodename not in told
    assert str(Path.home()) not in told
