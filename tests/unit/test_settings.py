"""Settings come from MOODLENS_* variables, typed; nonsense is said in one line."""

from __future__ import annotations

from pathlib import Path

import pytest

from moodlens.errors import SettingsError
from moodlens.settings import settings


def test_variables_are_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MOODLENS_MODEL", "hf:a/b/c.onnx")
    monkeypatch.setenv("MOODLENS_THREADS", "2")
    monkeypatch.setenv("MOODLENS_CACHE_DIR", "/tmp/x")
    settings.cache_clear()
    found = settings()
    assert (found.model, found.threads, found.cache_dir) == ("hf:a/b/c.onnx", 2, Path("/tmp/x"))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("MOODLENS_DETECTOR", "mtcnn"),
        ("MOODLENS_THREADS", "many"),
        ("MOODLENS_MAX_PIXELS", "0"),
        ("MOODLENS_LIVE_VIEWERS", "0"),
        ("MOODLENS_ICE_SERVERS", "turn:turn.example.org"),
        ("MOODLENS_ICE_SERVERS", '[{"url": "turn:turn.example.org"}]'),
    ],
)
def test_nonsense_names_the_variable(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    monkeypatch.setenv(name, value)
    settings.cache_clear()
    with pytest.raises(SettingsError, match=name):
        settings()
    settings.cache_clear()


def test_servers_for_live_video_are_json(monkeypatch: pytest.MonkeyPatch) -> None:
    said = '[{"urls": ["turn:t.example"], "username": "u", "credential": "c"}, {"urls": "stun:s"}]'
    monkeypatch.setenv("MOODLENS_ICE_SERVERS", said)
    settings.cache_clear()
    turn, stun = settings().ice_servers
    assert (turn.urls, turn.username, turn.credential) == (["turn:t.example"], "u", "c")
    assert "c'" not in repr(turn)
    assert stun.model_dump(exclude_none=True) == {"urls": "stun:s"}
    settings.cache_clear()
