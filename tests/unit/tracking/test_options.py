"""Options that make no sense are refused by name."""

from __future__ import annotations

from typing import Any

import pytest

from moodlens.errors import SettingsError
from moodlens.tracking import StreamOptions


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("smoothing_s", -0.1),
        ("smoothing_s", float("nan")),
        ("min_dwell_s", float("inf")),
        ("announce_after_s", -1.0),
        ("lost_track_s", -1.0),
        ("switch_evidence_s", -1.0),
        ("switch_margin", 1.0),
        ("switch_margin", -0.5),
        ("detect_every", 0),
        ("faces_at_once", 0),
        ("baseline_s", 0.0),
        ("baseline_s", float("nan")),
    ],
)
def test_nonsense_is_refused(name: str, value: float) -> None:
    given: dict[str, Any] = {name: value}
    with pytest.raises(SettingsError, match=name):
        StreamOptions(**given)


def test_zero_turns_smoothing_off() -> None:
    assert StreamOptions(smoothing_s=0, min_dwell_s=0, switch_margin=0).smoothing_s == 0
