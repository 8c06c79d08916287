from __future__ import annotations

from pathlib import Path

import pytest

from moodlens.errors import SettingsError
from moodlens.training.detector.recipe import DetectorRecipe
from moodlens.training.recipe import packaged_recipes


def test_the_packaged_recipes_load() -> None:
    names = packaged_recipes(detectors=True)
    assert "detector" in names
    assert not set(names) & set(packaged_recipes())
    for name in names:
        assert DetectorRecipe.load(name).scenes.width % 32 == 0


def test_a_fault_is_named(tmp_path: Path) -> None:
    path = tmp_path / "r.toml"
    path.write_text("[schedule]\nepochs = 0\n")
    with pytest.raises(SettingsError, match=r"schedule\.epochs"):
        DetectorRecipe.load(str(path))
    path.write_text("not toml")
    with pytest.raises(SettingsError, match="TOML"):
        DetectorRecipe.load(str(path))
    with pytest.raises(SettingsError, match="packaged"):
        DetectorRecipe.load("nothing")
