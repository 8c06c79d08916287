"""Frames become one sample a second and face."""

from __future__ import annotations

import pytest

from moodlens.emotions import EMOTIONS, Emotion
from moodlens.history import SampleGatherer, gather
from moodlens.types import Analysis, Face


def face(emotion: Emotion, p: float = 0.7, track_id: int | None = 1) -> Face:
    rest = (1 - p) / 6
    return Face(
        box_xyxy=(0, 0, 10, 10),
        detection_score=1.0,
        scores={e: p if e == emotion else rest for e in EMOTIONS},
        emotion=emotion,
        confidence=p,
        uncertain=False,
        valence=p,
        arousal=-p,
        track_id=track_id,
    )


def frame(at_s: float, *faces: Face) -> Analysis:
    return Analysis("x", 20, 20, faces, timestamp_s=at_s)


def test_a_second_is_the_mean_of_its_frames_and_the_label_shown_most() -> None:
    gatherer = SampleGatherer()
    gatherer.add(frame(10.0, face("happy", 0.4)))
    gatherer.add(frame(10.3, face("happy", 0.6)))
    gatherer.add(frame(10.6, face("sad", 0.8)))
    gatherer.add(frame(11.2, face("sad", 0.5)))
    first, second = gatherer.samples()
    assert (first.second, first.emotion, second.second, second.emotion) == (0, "happy", 1, "sad")
    assert first.valence == pytest.approx(0.6)
    assert first.arousal == pytest.approx(-0.6)
    assert first.scores[EMOTIONS.index("sad")] == pytest.approx((0.1 + 0.4 / 6 + 0.8) / 3)
    assert sum(first.scores) == pytest.approx(1.0)
    assert gatherer.frames == 4
    assert gatherer.duration_s == pytest.approx(1.2)


def test_faces_are_kept_apart_and_ordered() -> None:
    gatherer = SampleGatherer()
    for at in (0.0, 1.0):
        gatherer.add(frame(at, face("fear", track_id=7), face("happy", track_id=2)))
    assert [(s.track_id, s.second) for s in gatherer.samples()] == [(2, 0), (2, 1), (7, 0), (7, 1)]


def test_frames_without_a_face_leave_a_gap() -> None:
    gatherer = SampleGatherer()
    gatherer.add(frame(0.0, face("happy")))
    gatherer.add(frame(1.0))
    gatherer.add(frame(2.0, face("happy")))
    assert [s.second for s in gatherer.samples()] == [0, 2]
    assert gatherer.frames == 3


def test_memory_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gather, "MOST_SAMPLES", 3)
    gatherer = SampleGatherer()
    for second in range(5):
        gatherer.add(frame(float(second), face("happy")))
    assert len(gatherer.samples()) == 3
    assert gatherer.full


def test_nothing_gives_nothing() -> None:
    assert SampleGatherer().samples() == ()
    assert SampleGatherer().duration_s == 0.0


def test_a_sample_is_plain_numbers() -> None:
    gatherer = SampleGatherer()
    gatherer.add(frame(0.0, face("happy")))
    row = gatherer.samples()[0].to_dict()
    assert list(row) == ["second", "track_id", "emotion", *EMOTIONS, "valence", "arousal"]
