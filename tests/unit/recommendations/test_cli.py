"""`moodlens recommend` as a user calls it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from moodlens.cli.recommend import command
from moodlens.errors import CatalogueError, SettingsError


def said(*words: str) -> Any:
    done = CliRunner().invoke(command, [*words, "--json"], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return json.loads(done.stdout)


def test_one_is_an_object_with_links_and_careful_words() -> None:
    found = said("SAD", "--mood", "lift", "--language", "Telugu", "--seed", "3")
    assert found["emotion"] == "sad"
    assert [piece["step"] for piece in found["music"]] == [1, 2, 3]
    assert {piece["language"] for piece in found["music"]} == {"te"}
    assert all(len(piece["links"]) == 3 for piece in found["music"])
    assert "not medical advice" in found["care_note"]


def test_several_are_a_list_without_repeats() -> None:
    found = said("happy", "--count", "12", "--seed", "1")
    assert len({one["quote"]["text"] for one in found}) == 12
    assert len({one["activity"]["title"] for one in found}) == 12


def test_the_limits_of_an_activity_are_kept() -> None:
    for seed in range(5):
        found = said("neutral", "--minutes", "5", "--hour", "23", "--seed", str(seed))
        assert found["activity"]["minutes"] <= 5


def test_own_entries_come_from_a_file(tmp_path: Path) -> None:
    own = tmp_path / "own.yaml"
    own.write_text(
        "happy:\n  music:\n    - {artist: Stromae, title: Alors on danse, language: fr}\n"
    )
    found = said("happy", "--language", "fr", "--catalogue", str(own))
    assert found["music"][0]["artist"] == "Stromae"


def test_as_text_it_names_author_and_title() -> None:
    done = CliRunner().invoke(command, ["angry", "--seed", "2"], catch_exceptions=False)
    found = said("angry", "--seed", "2")
    flat = " ".join(done.stdout.split())
    assert found["quote"]["author"] in flat
    assert found["activity"]["title"] in flat
    assert found["music"][0]["links"]["YouTube"] in done.stdout


@pytest.mark.parametrize(
    ("words", "named"), [(["joyful"], "joyful"), (["sad", "--language", "xx"], "'xx'; there is")]
)
def test_wrong_words_are_named(words: list[str], named: str) -> None:
    with pytest.raises(SettingsError, match=named):
        CliRunner().invoke(command, words, catch_exceptions=False)


def test_a_faulty_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(CatalogueError, match="missing"):
        CliRunner().invoke(
            command, ["sad", "--catalogue", str(tmp_path / "missing.yaml")], catch_exceptions=False
        )
