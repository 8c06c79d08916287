"""API keys are told apart, changed without a restart, and limited in rate."""

from __future__ import annotations

from pathlib import Path

import pytest

from moodlens.errors import SettingsError
from moodlens.server.keys import Keys, Rates, read_keys
from moodlens.server.settings import load_settings

ONE, TWO = "a" * 16, "b" * 20


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_a_key_names_its_owner(tmp_path: Path) -> None:
    path = tmp_path / "keys.txt"
    path.write_text(f"# ours\nfirst:{ONE}\n\nsecond : {TWO}\n")
    keys = Keys(path)
    assert keys.who(f"Bearer {ONE}") == "first"
    assert keys.who(f"bearer {TWO}") == "second"
    for wrong in (
        None,
        "",
        ONE,
        f"Basic {ONE}",
        f"Bearer {ONE[:-1]}",
        f"Bearer {ONE}b",
        "Bearer ü",
    ):
        assert keys.who(wrong) is None


def test_a_changed_file_counts_at_once_and_a_broken_one_does_not(tmp_path: Path) -> None:
    path, clock = tmp_path / "keys.txt", Clock()
    path.write_text(f"first:{ONE}\n")
    keys = Keys(path, clock=clock)
    path.write_text(f"second:{TWO}\n")
    clock.now += 2
    assert keys.who(f"Bearer {TWO}") == "second"
    assert keys.who(f"Bearer {ONE}") is None
    path.write_text("nonsense\n")
    clock.now += 2
    assert keys.who(f"Bearer {TWO}") == "second"
    path.unlink()
    clock.now += 2
    assert keys.who(f"Bearer {TWO}") == "second"


@pytest.mark.parametrize(
    ("text", "reason"),
    [("", "no API key"), ("name:short\n", "line 1"), (f"\n{ONE}\n", "line 2"), (None, "read")],
)
def test_a_bad_file_is_said(tmp_path: Path, text: str | None, reason: str) -> None:
    path = tmp_path / "keys.txt"
    if text is not None:
        path.write_text(text)
    with pytest.raises(SettingsError, match=reason):
        read_keys(path)


def test_rates_are_for_each_name() -> None:
    rates = Rates("2/hour")
    assert [rates.wait_s("a") for _ in range(2)] == [0.0, 0.0]
    assert rates.wait_s("a") > 1000
    assert rates.wait_s("b") == 0.0
    with pytest.raises(SettingsError, match="often"):
        Rates("often")


def test_settings_that_make_no_sense_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(SettingsError, match="queue=-1"):
        load_settings(queue=-1)
    monkeypatch.setenv("MOODLENS_SERVE_TIMEOUT_S", "soon")
    with pytest.raises(SettingsError, match="timeout_s='soon'"):
        load_settings()
