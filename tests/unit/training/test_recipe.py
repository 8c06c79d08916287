"""Recipes: packaged, changed, and wrong."""

from __future__ import annotations

from pathlib import Path

import pytest

from moodlens.errors import SettingsError
from moodlens.training.recipe import RECIPES, Recipe, packaged_recipes


@pytest.mark.parametrize("name", packaged_recipes())
def test_packaged_recipes_load(name: str) -> None:
    assert Recipe.load(name) == Recipe.load(str(RECIPES / f"{name}.toml"))


def test_the_default_and_the_tiny_recipe_are_packaged() -> None:
    assert {"default", "tiny"} <= set(packaged_recipes())


def test_a_recipe_survives_json() -> None:
    recipe = Recipe.load("default")
    assert Recipe.model_validate_json(recipe.model_dump_json()) == recipe


@pytest.mark.parametrize("name", packaged_recipes())
def test_a_recipe_survives_toml(name: str, tmp_path: Path) -> None:
    recipe = Recipe.load(name)
    path = tmp_path / "again.toml"
    path.write_text(recipe.to_toml())
    assert Recipe.load(str(path)) == recipe


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


def test_the_detectors_recipe_is_of_another_kind() -> None:
    with pytest.raises(SettingsError, match="'detector' is for moodlens train-detector"):
        Recipe.load("detector")


def test_changes_by_dotted_name() -> None:
    found = Recipe().with_changes({"schedule.epochs": 3, "seed": 5, "network.widths": (8, 8, 8)})
    assert (found.schedule.epochs, found.seed, found.network.widths) == (3, 5, (8, 8, 8))


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"schedule.speed": 1}, "no value 'schedule.speed'"),
        ({"nothing.here": 1}, "no value 'nothing.here'"),
        ({"schedule.epochs": "many"}, "schedule.epochs"),
        ({"seed.more": 1}, "no value 'seed.more'"),
        ({"network.name": "a/b"}, "network.name"),
        ({"network.widths": (8, 0, 8)}, "network.widths"),
        ({"network.widths": (), "network.depths": ()}, "network.widths"),
    ],
)
def test_changes_that_make_no_sense(changes: dict[str, object], expected: str) -> None:
    with pytest.raises(SettingsError, match=expected):
        Recipe().with_changes(changes)
