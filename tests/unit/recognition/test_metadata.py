"""The card inside a model file: nothing about a model is guessed."""

from __future__ import annotations

import json

import pytest

from moodlens.emotions import EMOTIONS
from moodlens.errors import ModelError
from moodlens.recognition.metadata import METADATA_KEY, ModelInfo


def test_a_card_survives_the_file() -> None:
    card = ModelInfo(name="x", temperature=1.3, conformal_threshold=0.9, metrics={"n": 3})
    again = ModelInfo.from_metadata({METADATA_KEY: card.model_dump_json()}, "x.onnx")
    assert again == card
    assert again.labels == EMOTIONS


def test_a_file_without_a_card_is_refused() -> None:
    with pytest.raises(ModelError, match=r"x\.onnx.*no moodlens metadata.*export"):
        ModelInfo.from_metadata({}, "x.onnx")


@pytest.mark.parametrize(
    ("card", "word"),
    [
        ("not json", "card"),
        (json.dumps({"name": "x", "labels": ["happy"]}), "labels"),
        (json.dumps({"name": "x", "temperature": 0}), "temperature"),
        (json.dumps({"name": "x", "output": "regression"}), "output"),
        (json.dumps({"name": "x", "input_side": 5}), "input_side"),
    ],
)
def test_a_damaged_card_says_what_is_wrong(card: str, word: str) -> None:
    with pytest.raises(ModelError, match=word):
        ModelInfo.from_metadata({METADATA_KEY: card}, "x.onnx")
