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
