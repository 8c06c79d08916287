"""`docs/engine.md` says what the code does."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path

import pytest

from moodlens.emotions import EMOTIONS, STYLES
from moodlens.tracking import StreamOptions

TEXT = (Path(__file__).resolve().parents[2] / "docs" / "engine.md").read_text(encoding="utf-8")


def test_the_places_on_the_circumplex() -> None:
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in TEXT.splitlines()]
    head = next(row for row in rows if row[1:] == list(EMOTIONS))
    for name in ("valence", "arousal"):
        (row,) = [row for row in rows if row and row[0] == name]
        told = dict(zip(head[1:], map(float, row[1:]), strict=True))
        assert told == {emotion: getattr(STYLES[emotion], name) for emotion in EMOTIONS}


@pytest.mark.parametrize("name", ["smoothing_s", "min_dwell_s", "announce_after_s"])
def test_defaults_are_those_told(name: str) -> None:
    default = getattr(StreamOptions(), name)
    assert f"`{name}`, {default} s" in TEXT or f"`{name}` ({default} s)" in TEXT


def test_options_named_exist() -> None:
    names = {field.name for field in fields(StreamOptions)}
    told = {"smoothing_s", "switch_margin", "switch_evidence_s", "lost_track_s", "faces_at_once"}
    assert all(f"`{name}`" in TEXT for name in told)
    assert told <= names
