"""Seats: bounded, given back, and never held by somebody who has gone."""

from __future__ import annotations

from moodlens.webapp.admission import SILENT_S, Admission


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def test_the_last_seat_is_the_last() -> None:
    house = Admission(2, clock=Clock())
    first, second = house.take(), house.take()
    assert first is not None
    assert second is not None
    assert house.full
    assert house.take() is None
    first.leave()
    first.leave()
    assert house.taken == 1
    assert house.take() is not None


def test_a_silent_viewer_loses_the_seat_and_one_who_beats_keeps_it() -> None:
    clock = Clock()
    house = Admission(2, clock=clock)
    gone, there = house.take(), house.take()
    assert gone is not None
    assert there is not None
    for _ in range(4):
        clock.now += SILENT_S / 2
        assert there.beat()
    assert house.taken == 1


def test_a_viewer_who_comes_back_takes_a_free_seat_or_is_told() -> None:
    clock = Clock()
    house = Admission(1, clock=clock)
    late = house.take()
    assert late is not None
    clock.now += SILENT_S + 1
    assert late.beat()  # nobody took it
    clock.now += SILENT_S + 1
    assert house.take() is not None
    assert not late.beat()
    assert house.taken == 1
