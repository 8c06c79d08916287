"""The catalogue is sound, and choosing from it keeps its promises."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest

from moodlens.emotions import EMOTIONS
from moodlens.errors import CatalogueError, SettingsError
from moodlens.recommendations import Recommender, load_catalogue, search_links


@pytest.mark.parametrize("emotion", EMOTIONS)
def test_every_emotion_has_something_of_each_kind(emotion: str) -> None:
    shelf = load_catalogue().shelf(emotion)  # type: ignore[arg-type]
    assert len(shelf.quotes) >= 2
    assert len(shelf.activities) >= 3
    assert len(shelf.music) >= 4
    assert all(quote.author and quote.work for quote in shelf.quotes)


def test_no_entry_stands_twice_on_a_shelf() -> None:
    for shelf in load_catalogue().shelves.values():
        for items in (shelf.quotes, shelf.activities, shelf.music):
            ids = [item.id for item in items]
            assert len(ids) == len(set(ids))


def test_links_are_searches_with_the_words_encoded() -> None:
    links = search_links("Sigur Rós & co", "Hoppípolla / live?")
    query = parse_qs(urlsplit(links["YouTube"]).query)["search_query"]
    assert query == ["Sigur Rós & co Hoppípolla / live?"]
    assert all(" " not in link and link.startswith("https://") for link in links.values())


@pytest.mark.parametrize("emotion", EMOTIONS)
def test_nothing_comes_twice_before_everything_came_once(emotion: str) -> None:
    recommender = Recommender(seed=3)
    shelf = load_catalogue().shelf(emotion)  # type: ignore[arg-type]
    seen = [recommender.recommend(emotion).quote for _ in shelf.quotes]
    assert len(set(seen)) == len(shelf.quotes)
    assert recommender.recommend(emotion).quote in seen


def test_the_same_seed_suggests_the_same() -> None:
    first = Recommender(seed=5).recommend("happy").to_dict()
    assert Recommender(seed=5).recommend("happy").to_dict() == first


def test_a_language_is_kept_where_there_is_music_in_it() -> None:
    found = Recommender(seed=1).recommend("sad", languages=("hi",))
    assert {piece.language for piece in found.music} == {"hi"}


def test_an_unsure_emotion_gets_the_suggestions_of_a_calm_moment() -> None:
    neutral = set(load_catalogue().shelf("neutral").quotes)
    found = Recommender(seed=1).recommend("angry", confidence=0.2)
    assert found.quote in neutral
    assert found.emotion == "angry"


def test_an_unknown_emotion_is_refused() -> None:
    with pytest.raises(SettingsError, match="joyful"):
        Recommender().recommend("joyful")


def test_own_entries_are_added(tmp_path: Path) -> None:
    own = tmp_path / "own.yaml"
    own.write_text("happy:\n  quotes:\n    - {text: Own words here, author: Me, work: My diary}\n")
    quotes = load_catalogue(own).shelf("happy").quotes
    assert quotes[-1].text == "Own words here"
    assert len(quotes) == len(load_catalogue().shelf("happy").quotes) + 1


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("happy: [", "not YAML"),
        ("- a list", "expected emotions"),
        ("joyful: {}", "joyful"),
        ("happy:\n  quotes:\n    - {text: x}", r'quotes, entry 1 \("x"\), text'),
        ("happy:\n  activities:\n    - {title: Run, text: Run now, minutes: -3}", "minutes"),
    ],
)
def test_a_faulty_file_is_named_with_the_entry(tmp_path: Path, text: str, words: str) -> None:
    own = tmp_path / "own.yaml"
    own.write_text(text)
    with pytest.raises(CatalogueError, match=words) as caught:
        load_catalogue(own)
    assert "own.yaml" in str(caught.value)
