"""A live viewer's stream: annotated frames, figures, pause, mirror, seats."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
import pytest

from moodlens.lens import Lens
from moodlens.webapp import pictures
from moodlens.webapp.admission import Admission
from moodlens.webapp.stream import LiveChoices, LiveView

SAMPLES = Path(pictures.__file__).parent / "samples"


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture(scope="module")
def lens() -> Lens:
    return Lens()


@pytest.fixture
def image() -> np.ndarray:
    found = cv2.imread(str(SAMPLES / "average-happy.png"))
    assert found is not None
    wide = cv2.copyMakeBorder(found, 0, 0, 0, found.shape[1], cv2.BORDER_REPLICATE)
    return np.asarray(cv2.resize(wide, (640, 320)), np.uint8)


def frame(image: np.ndarray, at_s: float) -> av.VideoFrame:
    made = av.VideoFrame.from_ndarray(image, format="bgr24")
    made.pts, made.time_base = round(at_s * 90_000), Fraction(1, 90_000)
    return made


def play(view: LiveView, clock: Clock, image: np.ndarray, frames: int, step_s: float) -> None:
    for _ in range(frames):
        clock.now += step_s
        view.recv(frame(image, clock.now))


def test_a_minute_is_gathered_for_the_page_and_the_history(lens: Lens, image: np.ndarray) -> None:
    clock, house = Clock(), Admission(1)
    view = LiveView(lens, seat=house.take(), clock=clock)
    play(view, clock, image, 12, 0.25)
    state = view.state()
    assert state.frames_per_s == pytest.approx(4.0)
    assert state.analysis is not None
    assert state.settled == "happy"
    assert state.shares["happy"] == pytest.approx(1.0)
    assert state.age_s == pytest.approx(0.0, abs=1e-6)
    ages = [age for age, *_ in state.points]
    assert ages == sorted(ages, reverse=True)
    kept = view.recorded("x")
    assert kept.frames == 12
    assert [s.second for s in kept.samples] == [0, 1, 2]
    view.on_ended()
    assert house.taken == 0


def test_a_late_frame_shows_in_the_age(lens: Lens, image: np.ndarray) -> None:
    clock = Clock()
    view = LiveView(lens, seat=Admission(1).take(), clock=clock)
    play(view, clock, image, 3, 0.1)
    sent = clock.now + 0.1
    clock.now += 0.5  # 0.4 s on its way
    view.recv(frame(image, sent))
    assert view.state().age_s == pytest.approx(0.4, abs=1e-3)


def test_the_mirror_turns_the_picture_before_it_is_analysed(lens: Lens, image: np.ndarray) -> None:
    clock = Clock()
    view = LiveView(lens, seat=Admission(1).take(), clock=clock)
    play(view, clock, image, 1, 0.1)
    plain = view.state().analysis
    view.choose(LiveChoices(mirror=True))
    play(view, clock, image, 8, 0.1)
    turned = view.state().analysis
    assert plain is not None
    assert turned is not None
    left, right = plain.faces[0].box_xyxy, turned.faces[0].box_xyxy
    assert (right[0] + right[2]) / 2 == pytest.approx(640 - (left[0] + left[2]) / 2, abs=6)


def test_pause_holds_the_frame_and_the_clock(lens: Lens, image: np.ndarray) -> None:
    clock = Clock()
    view = LiveView(lens, seat=Admission(1).take(), clock=clock)
    play(view, clock, image, 3, 0.1)
    view.choose(LiveChoices(paused=True))
    black = np.zeros_like(image)
    for step_s in (0.1, 1.0, 1.0, 1.0):
        clock.now += step_s
        held = view.recv(frame(black, clock.now))
        assert held.max() > 0
    view.choose(LiveChoices())
    play(view, clock, image, 3, 0.1)
    kept = view.recorded("x")
    assert kept.frames == 6
    assert kept.duration_s < 1.0


def test_small_faces_are_left_out_when_asked(lens: Lens, image: np.ndarray) -> None:
    clock = Clock()
    view = LiveView(lens, LiveChoices(min_face_px=310), seat=Admission(1).take(), clock=clock)
    play(view, clock, image, 2, 0.1)
    state = view.state()
    assert state.analysis is not None
    assert state.analysis.faces == ()
    assert state.points == []


def test_without_a_seat_frames_go_back_as_they_came(lens: Lens, image: np.ndarray) -> None:
    view = LiveView(lens, seat=None, clock=Clock())
    came = frame(image, 0.0)
    assert np.array_equal(view.recv(came), came.to_ndarray(format="bgr24"))
    assert view.state().refused
    assert view.state().frames == 0
    view.on_ended()


def test_a_camera_that_falls_silent_and_a_mood_that_lasts_are_timed(
    lens: Lens, image: np.ndarray
) -> None:
    clock = Clock()
    view = LiveView(lens, seat=Admission(1).take(), clock=clock)
    assert view.state().silent_s == 0.0
    play(view, clock, image, 12, 0.25)
    clock.now += 5.0
    state = view.state()
    assert state.silent_s == pytest.approx(5.0)
    assert state.settled == "happy"
    assert 5.0 < state.settled_s <= 8.0
    view.choose(LiveChoices(paused=True))
    view.recv(frame(image, clock.now))
    assert view.state().silent_s == 0.0  # a pause is not silence
