"""The load benchmark's camera: every frame bears a number that survives the codec."""

from __future__ import annotations

import importlib
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import av
import cv2
import numpy as np
import pytest

BENCHMARKS = Path(__file__).resolve().parents[3] / "benchmarks"


@pytest.fixture
def live_load(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    return importlib.import_module("live_load")


def test_every_number_is_read_back_from_the_encoded_camera(live_load: ModuleType) -> None:
    side = live_load.FACE_PX
    face = np.random.default_rng(0).integers(0, 255, (side, side, 3), dtype=np.uint8)
    packets = live_load.encode_camera(cv2.GaussianBlur(face, (0, 0), 5), 24)
    decoder: Any = av.CodecContext.create("vp8", "r")
    frames = [f for data in packets for f in decoder.decode(av.Packet(data))]
    grays = [frame.to_ndarray(format="gray") for frame in frames]
    assert [live_load.read_number(gray) for gray in grays] == list(range(live_load.LOOP))


def test_a_damaged_number_is_not_taken_for_another(live_load: ModuleType) -> None:
    side = live_load.FACE_PX
    image = live_load.camera_image(np.zeros((side, side, 3), np.uint8), 77)
    gray = cv2.cvtColor(image, cv2.COLOR_BGR2GRAY)
    assert live_load.read_number(gray) == 77
    gray[-live_load.CELL :] = 128  # the check is gone
    gray[-2 * live_load.CELL : -live_load.CELL, : live_load.CELL] = 120
    assert live_load.read_number(gray) is None


def test_what_came_back_is_told_by_the_second(live_load: ModuleType) -> None:
    seen = live_load.Seen(fresh=48, repeated=12, ages_s=[0.1, 0.2, 0.3])
    told = seen.told(4.0)
    assert (told["fresh_per_s"], told["frames_per_s"]) == (12.0, 15.0)
    assert told["age_ms_median"] == pytest.approx(200.0)


def test_before_the_beginning_is_set_nothing_is_measured(live_load: ModuleType) -> None:
    begin = SimpleNamespace(value=float("inf"))
    turn = live_load.Turn(None, begin, 5.0)
    assert not turn.contains(100.0)
    assert not turn.over(100.0)
    begin.value = 99.0
    assert turn.contains(100.0)
    assert turn.over(104.0)
