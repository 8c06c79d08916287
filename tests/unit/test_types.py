"""The result types: validated, frozen, and the JSON contract."""

from __future__ import annotations

import dataclasses
import json

import pytest

from moodlens.emotions import EMOTIONS
from moodlens.types import Analysis, EmotionChange, Face, Quality


def a_face(**changes: object) -> Face:
    fields: dict[str, object] = {
        "box_xyxy": (10.04, 20.0, 30.0, 60.0),
        "detection_score": 0.98765,
        "scores": dict(zip(EMOTIONS, (0.0, 0.0, 0.0, 0.9, 0.05, 0.05, 0.0), strict=True)),
        "emotion": "happy",
        "confidence": 0.9,
        "uncertain": False,
        "valence": 0.8,
        "arousal": 0.1,
    }
    return Face(**{**fields, **changes})  # type: ignore[arg-type]


def test_json_contract_of_a_face() -> None:
    found = a_face().to_dict()
    assert list(found)[:9] == [
        "box_xyxy",
        "detection_score",
        "track_id",
        "emotion",
        "confidence",
        "uncertain",
        "scores",
        "valence",
        "arousal",
    ]
    assert found["box_xyxy"] == [10.0, 20.0, 30.0, 60.0]
    assert list(found["scores"]) == list(EMOTIONS)
    json.dumps(found, allow_nan=False)


def test_json_contract_of_an_analysis() -> None:
    found = Analysis("a.jpg", 512, 400, (a_face(),)).to_dict()
    assert list(found) == ["source", "width", "height", "faces", "error"]
    assert found["error"] is None


def test_stream_fields_appear_only_on_streams() -> None:
    change = EmotionChange(3, "neutral", "happy", 1.25, 0.8)
    found = Analysis("0", 4, 4, frame_index=7, timestamp_s=0.5, events=(change,)).to_dict()
    assert (found["frame_index"], found["timestamp_s"]) == (7, 0.5)
    assert found["events"][0]["from"] == "neutral"
    assert found["events"][0]["to"] == "happy"


def test_a_failed_input_keeps_its_name_and_says_why() -> None:
    found = Analysis.failed("b.jpg", "b.jpg: empty file").to_dict()
    assert found["faces"] == []
    assert found["error"] == "b.jpg: empty file"


def test_largest_face() -> None:
    small, large = a_face(), a_face(box_xyxy=(0.0, 0.0, 90.0, 90.0))
    assert Analysis("a", 100, 100, (small, large)).largest is large
    assert Analysis("a", 100, 100).largest is None


@pytest.mark.parametrize(
    "wrong",
    [
        {"box_xyxy": (30.0, 0.0, 10.0, 5.0)},
        {"box_xyxy": (0.0, 0.0, float("nan"), 5.0)},
        {"scores": {"happy": 1.0}},
        {"scores": dict.fromkeys(EMOTIONS, 0.5)},
        {"scores": dict.fromkeys(reversed(EMOTIONS), 1 / 7)},
    ],
)
def test_a_face_that_makes_no_sense_is_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r"box|scores"):
        a_face(**wrong)


def test_results_are_frozen() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        a_face().emotion = "sad"  # type: ignore[misc]


def test_quality_rounds_and_keeps_none() -> None:
    found = Quality(0.512345, 33.33, 0.4, 0.9, 1.0).to_dict()
    assert found["score"] == 0.5123
    assert found["roll_deg"] is None
