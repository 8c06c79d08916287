"""A stream's memory: ids, steady labels, events, odd clocks and changing frames."""

from __future__ import annotations

import math

import numpy as np
import pytest

from moodlens.errors import ImageError, InputError
from moodlens.imaging.sources import SourceFrame
from moodlens.tracking import StreamOptions, StreamState
from moodlens.types import EmotionChange

from .conftest import FRAME, ScriptedLens, one


def run(state: StreamState, lens: ScriptedLens, label: str, start: float, seconds: float) -> list:
    lens.row = one(label)  # type: ignore[arg-type]
    frames = round(seconds * 30)
    return [state.process(FRAME, start + f / 30) for f in range(frames)]


def test_a_result_carries_the_frame(lens: ScriptedLens) -> None:
    state = StreamState(lens)
    found = state.process(FRAME, 1.5, index=7, source="clip.mp4")
    assert (found.source, found.width, found.height) == ("clip.mp4", 640, 480)
    assert (found.frame_index, found.timestamp_s) == (7, 1.5)
    assert found.faces[0].track_id == 1


def test_frames_and_times_are_counted_where_none_are_given(lens: ScriptedLens) -> None:
    state = StreamState(lens)
    found = [state.process(FRAME) for _ in range(3)]
    assert [f.frame_index for f in found] == [0, 1, 2]
    assert [f.timestamp_s for f in found] == pytest.approx([0, 1 / 30, 2 / 30])


def test_the_largest_face_comes_first(lens: ScriptedLens) -> None:
    lens.detector.boxes = [[10, 10, 40, 40], [300, 100, 420, 220]]
    faces = StreamState(lens).process(FRAME, 0.0).faces
    assert faces[0].area > faces[1].area


def test_a_change_is_shown_within_a_quarter_second_and_told_once(lens: ScriptedLens) -> None:
    state = StreamState(lens)
    before = run(state, lens, "happy", 0.0, 2.0)
    after = run(state, lens, "sad", 2.0, 2.0)
    assert {a.faces[0].emotion for a in before} == {"happy"}
    shown = next(a for a in after if a.faces[0].emotion == "sad")
    assert shown.timestamp_s - 2.0 <= 0.25
    events = [e for a in before + after for e in a.events]
    assert [(e.from_emotion, e.to_emotion) for e in events] == [(None, "happy"), ("happy", "sad")]
    told: EmotionChange = events[1]
    assert told.at_s - shown.timestamp_s == pytest.approx(0.5, abs=0.04)
    assert told.track_id == 1
    assert told.confidence > 0.8


def test_a_flash_of_another_label_is_not_told(lens: ScriptedLens) -> None:
    state = StreamState(lens)
    found = run(state, lens, "happy", 0.0, 2.0)
    found += run(state, lens, "surprise", 2.0, 0.3)
    found += run(state, lens, "happy", 2.3, 2.0)
    assert [e.to_emotion for a in found for e in a.events] == ["happy"]


def test_streams_share_a_lens_and_nothing_else(lens: ScriptedLens) -> None:
    a, b = StreamState(lens), StreamState(lens)
    lens.detector.boxes = [[0, 0, 50, 50], [200, 200, 260, 260]]
    assert {f.track_id for f in a.process(FRAME, 0.0).faces} == {1, 2}
    lens.detector.boxes = [[400, 200, 460, 260]]
    assert [f.track_id for f in b.process(FRAME, 0.0).faces] == [1]
    assert [f.track_id for f in a.process(FRAME, 0.1).faces] == [3]


def test_a_poor_face_is_uncertain_and_does_not_change_the_label(lens: ScriptedLens) -> None:
    state = StreamState(lens)
    run(state, lens, "happy", 0.0, 1.0)
    lens.quality = 0.05
    found = run(state, lens, "angry", 1.0, 0.5)
    assert found[-1].faces[0].uncertain
    assert {a.faces[0].emotion for a in found} == {"happy"}


def test_reset_forgets_and_gives_new_ids(lens: ScriptedLens) -> None:
    state = StreamState(lens)
    run(state, lens, "happy", 0.0, 1.0)
    state.reset()
    (face,) = run(state, lens, "sad", 1.0, 1 / 30)[0].faces
    assert face.track_id == 2
    assert face.emotion == "sad"


@pytest.mark.parametrize("back_s", [0.0, 0.02, 0.9])
def test_a_clock_that_stands_or_steps_back_a_little_keeps_the_face(
    lens: ScriptedLens, back_s: float
) -> None:
    state = StreamState(lens)
    run(state, lens, "happy", 0.0, 1.0)
    (face,) = state.process(FRAME, 29 / 30 - back_s).faces
    assert face.track_id == 1


def test_a_clock_that_starts_again_starts_the_stream_again(lens: ScriptedLens) -> None:
    state = StreamState(lens)
    run(state, lens, "happy", 100.0, 1.0)
    (face,) = state.process(FRAME, 0.0).faces
    assert face.track_id == 2


@pytest.mark.parametrize("time", [math.nan, math.inf, -math.inf])
def test_a_time_that_is_no_number_is_refused(lens: ScriptedLens, time: float) -> None:
    with pytest.raises(InputError, match="time of a frame"):
        StreamState(lens).process(FRAME, time)


@pytest.mark.parametrize(
    "frame",
    [
        np.zeros((480, 640), np.uint8),
        np.zeros((480, 640, 4), np.uint8),
        np.zeros((480, 640, 3), np.float32),
        np.zeros((0, 640, 3), np.uint8),
    ],
)
def test_what_is_no_picture_is_refused(lens: ScriptedLens, frame: np.ndarray) -> None:
    with pytest.raises(ImageError, match="BGR uint8"):
        StreamState(lens).process(frame, 0.0)


def test_a_video_that_changes_size_keeps_the_face(lens: ScriptedLens) -> None:
    state = StreamState(lens)
    state.process(FRAME, 0.0)
    lens.detector.boxes = [[50.0, 50.0, 90.0, 90.0]]
    (face,) = state.process(FRAME[::2, ::2], 1 / 30).faces
    assert face.track_id == 1


def test_memory_holds_only_the_people_there(lens: ScriptedLens) -> None:
    state = StreamState(lens)
    for f in range(200):
        x = 600.0 * (f % 2)
        lens.detector.boxes = [[x, 0.0, x + 30, 30.0]]
        state.process(FRAME, f * 2.0)
    assert len(state._people) == 1
    assert len(state._tracker.tracks) == 1


def test_following_a_file_says_what_frame_by_frame_does(lens: ScriptedLens) -> None:
    frames = [SourceFrame(FRAME, f / 30, f) for f in range(40)]
    alone = StreamState(lens)
    expected = [alone.process(f.image, f.timestamp_s, index=f.index) for f in frames]
    followed = list(StreamState(lens).follow(frames))
    assert [analysis for _, analysis in followed] == expected
    assert [frame for frame, _ in followed] == frames


def test_an_error_in_a_source_reaches_the_caller_after_the_frames_before(
    lens: ScriptedLens,
) -> None:
    def frames():
        yield SourceFrame(FRAME, 0.0, 0)
        raise InputError("torn")

    seen = []
    with pytest.raises(InputError, match="torn"):
        seen.extend(StreamState(lens).follow(frames()))
    followed = StreamState(lens).follow(frames())
    assert next(followed)[1].frame_index == 0


def test_options_reach_the_stream(lens: ScriptedLens) -> None:
    state = StreamState(lens, StreamOptions(smoothing_s=0.0))
    run(state, lens, "happy", 0.0, 1.0)
    (face,) = run(state, lens, "sad", 1.0, 1 / 30)[0].faces
    assert face.scores["sad"] == pytest.approx(0.9)


def row_of_boxes(n: int, shift: float = 0.0) -> list[list[float]]:
    return [[60.0 * i + shift, 10.0, 60.0 * i + 50 + shift, 60.0] for i in range(n)]


class CountingLens(ScriptedLens):
    """Remembers how many faces each call of the network held."""

    def __init__(self) -> None:
        super().__init__()
        self.batches: list[int] = []

    def judge(self, frame, detections):  # type: ignore[no-untyped-def]
        self.batches.append(len(detections))
        return super().judge(frame, detections)


def test_many_faces_take_turns_and_all_are_shown_where_they_are() -> None:
    lens = CountingLens()
    state = StreamState(lens, StreamOptions(faces_at_once=3))
    for f in range(8):
        lens.detector.boxes = row_of_boxes(9, shift=float(f))
        faces = state.process(FRAME, f / 30).faces
        assert sorted(face.box_xyxy[0] for face in faces) == [60.0 * i + f for i in range(9)]
        assert {face.track_id for face in faces} == set(range(1, 10))
    assert lens.batches == [9, 3, 3, 3, 3, 3, 3, 3]


def test_everyones_turn_comes() -> None:
    lens = CountingLens()
    lens.detector.boxes = row_of_boxes(9)
    state = StreamState(lens, StreamOptions(faces_at_once=3, smoothing_s=0.0, min_dwell_s=0.0))
    state.process(FRAME, 0.0)
    lens.row = one("sad")
    moved = [
        sum(face.scores["sad"] > 0.5 for face in state.process(FRAME, f / 30).faces)
        for f in range(1, 4)
    ]
    assert moved == [3, 6, 9]


def test_newcomers_are_judged_at_once() -> None:
    lens = CountingLens()
    state = StreamState(lens, StreamOptions(faces_at_once=2))
    lens.detector.boxes = row_of_boxes(2)
    state.process(FRAME, 0.0)
    lens.detector.boxes = row_of_boxes(6)
    assert len(state.process(FRAME, 1 / 30).faces) == 6
    assert lens.batches == [2, 4]


def test_all_faces_on_all_frames_where_asked() -> None:
    lens = CountingLens()
    lens.detector.boxes = row_of_boxes(9)
    state = StreamState(lens, StreamOptions(faces_at_once=None))
    for f in range(3):
        state.process(FRAME, f / 30)
    assert lens.batches == [9, 9, 9]
