"""Recipes: packaged, changed, and wrong."""

from __future__ import annotations

from pathlib import Path

import pytest

from moodlens.errors import SettingsError
from moodlens.training.recipe import RECIPES, Recipe


@pytest.mark.parametrize("path", sorted(RECIPES.glob("*.toml")), ids=lambda path: path.stem)
def test_packaged_recipes_load(path: Path) -> None:
    assert Recipe.load(path.stem) == Recipe.load(str(path))


def test_a_recipe_survives_json() -> None:
    recipe = Recipe.load("default")
    assert Recipe.model_validate_json(recipe.model_dump_json()) == recipe


def test_an_unknown_name_lists_the_known(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"no recipe 'huge'; packaged ones: .*default"):
        Recipe.load("huge")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("[schedule]\nepochs = 0\n", r"schedule\.epochs"),
        ("[schedule]\nepoch = 3\n", r"schedule\.epoch"),
        ("[network]\nwidths = [8]\ndepths = [1, 1]\n", "one number for each stage"),
        ("seed = [", "can't be read as TOML"),
    ],
)
def test_a_wrong_value_is_named(tmp_path: Path, text: str, expected: str) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(text)
    with pytest.raises(SettingsError, match=expected) as raised:
        Recipe.load(str(path))
    assert str(raised.value).startswith(str(path))


def test_changes_by_dotted_name() -> None:
    found = Recipe().with_changes({"schedule.epochs": 3, "seed": 5, "network.widths": (8, 8, 8)})
    assert (found.schedule.epochs, found.seed, found.network.widths) == (3, 5, (8, 8, 8))


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"schedule.speed": 1}, "no value 'schedule.speed'"),
        ({"nothing.here": 1}, "no value 'nothing.here'"),
        ({"schedule.epochs": "many"}, "schedule.epochs"),
    ],
)
def test_changes_that_make_no_sense(changes: dict[str, object], expected: str) -> None:
    with pytest.raises(SettingsError, match=expected):
        Recipe().with_changes(changes)
