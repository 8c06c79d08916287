"""The seven emotions and their places."""

from __future__ import annotations

import math

from moodlens.emotions import EMOTIONS, STYLES


def test_the_order_is_the_contract() -> None:
    assert EMOTIONS == ("angry", "disgust", "fear", "happy", "sad", "surprise", "neutral")
    assert tuple(STYLES) == EMOTIONS


def test_places_lie_in_the_unit_circle_and_neutral_in_its_middle() -> None:
    assert all(math.hypot(s.valence, s.arousal) <= 1.0 for s in STYLES.values())
    assert (STYLES["neutral"].valence, STYLES["neutral"].arousal) == (0.0, 0.0)
    assert STYLES["happy"].valence > 0 > STYLES["sad"].valence


def test_colours_differ_and_bgr_is_the_same_colour() -> None:
    assert len({s.hex_color for s in STYLES.values()}) == len(EMOTIONS)
    assert STYLES["angry"].bgr == (0x00, 0x5E, 0xD5)
