"""The summary of a video adds up."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from moodlens.emotions import EMOTIONS, Emotion
from moodlens.imaging.summary import summarize
from moodlens.types import Analysis, Face


def face(track: int, emotion: Emotion, uncertain: bool = False) -> Face:
    return Face(
        box_xyxy=(0, 0, 50, 50),
        detection_score=0.9,
        scores=dict.fromkeys(EMOTIONS, 0.05) | {emotion: 0.7},
        emotion=emotion,
        confidence=0.7,
        uncertain=uncertain,
        valence=0.5,
        arousal=-0.25,
        track_id=track,
    )


def frames(labels: list[Emotion], fps: float = 10.0) -> list[Analysis]:
    return [
        Analysis("a.mp4", 64, 48, (face(1, e),), frame_index=i, timestamp_s=i / fps)
        for i, e in enumerate(labels)
    ]


def test_shares_changes_and_the_longest_stretch() -> None:
    labels: list[Emotion] = ["happy"] * 30 + ["sad"] * 50 + ["happy"] * 20
    found = summarize("a.mp4", frames(labels))
    assert found["frames"] == 100
    assert found["duration_s"] == pytest.approx(9.9)
    assert found["share_of_time"]["happy"] == pytest.approx(0.5, abs=0.01)
    assert found["share_of_time"]["sad"] == pytest.approx(0.5, abs=0.01)
    assert found["changes"] == 2
    assert found["longest_stretch"]["emotion"] == "sad"
    assert found["longest_stretch"]["seconds"] == pytest.approx(5.0, abs=0.01)
    assert found["longest_stretch"]["from_s"] == pytest.approx(2.9, abs=0.01)
    (track,) = found["tracks"]
    assert track["mean_valence"] == pytest.approx(0.5)
    assert track["mean_arousal"] == pytest.approx(-0.25)


def test_time_counts_and_not_frames() -> None:
    found = summarize(
        "a.mp4",
        [
            *frames(["happy"] * 60, fps=60.0),
            Analysis("a.mp4", 64, 48, (face(1, "sad"),), frame_index=60, timestamp_s=1.9833),
        ],
    )
    assert found["share_of_time"]["sad"] == pytest.approx(0.5, abs=0.02)


def test_the_face_that_is_there_longest_comes_first() -> None:
    both = [
        Analysis(
            "a", 64, 48, (face(2, "sad"), *([face(1, "happy")] if i < 3 else [])), None, i, i / 10
        )
        for i in range(20)
    ]
    found = summarize("a", both)
    assert [track["track_id"] for track in found["tracks"]] == [2, 1]
    assert found["faces"] == 2


def test_a_gap_ends_a_stretch() -> None:
    early = frames(["happy"] * 10)
    late = [
        Analysis("a", 64, 48, (face(1, "happy"),), frame_index=i, timestamp_s=20 + i / 10)
        for i in range(5)
    ]
    longest = summarize("a", [*early, *late])["longest_stretch"]
    assert longest["seconds"] < 2


def test_frames_without_a_face() -> None:
    found = summarize("a", [Analysis("a", 64, 48, (), None, i, i / 10) for i in range(5)])
    assert found["frames_without_face"] == 5
    assert found["tracks"] == []
    assert found["longest_stretch"] is None
    assert sum(found["share_of_time"].values()) == 0


def test_nothing_at_all() -> None:
    assert summarize("a", [])["duration_s"] == 0.0


@given(st.lists(st.sampled_from(EMOTIONS), min_size=1, max_size=60), st.floats(5, 60))
def test_shares_sum_to_one_and_changes_are_counted(labels: list[Emotion], fps: float) -> None:
    found = summarize("a", frames(labels, fps))
    assert sum(found["share_of_time"].values()) == pytest.approx(1.0, abs=1e-3)
    assert found["changes"] == sum(a != b for a, b in pairwise(labels))
    assert found["longest_stretch"]["seconds"] <= found["tracks"][0]["seen_s"] + 1e-3
