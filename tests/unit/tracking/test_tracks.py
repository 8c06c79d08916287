"""Ids stay with their faces: crossing, loss, several faces, any number of frames."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from moodlens.tracking.association import Box, match
from moodlens.tracking.tracks import Tracker

SIDE = 80.0


def box(x: float, y: float = 200.0, side: float = SIDE) -> Box:
    return x - side / 2, y - side / 2, x + side / 2, y + side / 2


def update(tracker: Tracker, rows: list[Box], at_s: float) -> list[int]:
    return tracker.update(np.array(rows, np.float32).reshape(-1, 4), at_s)


def test_one_face_keeps_its_number() -> None:
    tracker = Tracker(1.0)
    numbers = {update(tracker, [box(100 + 5 * f)], f / 30)[0] for f in range(90)}
    assert numbers == {1}


def test_two_faces_cross_and_keep_their_numbers() -> None:
    tracker = Tracker(1.0)
    for f in range(90):
        left, right = box(100 + 5 * f, 200), box(550 - 5 * f, 215)
        assert update(tracker, [left, right], f / 30) == [1, 2]


def test_the_order_of_detections_is_no_matter() -> None:
    tracker = Tracker(1.0)
    assert update(tracker, [box(100), box(400)], 0.0) == [1, 2]
    assert update(tracker, [box(402), box(101)], 1 / 30) == [2, 1]


def test_a_face_hidden_while_another_passes_comes_back_as_itself() -> None:
    tracker = Tracker(1.0)
    for f in range(90):
        front, behind = box(100 + 5 * f), box(550 - 5 * f)
        hidden = abs(front[0] - behind[0]) < 60
        rows = [front] if hidden else [front, behind]
        assert update(tracker, rows, f / 30) == ([1] if hidden else [1, 2])


def test_a_short_loss_keeps_the_number_and_a_long_one_does_not() -> None:
    tracker = Tracker(1.0)
    assert update(tracker, [box(200)], 0.0) == [1]
    assert update(tracker, [box(210)], 0.9) == [1]
    assert update(tracker, [], 1.5) == []
    assert update(tracker, [box(215)], 2.0) == [2]


def test_a_face_far_away_is_another() -> None:
    tracker = Tracker(1.0)
    assert update(tracker, [box(100)], 0.0) == [1]
    assert update(tracker, [box(500)], 1 / 30) == [2]


def test_a_face_of_quite_another_size_is_another() -> None:
    tracker = Tracker(1.0)
    assert update(tracker, [box(200, side=40)], 0.0) == [1]
    assert update(tracker, [box(200, side=160)], 1 / 30) == [2]


def test_ten_faces_that_all_move() -> None:
    tracker = Tracker(1.0)
    rng = np.random.default_rng(3)
    number_of: dict[int, int] = {}
    for f in range(120):
        rows = [
            box(100 + 120 * i + 30 * np.sin(f / 20 + i) + rng.normal(0, 2), 200 + 10 * (i % 3))
            for i in range(10)
        ]
        order = rng.permutation(10).tolist()
        numbers = update(tracker, [rows[i] for i in order], f / 30)
        for person, number in zip(order, numbers, strict=True):
            assert number_of.setdefault(person, number) == number
    assert sorted(number_of.values()) == list(range(1, 11))


def test_a_frame_of_another_size_keeps_the_number() -> None:
    tracker = Tracker(1.0)
    update(tracker, [box(400, 300)], 0.0)
    tracker.rescale(0.5, 0.5)
    assert update(tracker, [box(200, 150, SIDE / 2)], 1 / 30) == [1]


def test_forgetting_does_not_give_numbers_again() -> None:
    tracker = Tracker(1.0)
    update(tracker, [box(100), box(300)], 0.0)
    tracker.clear()
    assert update(tracker, [box(100), box(300)], 1 / 30) == [3, 4]


def test_a_chance_find_beside_a_face_is_never_numbered() -> None:
    tracker = Tracker(1.0, confirm=True)
    assert update(tracker, [box(100), box(300)], 0.0) == [1, 2]
    assert update(tracker, [box(100), box(300), box(500)], 1 / 30) == [1, 2, 0]
    assert update(tracker, [box(100), box(300)], 2 / 30) == [1, 2]
    assert update(tracker, [box(100), box(300), box(500)], 3 / 30) == [1, 2, 0]
    assert update(tracker, [box(100), box(300), box(500)], 4 / 30) == [1, 2, 3]


def test_pictures_far_apart_in_time_need_no_confirmation() -> None:
    tracker = Tracker(1.0, confirm=True)
    assert update(tracker, [box(100)], 0.0) == [1]
    assert update(tracker, [box(500)], 0.5) == [2]


rows_of_boxes = st.lists(
    st.tuples(st.floats(0, 640), st.floats(0, 480), st.floats(10, 200)), max_size=6
)


@settings(max_examples=60)
@given(st.lists(st.tuples(rows_of_boxes, st.floats(0, 0.5)), min_size=1, max_size=12))
def test_numbers_are_unique_on_a_frame_and_never_come_back(
    frames: list[tuple[list[tuple[float, float, float]], float]],
) -> None:
    tracker = Tracker(1.0)
    at, last_seen, highest = 0.0, {}, 0
    for faces, dt in frames:
        at += dt
        numbers = update(tracker, [box(x, y, side) for x, y, side in faces], at)
        assert len(numbers) == len(faces)
        assert len(set(numbers)) == len(numbers)
        for number in numbers:
            if number > highest:
                highest = number
            else:
                assert at - last_seen[number] <= 1.0 + 1e-5
            last_seen[number] = at
        assert all(at - track.seen_at_s <= 1.0 + 1e-5 for track in tracker.tracks)


@given(rows_of_boxes, rows_of_boxes)
def test_a_match_pairs_each_at_most_once_within_the_gates(
    a: list[tuple[float, float, float]], b: list[tuple[float, float, float]]
) -> None:
    expected, found = [box(*row) for row in a], [box(*row) for row in b]
    pairs, alone = match(expected, found, [0.0] * len(expected))
    tracks, faces = [t for t, _ in pairs], [f for _, f in pairs]
    assert len(set(tracks)) == len(tracks)
    assert sorted([*faces, *alone]) == list(range(len(found)))
    for track, face in pairs:
        ratio = a[track][2] / b[face][2]
        assert 0.5 - 1e-3 <= ratio <= 2.0 + 1e-3


def test_the_whole_cost_is_least_and_not_the_nearest_pair_first() -> None:
    pairs, alone = match([box(100), box(140)], [box(138), box(178)], [0.0, 0.0])
    assert pairs == [(0, 0), (1, 1)]
    assert alone == []


@pytest.mark.parametrize("fps", [10, 30, 60])
def test_a_lost_face_is_expected_where_it_was_going(fps: int) -> None:
    tracker = Tracker(1.0)
    for f in range(fps):
        update(tracker, [box(100 + 150 * f / fps)], f / fps)
    (track,) = tracker.tracks
    x1, _, x2, _ = track.expected(track.seen_at_s + 0.2)
    moved = (x1 + x2) / 2 - track.place[0]
    assert 15 < moved <= 30 + 1e-3
